"""NVIDIA's compiler from PyPI: it configures the real engine, compiles, and is complete.

No GPU is needed for that. The whole engine takes too long: one CUDA file stands for the others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smolpc import files
from smolpc.build import package, source, toolbox
from smolpc.console import Silent
from smolpc.provision.steps import FetchTool, Work
from smolpc.provision.target import choose_target
from smolpc.schema.plan import Step
from smolpc.settings import Settings
from smolpc.store import Store
from tests.integration.conftest import Provisioned
from tests.integration.test_same_bytes import build_in

pytestmark = pytest.mark.integration

PROFILE = """
name: cuda-without-a-gpu
summary: CUDA for one kind of card, on a machine that has none.
manual: true
build: {backends: [cpu, cuda], cpu: [all-variants], gpu_architectures: [89-real]}
"""
FILE = "ggml/src/ggml-cuda/CMakeFiles/ggml-cuda.dir/clamp.cu.o"


@pytest.fixture(scope="module")
def work(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The choice for the profile above, with every tool fetched."""
    profiles = tmp_path_factory.mktemp("profiles")
    (profiles / "cuda-without-a-gpu.yaml").write_text(PROFILE, encoding="utf-8")
    root = tmp_path_factory.mktemp("cuda store ü")
    shutil.copytree(
        provisioned.store.root / "sources",
        root / "sources",
        copy_function=os.link,
        symlinks=True,
    )
    store = Store(root)
    store.prepare()
    target = choose_target(
        Settings(store=str(root), profiles=str(profiles), profile="cuda-without-a-gpu")
    )
    made = Work(target, store, Silent())
    tools = [tool.name for tool in made.toolchain_to_fetch]
    if "nvcc" not in tools:
        pytest.skip("this machine has a CUDA toolkit of its own")
    for name in tools:
        step = Step(id=name, kind="fetch-tool", title=name, inputs={"name": name})
        FetchTool().perform(made, step)
        assert FetchTool().known(made, step).done
    return made


def test_the_same_cuda_code_gives_the_same_bytes_everywhere(work: Work, tmp_path: Path) -> None:
    pinned = source.tree_of(work.store, work.target.recipe).engine
    bin_folder = Path(str(work.toolchain.cuda and work.toolchain.cuda.path)).parent.as_posix()
    digests = set()
    for folder in (tmp_path / "one", tmp_path / "another place" / "ü"):
        build = build_in(folder, pinned, work.target, work.toolchain, FILE)
        cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
        assert f"CUDAToolkit_BIN_DIR:PATH={bin_folder}\n" in cache, "another toolkit"
        data = (build / FILE).read_bytes()
        assert str(folder).encode() not in data
        digests.add(files.sha256_file(build / FILE))
    assert len(digests) == 1


def test_what_an_engine_needs_at_run_time_is_complete(work: Work, tmp_path: Path) -> None:
    (recipe,) = work.target.parts
    assert recipe.name == "nvcc"
    package.add_parts(tmp_path, work.target.spec, recipe, toolbox.folder_of(work.store, recipe))
    folder = tmp_path / package.lib_dir(work.target.spec)
    size = sum(path.stat().st_size for path in files.walk(folder))
    assert 0.9 < size / recipe.runtime_bytes < 1.1
    for name in recipe.runtime:
        code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
        path = folder / Path(name).name
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "licenses/nvcc/License.txt").is_file()
