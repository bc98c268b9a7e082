"""What is measured: never what cannot run here, never what the user decided, one thing a group."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from smolpc.schema.fit import FitSettings
from smolpc.schema.host import Cpu
from smolpc.schema.running import RunSettings
from smolpc.tune.candidates import apply, groups

cpus = st.builds(
    lambda physical, smt, performance, usable: Cpu(
        arch="x86_64",
        physical_cores=physical,
        logical_cores=physical * smt,
        performance_cores=min(performance, physical),
        usable_cores=min(usable, physical * smt),
    ),
    st.integers(1, 64),
    st.integers(1, 2),
    st.integers(0, 16),
    st.floats(0.5, 128),
)
settings = st.builds(
    lambda threads, context, ubatch, layers, flash: RunSettings(
        memory=FitSettings(context=context, ubatch=ubatch, gpu_layers=layers, flash=flash),
        threads=threads,
    ),
    st.integers(1, 64),
    st.integers(64, 131072),
    st.sampled_from([64, 128, 256, 512]),
    st.integers(0, 40),
    st.sampled_from(["auto", "on", "off"]),
)


@given(cpus, settings)
def test_every_candidate_differs_from_the_start_and_can_run_here(
    cpu: Cpu, start: RunSettings
) -> None:
    for group in groups(start, cpu, layers=41):
        assert len({str(one) for one in group.candidates}) == len(group.candidates)
        for changes in group.candidates:
            assert len(changes) == 1
            changed = apply(start, changes)
            assert changed != start
            assert changed.threads >= 1
            if "threads" in changes or "batch_threads" in changes:
                assert all(value <= max(1, int(cpu.usable_cores)) for value in changes.values())
            assert 0 <= changed.memory.gpu_layers <= max(start.memory.gpu_layers, 0)
            assert changed.memory.kv_type == start.memory.kv_type  # it would change answers


@given(cpus, settings, st.sets(st.sampled_from(["threads", "ubatch", "flash_attention"])))
def test_what_the_user_decided_is_not_measured(
    cpu: Cpu, start: RunSettings, fixed: set[str]
) -> None:
    measured = groups(start, cpu, fixed=frozenset(fixed))
    assert not fixed & {name for group in measured for one in group.candidates for name in one}


def test_only_other_cpu_libraries_than_the_loaders_choice_are_measured() -> None:
    start = RunSettings(memory=FitSettings(context=4096), threads=4)
    cpu = Cpu(arch="x86_64", physical_cores=4, logical_cores=4, usable_cores=4)
    variants = ("ggml-cpu-zen4", "ggml-cpu-icelake", "ggml-cpu-haswell")
    first = groups(start, cpu, cpu_variants=variants)[0]
    assert [one["cpu_variant"] for one in first.candidates] == list(variants[1:])


def test_a_smaller_cache_is_measured_only_when_asked_for() -> None:
    start = RunSettings(memory=FitSettings(context=4096), threads=4)
    cpu = Cpu(arch="x86_64", physical_cores=4, logical_cores=4, usable_cores=4)
    assert "cache type" not in [group.name for group in groups(start, cpu)]
    assert "cache type" in [group.name for group in groups(start, cpu, allow_kv_types=True)]


@given(cpus, settings)
def test_a_draft_model_is_measured_where_the_user_left_speculation_open(
    cpu: Cpu, start: RunSettings
) -> None:
    on_gpu = groups(start, cpu, draft="small", layers=41)
    assert ("draft model" in [one.name for one in on_gpu]) == (not start.memory.gpu_layers)
    start = msgspec.structs.replace(start, memory=FitSettings(context=4096))
    (found,) = [one for one in groups(start, cpu, draft="small") if one.name == "draft model"]
    assert found.candidates == ({"speculation": "draft", "draft_model": "small"},)
    changed = apply(start, found.candidates[0])
    assert (changed.speculation, changed.draft_model) == ("draft", "small")
    named = msgspec.structs.replace(start, draft_model="small")
    (found,) = [one for one in groups(named, cpu, draft="small") if one.name == "draft model"]
    assert found.candidates == ({"speculation": "draft"},)  # the name is the user's own
    off = msgspec.structs.replace(start, speculation="off")
    assert "draft model" not in [one.name for one in groups(off, cpu, draft="small")]
