"""Promise: the same key gives the same bytes, wherever the engine is built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smolpc.build import source
from smolpc.build.compile import compile_targets
from smolpc.build.configure import configure
from smolpc.console import Silent
from smolpc.files import sha256_file
from smolpc.plan.toolchain import Toolchain
from smolpc.provision.target import Target, choose_target
from smolpc.settings import Settings
from tests.integration.conftest import Provisioned

pytestmark = pytest.mark.integration


def build_in(folder: Path, pinned: Path, target: Target, toolchain: Toolchain, what: str) -> Path:
    """Build `what` of a copy of the source in `folder`. Returns the build tree."""
    shutil.copytree(pinned, folder / "engine")
    engine, build, log = folder / "engine", folder / "build", folder / "log"
    configure(
        engine, build, target.spec.cmake, toolchain, key=target.key, log=log, reporter=Silent()
    )
    compile_targets(engine, build, [what], toolchain, jobs=2, log=log, reporter=Silent())
    return build


def test_two_folders_give_the_same_libraries(provisioned: Provisioned, tmp_path: Path) -> None:
    target = choose_target(Settings(store=str(provisioned.store.root)))
    assert target.toolchain is not None
    pinned = source.tree_of(provisioned.store, target.recipe).engine
    digests = set()
    for folder in (tmp_path / "one", tmp_path / "another place" / "ü"):
        build = build_in(folder, pinned, target, target.toolchain, "ggml-base")
        digests.add(sha256_file(next(build.rglob("libggml-base.*"))))
    assert len(digests) == 1
