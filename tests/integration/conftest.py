"""The real thing, provisioned once per test run.

`TEST_SMOLPC_STORE` names a store to use (and keep); without it a temporary one is filled,
which compiles the whole engine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from smolpc.schema.report import SetupReport
from smolpc.store import Store

ROOT = Path(__file__).parents[2]
CACHE = tempfile.mkdtemp(prefix="smolpc-cache-")
Completed = subprocess.CompletedProcess[str]
Smolpc = Callable[..., Completed]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without smolpc's own variables, and the changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SMOLPC_")}
    kept |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "XDG_CACHE_HOME": CACHE}
    return {**kept, **(changes or {})}


def run_smolpc(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 1800
) -> Completed:
    """The command as a user runs it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "smolpc", *arguments],
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def smolpc() -> Smolpc:
    return run_smolpc


class Provisioned:
    """A store after `smolpc setup`, and what setup reported."""

    def __init__(self, store: Store, report: SetupReport) -> None:
        self.store, self.report = store, report
        self.env = {"SMOLPC_STORE": str(store.root)}

    @property
    def artifact(self) -> Path:
        assert self.report.generation is not None
        return self.store.artifact(self.report.generation.artifact)

    @property
    def model(self) -> Path:
        assert self.report.generation is not None
        return next(self.store.models.glob(f"{self.report.generation.model}/*.gguf"))


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Provisioned:
    """The real engine and the real 135M model, set up by `smolpc setup` itself."""
    given = os.environ.get("TEST_SMOLPC_STORE")
    root = Path(given) if given else tmp_path_factory.mktemp("real store ü")
    done = run_smolpc("setup", "--json", env={"SMOLPC_STORE": str(root)}, timeout=3600)
    assert done.returncode == 0, done.stderr + done.stdout
    return Provisioned(Store(root), msgspec.json.decode(done.stdout, type=SetupReport))


@pytest.fixture(scope="session")
def real_artifact(provisioned: Provisioned) -> Path:
    return provisioned.artifact


@pytest.fixture(scope="session")
def real_model(provisioned: Provisioned) -> Path:
    return provisioned.model
