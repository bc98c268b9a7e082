"""What `models.convert` refuses before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_subprocess import FakeProcess

from smolpc.build import converter
from smolpc.errors import PrerequisiteError, TrustError, UsageError
from smolpc.provision import convert


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(bytes(1000))
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(bytes(500))
    return tmp_path


def test_a_models_folder(folder: Path):
    assert convert.require_model(folder) == 1500


@pytest.mark.parametrize("config", [None, "", "[]", "{", "[" * 100_000])
def test_what_is_no_models_folder(folder: Path, config: str | None):
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    with pytest.raises(UsageError, match=r"config\.json|not the folder"):
        convert.require_model(folder)


def test_without_weights(folder: Path):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(UsageError, match="no weights"):
        convert.require_model(folder)


def test_code_in_the_folder_does_not_run(folder: Path):
    (folder / "modeling_evil.py").write_text("print('pwned')")
    with pytest.raises(TrustError) as caught:
        convert.require_model(folder)
    assert "modeling_evil.py" in caught.value.why


@pytest.mark.parametrize(
    ("printed", "code", "says"),
    [("['torch', 'transformers']", 0, "'torch', 'transformers'"), ("", 0, ""), ("boom", 1, "boom")],
)
def test_a_python_that_lacks_something(fp: FakeProcess, printed: str, code: int, says: str):
    fp.register([fp.any()], stdout=[printed], returncode=code)
    with pytest.raises(PrerequisiteError) as caught:
        converter.given_python(Path("/usr/bin/python3"))
    assert says in caught.value.why


def test_a_python_that_has_everything(fp: FakeProcess):
    fp.register([fp.any()], stdout=["[]"])
    assert converter.given_python(Path("/usr/bin/python3")) == Path("/usr/bin/python3")
