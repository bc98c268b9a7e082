"""The trust test: a binary is used only after a child process proved it (design, section 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from smolpc.runtime import probe
from smolpc.runtime.devices import missing_gpu_backends
from smolpc.runtime.probe import DATA, Report
from smolpc.schema.artifact import Artifact, TrustResult
from smolpc.schema.base import Value


class SelfCheck(Value, kw_only=True):
    """`selfcheck.json`: what a right engine computes (scripts/make_selfcheck.py).

    `tolerance` is in units of `scale`, the standard deviation of the reference logits.
    """

    format: int
    tokens: tuple[int, ...]
    tolerance: float
    scale: float
    logits: tuple[tuple[float, ...], ...]


def prove(
    artifact_dir: Path,
    artifact: Artifact,
    *,
    timeout: float = 60,
    model: Path = DATA / "selfcheck.gguf",
    reference: Path = DATA / "selfcheck.json",
) -> TrustResult:
    """Test an artifact in a child process of at most `timeout` seconds.

    `artifact` says what is expected: its `lib_dir`, `requirements.backends` and `abi`
    (empty: not compared). The verdict is `passed`, `failed`, or `inconclusive` when the
    child could not finish; only `passed` may be used.
    """
    check = msgspec.json.decode(reference.read_bytes(), type=SelfCheck)
    found = probe.run(
        artifact_dir, artifact.lib_dir, timeout=timeout, model=model, tokens=check.tokens
    )
    return found if isinstance(found, TrustResult) else judge(found, artifact, check)


def judge(found: Report, artifact: Artifact, check: SelfCheck) -> TrustResult:
    """The verdict over a child's report: every check has a sentence, failed or not."""
    checks: dict[str, str] = {}
    problems: list[str] = []

    def add(name: str, wrong: str, right: str) -> None:
        checks[name] = wrong or right
        if wrong:
            problems.append(wrong)

    if found.error:
        add("engine", found.error, "")
    else:
        add("libraries", _libraries(found), "every library loads")
    if not artifact.spec.bindings_sha256:
        checks["logits"] = "not checked: this engine has no bindings to compute through"
    elif not found.error:
        add("devices", _devices(found, artifact), f"{len(found.devices)} registered as expected")
        add("abi", _abi(found, artifact), "the bindings fit the engine")
        worst = max(_errors(found, check).values(), default=float("inf"))
        add("logits", _logits(found, check), f"largest error {worst:.4f} of {check.tolerance}")
    return TrustResult(
        verdict="failed" if problems else "passed",
        checks=checks,
        devices=tuple(f"{device.name} ({device.description})" for device in found.devices),
        error="; ".join(problems),
    )


def _libraries(found: Report) -> str:
    return "; ".join(f"{name}: {why}" for name, why in found.broken_libraries.items())


def _devices(found: Report, artifact: Artifact) -> str:
    if missing := missing_gpu_backends(artifact.requirements.backends, found.devices):
        return f"GPU silently not used: {', '.join(missing)} registered no device"
    if not any(device.kind == "cpu" for device in found.devices):
        return "no CPU backend was registered"
    return ""


def _abi(found: Report, artifact: Artifact) -> str:
    wrong = [
        f"{entry} is {found.abi.get(entry)} in the bindings, {number} in the engine"
        for entry, number in artifact.abi.items()
        if found.abi.get(entry) != number
    ]
    return "; ".join(wrong + list(found.wrong_defaults))


def _errors(found: Report, check: SelfCheck) -> dict[str, float]:
    """Run -> largest difference to the reference, in units of `check.scale`."""
    return {run: _largest_error(rows, check) for run, rows in found.logits.items()}


def _largest_error(rows: dict[int, Any], check: SelfCheck) -> float:
    pairs = [
        (value, expected)
        for position, row in rows.items()
        for value, expected in zip(row, check.logits[position], strict=True)
    ]
    differences = [abs(value - expected) for value, expected in pairs]
    # No number at all is as wrong as can be; and max() would pass over a NaN.
    finite = differences and all(difference < float("inf") for difference in differences)
    return max(differences) / check.scale if finite else float("inf")


def _logits(found: Report, check: SelfCheck) -> str:
    if not found.logits:
        return "the engine computed nothing"
    return "; ".join(
        f"wrong results on the {run}: the error is {error:.3f}, tolerated is {check.tolerance}"
        for run, error in _errors(found, check).items()
        if not error <= check.tolerance
    )
