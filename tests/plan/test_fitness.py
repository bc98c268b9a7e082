"""An artifact runs on any host that offers what it needs, and on no other."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.plan.fitness import unmet
from smolpc.schema.artifact import Requirements
from smolpc.schema.host import Libc
from tests.machines import hosts

HOST = hosts()["cloud-xeon-icelake-debian12"]
NEEDS = Requirements(
    system="linux",
    arch="x86_64",
    cpu_features=("avx2", "avx512_vnni"),
    libc="glibc",
    libc_floor="2.36",
)


def test_the_machine_that_built_it_runs_it() -> None:
    assert unmet(NEEDS, HOST) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"system": "windows"}, "built for windows"),
        ({"arch": "aarch64"}, "built for linux aarch64"),
        ({"cpu_features": ("avx2", "avx10")}, "lacks avx10"),
        ({"libc": "musl"}, "needs musl"),
        ({"libc_floor": "2.40"}, "needs glibc 2.40"),
    ],
)
def test_each_unmet_requirement_is_said(changes: dict[str, object], said: str) -> None:
    [sentence] = unmet(msgspec.structs.replace(NEEDS, **changes), HOST)
    assert said in sentence


def test_a_newer_libc_is_fine() -> None:
    newer = msgspec.structs.replace(HOST.os, libc=Libc(name="glibc", version="2.100"))
    assert unmet(NEEDS, msgspec.structs.replace(HOST, os=newer)) == []
