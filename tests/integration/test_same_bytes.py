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
from smolpc.provision.target import choose_target
from smolpc.settings import Settings
from tests.integration.conftest import Provisioned

pytestmark = pytest.mark.integration


def test_two_folders_give_the_same_libraries(provisioned: Provisioned, tmp_path: Path) -> None:
    target = choose_target(Settings(store=str(provisioned.store.root)))
    assert target.toolchain is not None
    pinned = source.tree_of(provisioned.store, target.recipe).engine
    digests = set()
    for folder in (tmp_path / "one", tmp_path / "another place" / "ü"):
        shutil.copytree(pinned, folder / "engine")
        log, build = folder / "log", folder / "build"
        configure(
            folder / "engine",
            build,
            target.spec.cmake,
            target.toolchain,
            key=target.key,
            log=log,
            reporter=Silent(),
        )
        compile_targets(
            folder / "engine",
            build,
            ["ggml-base"],
            target.toolchain,
            jobs=2,
            log=log,
            reporter=Silent(),
        )
        digests.add(sha256_file(next(build.rglob("libggml-base.*"))))
    assert len(digests) == 1
