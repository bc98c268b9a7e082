"""Promises: two runs are compared where they are alike; all else is named, with its reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from smolpc.bench.between import compare
from smolpc.schema.bench import Anchor, BenchResult, Comparison, Scenario, Variant
from smolpc.schema.host import Cpu, Host, Libc, Memory, OperatingSystem
from tests.bench import noise


def result(seed: int, *, scenarios: int = 2, slowdown: float = 1.0, **fields: Any) -> BenchResult:
    """One run with the variant "other" only; `slowdown` as in `noise.run`."""
    answers = noise.run("heavy", seed, scenarios=scenarios, slowdown=slowdown, blocks=15, drift=0.0)
    values: dict[str, Any] = {
        "id": f"run-{seed}",
        "created": "2026-11-25T00:15:00Z",
        "smolpc": "0.1.0",
        "seconds": 60.0,
        "seed": seed,
        "host": Host(
            os=OperatingSystem(system="linux", libc=Libc(name="glibc")),
            cpu=Cpu(arch="x86_64"),
            memory=Memory(total=1, available=1),
        ),
        "fingerprint": "one",
        "scenarios": tuple(
            Scenario(name=name, title="", about="", prompt="?", answer=64)
            for name in noise.names(scenarios)
        ),
        "variants": (Variant(name="other", player="llamacpp", model="m", model_sha256="a" * 64),),
        "answers": tuple(one for one in answers if one.variant == "other"),
        "anchors": tuple(Anchor(block=b, at=b, seconds=0.1) for b in range(15)),
    }
    return BenchResult(**(values | fields))


def test_the_same_twice_is_parity_in_19_of_20() -> None:
    calm = 0
    for seed in range(40):
        found, notes = compare(result(seed), result(1000 + seed))
        assert len(found) == 6 and notes == ()
        calm += {one.verdict for one in found} == {"parity"}
    assert calm >= 38


def test_a_slower_run_is_found_with_its_ratio() -> None:
    found, _ = compare(result(1), result(2, slowdown=1.1))
    assert {one.verdict for one in found} == {"worse"}
    assert {(one.base, one.variant) for one in found} == {("run-1", "other")}
    decode = next(one for one in found if one.metric == "decode")
    assert decode.ratio.median == pytest.approx(1 / 1.1, rel=0.03) and decode.ratio.count == 15


def said(base: BenchResult, new: BenchResult) -> tuple[tuple[Comparison, ...], str]:
    found, notes = compare(base, new)
    return found, "\n".join(notes)


def test_another_version_of_a_scenario_is_not_compared() -> None:
    new = result(2)
    first, second = new.scenarios
    new = msgspec.structs.replace(
        new, scenarios=(msgspec.structs.replace(first, version=2), second)
    )
    found, notes = said(result(1), new)
    assert {one.scenario for one in found} == {"s1"}
    assert "s0 is not compared: versions 1 and 2" in notes


def test_another_model_file_is_not_compared() -> None:
    new = result(2)
    other = msgspec.structs.replace(new.variants[0], model_sha256="b" * 64)
    found, notes = said(result(1), msgspec.structs.replace(new, variants=(other,)))
    assert found == () and "other is not compared: the models are different files" in notes


def test_models_without_a_digest_are_compared_by_name() -> None:
    base, new = result(1), result(2)
    plain = msgspec.structs.replace(base.variants[0], model_sha256="")
    renamed = msgspec.structs.replace(plain, model="n")
    base = msgspec.structs.replace(base, variants=(plain,))
    assert compare(base, msgspec.structs.replace(new, variants=(plain,)))[0]
    found, notes = said(base, msgspec.structs.replace(new, variants=(renamed,)))
    assert found == () and "the models are m and n" in notes


def test_what_only_one_run_has_is_named() -> None:
    _, notes = said(result(1, scenarios=3), result(2, scenarios=2))
    assert "s2 is not compared: only in the earlier run" in notes
    _, notes = said(result(1, scenarios=1), result(2, scenarios=2))
    assert "s1 is not compared: only in the later run" in notes


def test_a_machine_that_changed_is_named() -> None:
    _, notes = said(result(1), result(2, fingerprint="two"))
    assert "different machines" in notes
    slow = tuple(Anchor(block=b, at=b, seconds=0.11) for b in range(15))
    _, notes = said(result(1), result(2, anchors=slow))
    assert "the machine itself was 10% slower in the later run" in notes


def test_too_few_answers_are_unknown() -> None:
    base = result(1)
    few = msgspec.structs.replace(base, answers=base.answers[:8])
    found, _ = compare(base, few)
    assert found and {one.verdict for one in found} == {"unknown"}
    assert all(one.ratio.count == 4 and one.ratio.low is None for one in found)
