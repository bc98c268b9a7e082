"""The settings a model runs with: the user's win or fail loudly, and each has a reason."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.errors import PrerequisiteError, SmolpcError, UsageError
from smolpc.plan import placing
from smolpc.plan.fit import estimate, reserved
from smolpc.plan.running import NAMES, choose
from smolpc.schema.config_report import LayerName, Plain, Setting
from smolpc.schema.fit import Device, Shape
from smolpc.schema.host import Cpu
from smolpc.schema.running import RunSettings
from smolpc.schema.running_report import Running
from smolpc.schema.tuning import Tuned, TunedValue
from tests.machines import hosts
from tests.plan.fit.residuals import synthetic
from tests.plan.fit.test_search import AMOUNTS, GB, SHAPES, machine

CPU = hosts()["ryzen-5600g-radeon-ubuntu24"].cpu  # 6 cores, 12 threads
HEX = "0" * 64
MEMORY = {"flash_attention": "flash"}  # settings that have another name in RunSettings.memory


def wish(layer: LayerName = "user", **values: Plain) -> dict[str, Setting]:
    return {
        name: Setting(name=name, value=value, origin=f"the {layer}", layer=layer)
        for name, value in values.items()
    }


def tuned(**values: Plain) -> Tuned:
    made = tuple(
        TunedValue(setting=name, value=value, rate="both", gain=0.12)
        for name, value in values.items()
    )
    return Tuned(host=HEX, artifact=HEX, model=HEX, created="2026-01-01", values=made)


def used(running: Running, name: str) -> Plain:
    if hasattr(running.settings, name):
        value = getattr(running.settings, name)
        return " ".join(value) or "none" if name == "devices" else value
    found: Plain = getattr(running.settings.memory, MEMORY.get(name, name))
    return found


def why(running: Running, name: str) -> str:
    return next(one.why for one in running.reasons if one.setting == name)


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "context": st.sampled_from([256, 2048, 8192, 30000, 200_000]),
        "gpu_layers": st.sampled_from([0, 1, 7, 999]),
        "cpu_experts": st.sampled_from([0, 3]),
        "kv_type": st.sampled_from(["f16", "q8_0", "q4_0", "nonsense"]),
        "batch": st.sampled_from([32, 512, 4096]),
        "ubatch": st.sampled_from([16, 512, 1024]),
        "flash_attention": st.sampled_from(["on", "off"]),
        "threads": st.sampled_from([1, 5, 64]),
        "batch_threads": st.sampled_from([2, 99]),
        "devices": st.sampled_from(["none", "gpu0", "GPU1 GPU0", "CUDA7"]),
        "speculation": st.sampled_from(["off", "ngram", "draft"]),
        "draft_model": st.just("small"),
    },
)


@settings(max_examples=150)
@given(SHAPES, AMOUNTS, st.lists(AMOUNTS, max_size=2), WISHES)
def test_what_the_user_says_counts_or_is_refused(
    shape: Shape, cpu: int, gpus: list[int], values: dict[str, Plain]
) -> None:
    try:
        running = choose(shape, machine(cpu, *gpus), CPU, wish(**values))
    except SmolpcError as error:
        assert isinstance(error, UsageError | PrerequisiteError)
        assert error.next_step and error.what
        assert values or isinstance(error, PrerequisiteError)
        return
    for name, value in values.items():
        got = used(running, name)
        if name == "devices":
            assert set(running.settings.devices) <= set(str(value).upper().split())
        elif name == "context" and got != value:
            assert got == shape.trained_context
            assert any(f"from {value} to {got}" in note for note in running.notes)
        elif name == "cpu_experts" and got != value:  # without layers on a GPU all are there
            assert running.settings.memory.gpu_layers == 0
        elif name == "gpu_layers" and got != value:
            assert got == len(shape.layers) + 1
        elif "threads" in name and got != value:
            assert got == 12
            assert any(f"{value} threads" in note for note in running.notes)
        else:
            assert got == value
        reason = next(one for one in running.reasons if one.setting == name)
        assert (reason.layer, reason.origin) == ("user", "the user")


@settings(max_examples=60)
@given(SHAPES, AMOUNTS, st.lists(AMOUNTS, max_size=2), st.integers(1, 2))
def test_every_value_has_a_reason(shape: Shape, cpu: int, gpus: list[int], cores: int) -> None:
    try:
        running = choose(shape, machine(cpu, *gpus), Cpu(arch="x86_64", usable_cores=cores))
    except PrerequisiteError:
        return
    names = [one.setting for one in running.reasons]
    assert len(set(names)) == len(names)
    assert set(NAMES) <= set(names)
    fields = {*RunSettings.__struct_fields__, "full_window", "split"} - {"memory"}
    assert {name for name in fields if not name.startswith("prompt_cache")} <= set(names)
    for one in running.reasons:
        assert one.why and "\n" not in one.why
        if one.setting != "split":
            assert one.value == used(running, one.setting)


@settings(max_examples=60)
@given(SHAPES, AMOUNTS, AMOUNTS, st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=2))
def test_more_memory_never_makes_it_worse(
    shape: Shape, one: int, other: int, gpus: list[tuple[int, int]]
) -> None:
    low = machine(min(one, other), *(min(pair) for pair in gpus))
    high = machine(max(one, other), *(max(pair) for pair in gpus))
    try:
        before = choose(shape, low, CPU)
    except PrerequisiteError:
        return
    after = choose(shape, high, CPU)  # does not raise
    assert placing.rank(after.choice) <= placing.rank(before.choice)
    few, many = before.settings.memory, after.settings.memory
    # A shorter context is given up before layers, and before experts, on the GPU; and rather that
    # than a tight fit, which more memory may make avoidable.
    same = before.choice.verdict == after.choice.verdict
    if same and (few.gpu_layers, few.cpu_experts) == (many.gpu_layers, many.cpu_experts):
        assert many.context >= few.context


def test_measured_layers_never_refuse_a_model_that_runs_without_them() -> None:
    shape, short = synthetic()["qwen2-7b-q4_k_m"], machine(3 * GB, 2 * GB)
    plain = choose(shape, short, CPU)
    running = choose(shape, short, CPU, None, tuned(gpu_layers=20))
    assert running.settings.memory == plain.settings.memory
    assert any("gpu_layers 20" in note for note in running.notes)


def test_the_default_context_is_large_only_where_the_cache_stays_small() -> None:
    roomy = machine(60 * GB)
    found = {
        name: choose(synthetic()[name], roomy, CPU).settings.memory.context
        for name in ("qwen2-0.5b-q4_k_m", "qwen2-7b-q4_k_m")
    }
    assert found == {"qwen2-0.5b-q4_k_m": 8192, "qwen2-7b-q4_k_m": 8192}
    dense = synthetic()["qwen2-7b-q4_k_m"]
    many_heads = msgspec.structs.replace(
        dense, layers=tuple(msgspec.structs.replace(x, kv_heads=28) for x in dense.layers)
    )
    assert choose(many_heads, roomy, CPU).settings.memory.context == 4096
    short = msgspec.structs.replace(dense, trained_context=2048)
    assert choose(short, roomy, CPU).settings.memory.context == 2048


def test_threads_are_real_cores_never_more_than_processors() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    assert choose(shape, here, CPU).settings.threads == 6
    limited = msgspec.structs.replace(CPU, usable_cores=2.5)
    running = choose(shape, here, limited)
    assert (running.settings.threads, running.settings.batch_threads) == (2, 2)
    assert "2.5" in why(running, "threads")


def test_measured_values_count_above_defaults_and_below_the_users() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    found = tuned(threads=4, ubatch=256, speculation="off", cpu_variant="ggml-cpu-icelake")
    running = choose(shape, here, CPU, wish(threads=5), found)
    assert (running.settings.threads, running.settings.memory.ubatch) == (5, 256)
    assert running.settings.speculation == "off"
    assert running.settings.cpu_variant == "ggml-cpu-icelake"
    layers = {one.setting: one.layer for one in running.reasons}
    assert (layers["threads"], layers["ubatch"], layers["batch"]) == ("user", "tuned", "default")
    assert "12%" in why(running, "ubatch")


def test_a_measurement_never_shortens_the_context() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    assert choose(shape, here, CPU, None, tuned(context=512)).settings.memory.context == 8192


def test_a_cache_type_that_was_measured_because_the_user_asked_for_it_is_used() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    running = choose(shape, here, CPU, None, tuned(kv_type="q8_0"))
    assert (running.settings.memory.kv_type, running.notes) == ("q8_0", ())
    (reason,) = [one for one in running.reasons if one.setting == "kv_type"]
    assert (reason.layer, reason.origin) == ("tuned", "smolpc tune")
    assert "12%" in reason.why and "you asked" in reason.why and "--kv-types" in reason.why


def test_a_measured_cache_type_is_used_where_memory_is_short_too() -> None:
    shape, tight = synthetic()["qwen2-7b-q4_k_m"], machine(3 * GB, 3 * GB)
    alone = choose(shape, tight, CPU, None, tuned(kv_type="q8_0"))
    other = choose(shape, tight, CPU, None, tuned(kv_type="q8_0", gpu_layers=29))
    assert alone.settings.memory == other.settings.memory
    assert alone.settings.memory.kv_type == "q8_0"
    assert not any("kv_type" in note for note in (*alone.notes, *other.notes))
    assert any("gpu_layers 29" in note for note in other.notes)


@pytest.mark.parametrize(
    ("values", "said"), [({"kv_type": "f16"}, []), ({"flash_attention": "off"}, ["kv_type q8_0"])]
)
def test_a_measured_cache_type_gives_way(values: dict[str, Plain], said: list[str]) -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    running = choose(shape, here, CPU, wish(**values), tuned(kv_type="q8_0"))
    assert running.settings.memory.kv_type == "f16"
    assert [note.partition(" was measured")[0] for note in running.notes] == said
    assert all(used(running, name) == value for name, value in values.items())


def test_a_measured_value_that_does_not_go_with_a_wish_is_left_out_and_that_is_said() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    found = tuned(flash_attention="off", ubatch=256)
    assert choose(shape, here, CPU, None, found).settings.memory.flash == "off"
    running = choose(shape, here, CPU, wish(kv_type="q8_0"), found)
    memory = running.settings.memory
    assert (memory.kv_type, memory.flash, memory.ubatch) == ("q8_0", "auto", 256)
    (note,) = running.notes
    assert "flash_attention off" in note and "q8_0" in note and "not used" in note


def test_measured_guesses_are_left_out_when_the_draft_model_is_no_longer_named() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    found = tuned(speculation="draft", threads=4)  # the draft model was a setting of the user
    named = choose(shape, here, CPU, wish(draft_model="small"), found)
    assert (named.settings.speculation, named.settings.draft_model) == ("draft", "small")
    both = choose(shape, here, CPU, None, tuned(speculation="draft", draft_model="small"))
    assert (both.settings.speculation, both.settings.draft_model) == ("draft", "small")
    running = choose(shape, here, CPU, None, found)
    assert (running.settings.speculation, running.settings.threads) == ("auto", 4)
    (note,) = running.notes
    assert "speculation draft" in note and "draft model" in note and "not used" in note


def test_a_measured_draft_model_that_was_removed_is_said() -> None:
    shape, here = synthetic()["qwen2-0.5b-q4_k_m"], machine(60 * GB)
    gone = msgspec.structs.replace(tuned(threads=4), lost=("small",))
    running = choose(shape, here, CPU, None, gone)
    assert running.settings.threads == 4
    (note,) = running.notes
    assert "smolpc models.pull small" in note and "smolpc tune" in note
    assert choose(shape, here, CPU, wish(draft_model="other"), gone).notes == ()


def test_a_measured_value_that_does_not_fit_today_is_left_out_and_that_is_said() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    roomy, close = machine(32 * GB, 24 * GB), machine(32 * GB, 2 * GB)
    found = tuned(gpu_layers=29, threads=3)
    assert choose(shape, roomy, CPU, None, found).settings.memory.gpu_layers == 29
    running = choose(shape, close, CPU, None, found)
    assert running.settings.memory.gpu_layers < 29
    assert running.settings.threads == 3
    assert any("gpu_layers 29" in note for note in running.notes)
    alone = choose(shape, machine(32 * GB), CPU, None, found)  # the card was taken out
    assert alone.settings.memory.gpu_layers == 0


@pytest.mark.parametrize(
    ("layer", "undo"),
    [("user", "config.unset context"), ("command line", "--context"), ("project", "remove")],
)
def test_a_context_that_does_not_fit_is_refused_with_numbers(layer: LayerName, undo: str) -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    with pytest.raises(PrerequisiteError, match="context 32768") as caught:
        choose(shape, machine(GB), CPU, wish(layer, context=32768))
    assert "GB" in caught.value.why
    assert undo in caught.value.next_step


def test_a_context_too_small_for_work_is_said_and_a_useful_one_only_explained() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    needed = choose(shape, machine(60 * GB), CPU).choice.estimate.total
    margin = 64 * GB // 20
    useful = choose(shape, machine(needed + margin - 100_000_000), CPU)
    assert 4096 <= useful.settings.memory.context < 8192
    assert useful.notes == ()
    assert "does not fit" in why(useful, "context")
    small = choose(shape, machine(needed - 700_000_000), CPU)
    assert small.settings.memory.context < 4096
    assert any("tokens instead of 8192" in note for note in small.notes)


def test_what_would_fit_is_said() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    with pytest.raises(PrerequisiteError) as caught:
        choose(shape, machine(32 * GB, 2 * GB), CPU, wish(gpu_layers=29))
    assert "left to smolpc" in caught.value.why


def test_weights_that_do_not_fit_are_a_note_because_they_are_mapped() -> None:
    running = choose(synthetic()["qwen2-7b-q4_k_m"], machine(3 * GB), CPU)
    assert running.choice.verdict == "does-not-fit"
    assert any("read from the disk" in note for note in running.notes)


def test_no_memory_at_all_is_an_error() -> None:
    with pytest.raises(PrerequisiteError, match="does not fit"):
        choose(synthetic()["qwen2-7b-q4_k_m"], machine(10_000_000), CPU)


def test_windows_are_kept_whole_while_memory_lasts() -> None:
    shape = synthetic()["gemma3-1b-q4_k_m"]
    asked = wish(context=32768)
    roomy = choose(shape, machine(16 * GB), CPU, asked)
    assert roomy.settings.memory.full_window
    least = msgspec.structs.replace(roomy.settings.memory, ubatch=64)
    needed = estimate(shape, least, machine(16 * GB)).total
    close = choose(shape, machine(needed - 10_000_000), CPU, asked)
    assert not close.settings.memory.full_window
    assert close.choice.estimate.total < needed
    assert any("read again" in note for note in close.notes)


def test_devices_are_those_that_were_named() -> None:
    shape, here = synthetic()["qwen2-7b-q4_k_m"], machine(32 * GB, 24 * GB, 24 * GB)
    assert choose(shape, here, CPU).settings.devices == ("GPU0",)
    assert choose(shape, here, CPU, wish(devices="gpu1")).settings.devices == ("GPU1",)
    none = choose(shape, here, CPU, wish(devices="none"))
    assert (none.settings.devices, none.settings.memory.gpu_layers) == ((), 0)
    with pytest.raises(UsageError, match="cuda9") as caught:
        choose(shape, here, CPU, wish(devices="CUDA9"))
    assert "GPU0, GPU1" in caught.value.why


@pytest.mark.parametrize(
    "values",
    [{"gpu_layers": 5}, {"speculation": "draft"}, {"kv_type": "q8_0", "flash_attention": "off"}],
)
def test_wishes_that_cannot_be_are_refused(values: dict[str, Plain]) -> None:
    with pytest.raises(UsageError):
        choose(synthetic()["qwen2-7b-q4_k_m"], machine(32 * GB), CPU, wish(**values))


def test_memory_reserved_for_the_desktop_is_not_used() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    here = machine(32 * GB, 6 * GB)
    assert choose(shape, here, CPU).settings.memory.gpu_layers == 29
    kept = choose(shape, reserved(here, 3 * GB), CPU)
    assert kept.settings.memory.gpu_layers < 29
    shared = (*here[:1], msgspec.structs.replace(here[1], shared=True))
    assert reserved(shared, 3 * GB) == shared
    assert isinstance(here[1], Device)
