"""The load test: whether an engine can use a model, tried in a child process."""

from __future__ import annotations

from pathlib import Path

from smolpc.console import human_bytes
from smolpc.runtime import probe
from smolpc.runtime.probe import Loaded, Report
from smolpc.schema.artifact import Artifact, TrustResult

BASE_SECONDS = 60
SLOWEST_DISK = 25e6  # bytes a second: an old laptop's disk, busy
# Beside the weights: the context, compute buffers, the process. Weights may be there twice
# for a moment, where the engine repacks them for the processor.
BASE_MEMORY = 300_000_000  # bytes
MEMORY_PER_BYTE = 1.1


def memory_needed(size: int) -> int:
    """Bytes of memory that testing a model of `size` bytes takes, generously."""
    return BASE_MEMORY + int(size * MEMORY_PER_BYTE)


def seconds_for(size: int) -> float:
    """Seconds that loading a model of `size` bytes may take."""
    return BASE_SECONDS + size / SLOWEST_DISK


def can_load(
    artifact_dir: Path,
    artifact: Artifact,
    model_path: Path,
    *,
    memory_available: int = 0,
    timeout: float | None = None,
) -> TrustResult:
    """Load a model in a child process and compute a few tokens.

    The caller has verified the artifact's files. The verdict is `passed` only when the engine
    computed numbers that make sense; `failed` when it refuses the model, crashes or computes
    nonsense; `inconclusive` when it did not end in `timeout` seconds (None: by the size), was
    killed, or when `memory_available` bytes (0: not known) are too few to try. `checks` says
    what the engine took the model for.
    """
    size = model_path.stat().st_size
    needed = memory_needed(size)
    if memory_available and memory_available < needed:
        return _ended(
            "inconclusive",
            "memory",
            f"testing it needs {human_bytes(needed)} of memory,"
            f" {human_bytes(memory_available)} are free",
        )
    found = probe.run(
        artifact_dir,
        artifact.lib_dir,
        timeout=seconds_for(size) if timeout is None else timeout,
        model=model_path,
        what="model",
    )
    return found if isinstance(found, TrustResult) else judge(found)


def judge(found: Report) -> TrustResult:
    """The verdict over the child's report."""
    devices = tuple(f"{device.name} ({device.description})" for device in found.devices)
    if found.error:
        return _ended("failed", "engine", found.error)
    if found.model is None:
        return _ended("inconclusive", "engine", "the engine told nothing about the model")
    checks = {"model": describe(found.model)}
    problem = _numbers(found.model)
    checks["numbers"] = problem or f"{len(found.model.steps)} tokens computed"
    return TrustResult(
        verdict="failed" if problem else "passed", checks=checks, devices=devices, error=problem
    )


def describe(model: Loaded) -> str:
    """One line about a loaded model, for people."""
    millions = model.parameters / 1e6
    return (
        f"{model.description}, {millions:.{0 if millions >= 10 else 1}f} M parameters,"
        f" {human_bytes(model.bytes)}, trained for {model.context_length} tokens"
    )


def _numbers(model: Loaded) -> str:
    """What is wrong with the computed logits, or ""."""
    if not model.steps:
        return "it cannot generate text: it has no decoder, or no tokenizer"
    if any(step is None for step in model.steps):
        return "it computes values that are not numbers: its weights are damaged"
    if not any(model.steps):
        return "it finds every token equally likely: its weights are empty"
    return ""


def _ended(verdict: str, check: str, sentence: str) -> TrustResult:
    return TrustResult(verdict=verdict, checks={check: sentence}, error=sentence)
