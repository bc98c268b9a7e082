"""The converter's own environment, made for real, with a converter that needs no packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from smolpc import files
from smolpc.build import converter
from smolpc.build.source import Tree
from smolpc.console import Silent
from smolpc.errors import BuildError, PrerequisiteError, TrustError
from smolpc.store import Store

pytestmark = pytest.mark.integration

SCRIPT = """
import helper, os, sys
folder, out = sys.argv[1], sys.argv[sys.argv.index("--outfile") + 1]
kind = sys.argv[sys.argv.index("--outtype") + 1]
for percent in (1, 50, 100):
    print(f"Writing: {percent:3}%|", end="\\r", file=sys.stderr)
if folder.endswith("broken"):
    raise NotImplementedError("Architecture 'X' not supported!")
with open(out, "w") as stream:
    stream.write(" ".join([kind, os.environ["HF_HUB_OFFLINE"], sys.prefix]))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store ü")
    store.prepare()
    return store


@pytest.fixture
def tree(store: Store) -> Tree:
    tree = Tree(root=store.sources / "toy")
    (tree.engine / "requirements").mkdir(parents=True)
    (tree.engine / converter.SCRIPT).write_text(SCRIPT)
    (tree.engine / "helper.py").write_text("")
    (tree.engine / converter.REQUIREMENTS).write_text("-r ./more.txt\n")
    (tree.engine / "requirements" / "more.txt").write_text("# nothing\n")
    files.seal(tree.root)
    return tree


class Percent(Silent):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def task(self, title: str, *, total: float | None = None, unit: str = "B"):  # type: ignore[no-untyped-def]
        import contextlib

        @contextlib.contextmanager
        def running():  # type: ignore[no-untyped-def]
            yield self

        return running()

    def update(self, done: float, total: float | None = None) -> None:
        self.seen.append(done)


def test_it_is_made_once_and_only_when_allowed(store: Store, tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        converter.python_for(store, tree, install=False, reporter=Silent())
    assert "--install" in caught.value.next_step
    assert not store.tools.exists() or not list(store.tools.iterdir())
    python = converter.python_for(store, tree, install=True, reporter=Silent())
    assert converter.python_for(store, tree, install=False, reporter=Silent()) == python
    reporter, out = Percent(), tmp_path / "out.gguf"
    converter.convert(python, tree, tmp_path / "model", "F16", out, reporter=reporter)
    kind, offline, prefix = out.read_text().split(" ", 2)
    assert (kind, offline) == ("f16", "1")
    assert Path(prefix).samefile(converter.environment_of(store, tree))
    assert reporter.seen == [1, 50, 100]
    assert not list(tree.root.rglob("__pycache__"))
    converter.python_for(store, tree, install=False, reporter=Silent())  # as it was made
    with pytest.raises(BuildError) as failed:
        converter.convert(
            python, tree, tmp_path / "broken", "F16", out.with_name("b"), reporter=reporter
        )
    assert failed.value.why == "NotImplementedError: Architecture 'X' not supported!"


def test_changed_source_does_not_run(store: Store, tree: Tree, tmp_path: Path) -> None:
    (tree.engine / "helper.py").write_text("open('ran', 'w')")
    python = Path(sys.executable)
    with pytest.raises(TrustError):
        converter.convert(python, tree, tmp_path, "F16", tmp_path / "out", reporter=Silent())
    assert not (tmp_path / "ran").exists()


def test_what_pip_cannot_install_is_said_and_leaves_nothing(
    store: Store, tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tree.engine / converter.REQUIREMENTS).write_text("no-such-package==1.0\n")
    with pytest.raises(BuildError) as caught:
        converter.python_for(store, tree, install=True, reporter=Silent())
    assert "no-such-package" in caught.value.why
    assert "--python" in caught.value.next_step
    assert list(store.tools.iterdir()) == []
