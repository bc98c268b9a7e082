"""The verdict: what counts as passed, failed and inconclusive."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from pytest_subprocess import FakeProcess

from smolpc.runtime.devices import Device
from smolpc.runtime.probe import Report
from smolpc.runtime.trust import DATA, SelfCheck, judge, prove
from smolpc.runtime.trust_child import MARKER
from smolpc.schema.artifact import Artifact, Requirements
from smolpc.schema.spec import BuildSpec

CHECK = msgspec.json.decode((DATA / "selfcheck.json").read_bytes(), type=SelfCheck)
CPU = Device(
    name="CPU", description="a CPU", backend="cpu", kind="cpu", memory_total=1, memory_free=1
)
ROWS = dict(enumerate(CHECK.logits))
GOOD = Report(error="", devices=(CPU,), abi={"llama_batch": 56}, logits={"processor": ROWS})


def artifact(
    *backends: str, abi: dict[str, int] | None = None, bindings: str = "c" * 64
) -> Artifact:
    """An artifact of which only what the trust test reads has a meaning."""
    words = {"engine", "version", "commit", "tree_sha256", "triple"}
    words |= {"libc_floor", "linker", "cmake_version", "generator"}
    spec = msgspec.convert(
        {"bindings_sha256": bindings}
        | {
            field.name: "" if field.name in words else {} if "dict" in str(field.type) else ()
            for field in msgspec.structs.fields(BuildSpec)
            if field.required and field.name != "bindings_sha256"
        },
        BuildSpec,
    )
    return Artifact(
        key="a" * 64,
        spec=spec,
        profile="test",
        content_digest="b" * 64,
        files={},
        lib_dir="lib",
        requirements=Requirements(system="linux", arch="x86_64", backends=backends),
        cmake_cache={},
        compilers={},
        abi=abi or {},
    )


def changed(**changes: object) -> Report:
    return msgspec.structs.replace(GOOD, **changes)


def test_a_right_engine_passes_and_every_check_has_a_sentence() -> None:
    result = judge(GOOD, artifact("cpu", abi={"llama_batch": 56}), CHECK)
    assert result.verdict == "passed"
    assert set(result.checks) == {"libraries", "devices", "abi", "logits"}
    assert all(result.checks.values())
    assert result.devices == ("CPU (a CPU)",)


@pytest.mark.parametrize("value", [5.0, float("nan"), float("inf"), None])
def test_one_wrong_logit_fails(value: float | None) -> None:
    row = list(CHECK.logits[-1])
    row[7] += 0.5 if value is None else value
    rows = {**ROWS, len(ROWS) - 1: tuple(row)}
    result = judge(changed(logits={"GPU, 1 at once": rows}), artifact("cpu"), CHECK)
    assert result.verdict == "failed"
    assert "GPU, 1 at once" in result.error


def test_no_logits_at_all_is_no_pass() -> None:
    assert judge(changed(logits={}), artifact("cpu"), CHECK).verdict == "failed"


def test_without_bindings_the_result_says_what_was_not_checked() -> None:
    result = judge(Report(error=""), artifact("cpu", bindings=""), CHECK)
    assert result.verdict == "passed"
    assert "not checked" in result.checks["logits"]


def test_missing_bindings_that_were_expected_are_no_pass() -> None:
    assert judge(Report(error=""), artifact("cpu"), CHECK).verdict == "failed"


def test_a_gpu_that_silently_fell_back_fails() -> None:
    result = judge(GOOD, artifact("cpu", "cuda"), CHECK)
    assert result.verdict == "failed"
    assert "GPU silently not used" in result.error


@pytest.mark.parametrize(
    "found",
    [
        changed(abi={"llama_batch": 48}),
        changed(wrong_defaults=("llama_context_params.n_ctx reads 7, not 512",)),
        changed(broken_libraries={"libggml-cuda.so": "libcuda.so.1: not found"}),
        changed(devices=()),
        Report(error="the engine's libraries do not load"),
    ],
)
def test_every_other_problem_fails_too(found: Report) -> None:
    result = judge(found, artifact("cpu", abi={"llama_batch": 56}), CHECK)
    assert result.verdict == "failed"
    assert result.error


@pytest.mark.parametrize(
    ("code", "verdict", "words"),
    [
        (-4, "failed", "illegal instruction"),
        (0xC000001D, "failed", "illegal instruction"),
        (-1073741795, "failed", "illegal instruction"),
        (-11, "failed", "segmentation fault"),
        (-9, "inconclusive", "code -9"),
        (1, "inconclusive", "code 1"),
        (0, "inconclusive", "code 0"),
    ],
)
def test_how_the_child_ends_decides(fp: FakeProcess, code: int, verdict: str, words: str) -> None:
    fp.register([fp.any()], returncode=code, stdout="some noise\n")
    result = prove(Path("somewhere"), artifact("cpu"))
    assert result.verdict == verdict
    assert words in result.error


def test_the_report_is_found_among_what_the_engine_prints(fp: FakeProcess) -> None:
    line = MARKER + msgspec.json.encode(GOOD).decode()
    fp.register([fp.any()], stdout=f"ggml: found 1 device\n{line}\nbye\n")
    assert prove(Path("somewhere"), artifact("cpu")).verdict == "passed"


def test_a_full_report_of_a_child_that_then_crashed_is_no_pass(fp: FakeProcess) -> None:
    fp.register([fp.any()], returncode=-11, stdout=MARKER + msgspec.json.encode(GOOD).decode())
    assert prove(Path("somewhere"), artifact("cpu")).verdict == "failed"


def test_the_shipped_self_check_is_complete() -> None:
    assert len(CHECK.logits) == len(CHECK.tokens)
    assert (DATA / "selfcheck.gguf").stat().st_size < 700_000
