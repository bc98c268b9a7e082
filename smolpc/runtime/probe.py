"""Start the child process of a trust test and bring back what it reports."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from smolpc import proc
from smolpc.runtime.devices import Device
from smolpc.runtime.trust_child import MARKER
from smolpc.schema.artifact import TrustResult
from smolpc.schema.base import Bytes, Value

DATA = Path(__file__).parents[1] / "data"

TESTS = {"engine": "the self-check", "model": "the load test"}

# How a crash shows as an exit code: minus the signal on POSIX, an NTSTATUS on Windows.
CRASHES = {
    -4: "illegal instruction: built for a newer CPU",
    0xC000001D: "illegal instruction: built for a newer CPU",
    -6: "the engine aborted itself",
    -7: "bus error: a file is damaged or shorter than it says",
    -8: "arithmetic error in the engine",
    -11: "segmentation fault in the engine",
    0xC0000005: "access violation in the engine",
    0xC0000409: "the engine aborted itself",
    0xC00000FD: "stack overflow in the engine",
}


class Loaded(Value, kw_only=True):
    """What a model told when it was loaded. `steps` has one number for each computed token:
    the distance between its largest and smallest logit, None where one is not a number."""

    description: str  # the engine's: "llama 1B Q4_K - Medium"
    parameters: int
    bytes: Bytes
    context_length: int  # tokens, by the header
    vocabulary: int  # tokens
    steps: tuple[float | None, ...] = ()


class Report(Value, kw_only=True):
    """What the child found out; the defaults stand for what it did not reach."""

    error: str
    devices: tuple[Device, ...] = ()
    abi: dict[str, int] = msgspec.field(default_factory=dict)
    wrong_defaults: tuple[str, ...] = ()
    broken_libraries: dict[str, str] = msgspec.field(default_factory=dict)
    logits: dict[str, dict[int, tuple[float, ...]]] = msgspec.field(default_factory=dict)
    model: Loaded | None = None


def child(name: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command and changes of the environment that run the module `name` of this package in a
    process of its own."""
    # -P: the current folder must not provide modules to the child
    return [sys.executable, "-P", "-m", f"smolpc.runtime.{name}", *arguments], python_path()


def python_path() -> dict[str, str]:
    """Changes of the environment with which a child finds this very package."""
    here = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, here))
    return {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


def run(
    artifact_dir: Path,
    lib_dir: str,
    *,
    timeout: float = 60,
    model: Path = DATA / "selfcheck.gguf",
    tokens: tuple[int, ...] = (1,),
    what: str = "engine",
) -> Report | TrustResult:
    """The child's report after at most `timeout` seconds, or the verdict when there is none.

    `what` is tested: "engine", or "model" (see `trust_child`). A crash is `failed`; being
    killed, or taking too long, is `inconclusive`.
    """
    argv, env = child(
        "trust_child", what, str(artifact_dir), lib_dir, str(model), str(list(tokens))
    )
    try:
        done = proc.run(argv, env=env, timeout=timeout)
    except proc.TimedOut:
        return _ended("inconclusive", f"{TESTS[what]} took longer than {timeout:g} s")
    lines = [line for line in done.output.splitlines() if line.startswith(MARKER)]
    if done.ok and lines:
        return msgspec.json.decode(lines[-1][len(MARKER) :], type=Report)
    crash = CRASHES.get(done.code) or CRASHES.get(done.code & 0xFFFFFFFF)
    if crash:
        return _ended("failed", crash)
    return _ended("inconclusive", f"{TESTS[what]} ended with code {done.code}: {done.tail(3)}")


def _ended(verdict: str, sentence: str) -> TrustResult:
    return TrustResult(verdict=verdict, checks={"process": sentence}, error=sentence)
