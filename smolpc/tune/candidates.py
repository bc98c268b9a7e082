"""What is worth measuring on a machine, most promising first.

A group changes one thing, so that a gain has one cause. Groups come in the order of what
they usually bring; each starts from what the groups before it have found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from smolpc.schema.base import Value
from smolpc.schema.fit import FitSettings
from smolpc.schema.host import Cpu
from smolpc.schema.running import RunSettings

Changes = dict[str, Any]  # name of a setting -> value
# Which seconds must get fewer; "text": of an answer to a real question, guesses included.
Goal = Literal["decode", "prompt", "both", "text"]

UBATCHES = (512, 1024, 256, 128)  # tokens computed at once while reading the prompt
AROUND = (1, 2, 4)  # GPU layers fewer than what fits
KV_TYPES = ("q8_0",)
FIELDS = {"flash": "flash_attention"}  # of FitSettings, where the setting has another name


class Group(Value, kw_only=True):
    """Settings that are measured against each other and the default."""

    name: str
    goal: Goal
    candidates: tuple[Changes, ...]


def apply(settings: RunSettings, changes: Mapping[str, Any]) -> RunSettings:
    """`settings` with some values changed, also those of its `memory`."""
    inside = {FIELDS.get(field, field): field for field in FitSettings.__struct_fields__}
    memory = {inside[name]: value for name, value in changes.items() if name in inside}
    own = {name: value for name, value in changes.items() if name not in inside}
    return msgspec.structs.replace(
        settings, memory=msgspec.structs.replace(settings.memory, **memory), **own
    )


def groups(
    settings: RunSettings,
    cpu: Cpu,
    *,
    cpu_variants: Sequence[str] = (),
    layers: int = 0,
    allow_kv_types: bool = False,
    draft: str = "",
    fixed: frozenset[str] = frozenset(),
) -> tuple[Group, ...]:
    """Everything to measure for a start of `settings`.

    `cpu_variants`: CPU libraries of an all-variants engine that this processor can run, the
    loader's own choice first. `layers`: of the model, the output layer counted.
    `allow_kv_types`: the user asked for a smaller cache, which changes answers a little.
    `draft`: an installed model that may guess tokens for this one.
    `fixed`: settings that the user chose, which are not measured.
    """
    memory = settings.memory
    made = [
        _group("CPU library", "both", "cpu_variant", cpu_variants[1:]),
        _group("threads", "decode", "threads", _threads(settings.threads, cpu)),
        _group("GPU layers", "both", "gpu_layers", _gpu_layers(memory.gpu_layers, layers)),
        _group(
            "threads for prompts",
            "prompt",
            "batch_threads",
            _threads(settings.batch_threads or settings.threads, cpu),
        ),
        _group(
            "micro-batch",
            "prompt",
            "ubatch",
            [size for size in UBATCHES if size != memory.ubatch and size <= memory.context],
        ),
        _group(
            "flash attention",
            "both",
            "flash_attention",
            ["off"] if memory.flash != "off" else ["on"],
        ),
    ]
    if draft and settings.speculation == "auto" and not memory.gpu_layers:  # see `Guessing`
        named = {} if settings.draft_model else {"draft_model": draft}
        pair = {"speculation": "draft", **named}
        made.append(Group(name="draft model", goal="text", candidates=(pair,)))
    if allow_kv_types:
        kinds = [kind for kind in KV_TYPES if kind != memory.kv_type]
        made.append(_group("cache type", "both", "kv_type", kinds))
    return tuple(
        group for group in made if group.candidates and not fixed & group.candidates[0].keys()
    )


def _group(name: str, goal: Goal, field: str, values: Sequence[Any]) -> Group:
    return Group(name=name, goal=goal, candidates=tuple({field: value} for value in values))


def _threads(now: int, cpu: Cpu) -> list[int]:
    """Other thread counts that may be faster, never more than the processors usable here."""
    most = max(1, int(cpu.usable_cores))
    cores = cpu.performance_cores or cpu.physical_cores
    wanted = [
        cores - 1,  # one for the desktop
        cpu.physical_cores,  # with the efficiency cores
        cpu.logical_cores,  # both threads of a core
        cores + 1,
        cores * 3 // 4,
        cores // 2,  # memory may be saturated by half of them
    ]
    kept = [count for count in wanted if 1 <= count <= most and count != now]
    return list(dict.fromkeys(kept))


def _gpu_layers(now: int, layers: int) -> list[int]:
    """Fewer layers than fit, and none: an integrated GPU may be slower than the processor."""
    if not now:
        return []
    fewer = [now - step for step in AROUND if now - step > 0] if now < layers else []
    return [0, *fewer]
