"""The settings that a model runs with, and the reason of each, in words. Pure.

The user's settings win, or fail loudly. Beneath them stand values that `smolpc tune` measured
to be faster here, beneath those what fits (`plan.placing`). What changes the answers, such as
quantized keys and values, happens only when it was asked for, in the settings or for a measurement
(`tune --kv-types`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smolpc.errors import UsageError
from smolpc.plan import cores, placing
from smolpc.plan.reasons import Words
from smolpc.schema.config_report import Plain, Setting
from smolpc.schema.fit import Choice, Device, Shape
from smolpc.schema.host import Cpu
from smolpc.schema.running import RunSettings
from smolpc.schema.running_report import Reason, Running
from smolpc.schema.tuning import Tuned, TunedValue

MEMORY = ("context", "gpu_layers", "cpu_experts", "kv_type", "batch", "ubatch", "flash_attention")
NAMES = (*MEMORY, "threads", "batch_threads", "devices", "speculation", "draft_model")
UNDO = {
    "machine": "smolpc config.set {name} auto   (over {origin})",
    "user": "smolpc config.unset {name}",
    "project": "remove '{name}' from {origin}",
    "environment": "unset the {origin}",
    "command line": "leave out --{flag}",
    "the program": "change {name} in the program",
}
Wishes = Mapping[str, Setting]


def choose(
    shape: Shape,
    devices: Sequence[Device],
    cpu: Cpu,
    wishes: Wishes | None = None,
    tuned: Tuned | None = None,
) -> Running:
    """The settings for a model of this shape on these devices (one CPU, the engine's GPUs).

    `wishes`: the settings out of `NAMES` that the user made, by name. Raises UsageError for
    wishes that make no sense here, PrerequisiteError when the memory surely does not suffice;
    both say which wish, and how to undo it.
    """
    asked = {name: wish for name, wish in (wishes or {}).items() if name in NAMES}
    usable = _usable(devices, asked.get("devices"))
    _check(usable, asked)
    measured = {
        one.setting: one
        for one in (tuned.values if tuned else ())
        if one.setting not in asked and one.setting != "context"  # a short one is always faster
    }
    measured, against = _agreeing(shape, asked, measured)
    choice, measured, dropped = _placed(shape, usable, asked, measured)
    undo = {f"{name} {wish.value}": _undo(wish) for name, wish in asked.items() if name in MEMORY}
    short = placing.require_room(choice, shape, usable, undo)
    values: dict[str, Any] = {name: one.value for name, one in measured.items()}
    values |= {name: wish.value for name, wish in asked.items()}
    threads, cut = _threads(values.get("threads", 0) or cores.default_threads(cpu), cpu)
    batch_threads, also_cut = _threads(values.get("batch_threads", 0) or threads, cpu)
    used = {use.device for use in choice.estimate.devices}
    settings = RunSettings(
        memory=choice.estimate.settings,
        threads=threads,
        batch_threads=batch_threads,
        speculation=values.get("speculation", "auto"),
        draft_model=values.get("draft_model", ""),
        devices=tuple(one.name for one in usable if one.kind != "cpu" and one.name in used),
        cpu_variant=values.get("cpu_variant", ""),
    )
    words = Words(shape, usable, cpu, settings, choice)
    notes = (
        words.cut_context(values["context"]) if "context" in asked else words.small_context(),
        *against,
        *(_lost(name) for name in (tuned.lost if tuned and "draft_model" not in asked else ())),
        dropped,
        short,
        f"memory is tight: {choice.why}" if choice.verdict == "tight" else "",
        words.window() if not settings.memory.full_window else "",
        cut,
        also_cut,
    )
    return Running(
        settings=settings,
        choice=choice,
        reasons=tuple(_reason(name, words, asked, measured) for name in words.values),
        notes=tuple(dict.fromkeys(note for note in notes if note)),
    )


def _usable(devices: Sequence[Device], wish: Setting | None) -> tuple[Device, ...]:
    """The CPU, and the GPUs that the user allows."""
    if wish is None:
        return tuple(devices)
    words = str(wish.value).replace(",", " ").lower().split()
    if words in (["none"], ["cpu"]):
        return tuple(device for device in devices if device.kind == "cpu")
    known = {device.name.lower(): device for device in devices if device.kind != "cpu"}
    for word in words:
        if word not in known:
            raise UsageError(
                f"there is no device '{word}' (devices, from {wish.origin})",
                why=f"the GPUs here are: {', '.join(one.name for one in known.values()) or 'none'}",
                next_step=_undo(wish),
            )
    return tuple(one for one in devices if one.kind == "cpu" or one.name.lower() in words)


def _check(devices: Sequence[Device], asked: Wishes) -> None:
    """Raise UsageError for wishes that cannot be, whatever the memory."""
    layers, draft = asked.get("gpu_layers"), asked.get("speculation")
    if layers is not None and layers.value and len(devices) == 1:
        raise UsageError(
            f"there is no GPU for gpu_layers {layers.value} (from {layers.origin})",
            why="the engine of this machine sees none, or devices leaves them out",
            next_step=_undo(layers),
        )
    if draft is not None and draft.value == "draft" and "draft_model" not in asked:
        raise UsageError(
            f"speculation 'draft' (from {draft.origin}) needs a draft model",
            why="a small model of the same family drafts what the large one checks",
            next_step="smolpc config.set draft_model NAME   (of an installed model)",
        )


def _agreeing(
    shape: Shape, asked: Wishes, measured: Mapping[str, TunedValue]
) -> tuple[dict[str, TunedValue], list[str]]:
    """The measured values that go with what the user asked for, and a note for each other one."""
    values: dict[str, Plain] = {name: wish.value for name, wish in asked.items()}
    kept, notes = dict[str, TunedValue](), list[str]()
    named = "draft_model" in asked or "draft_model" in measured
    for name, one in measured.items():
        why = placing.refused(shape, {**values, name: one.value})
        if name == "speculation" and one.value == "draft" and not named:
            why = "no draft model is named any more"
        if why:
            notes.append(_not_used({name: one.value}, why))
        else:
            kept[name], values[name] = one, one.value
    return kept, notes


def _placed(
    shape: Shape, devices: Sequence[Device], asked: Wishes, measured: dict[str, TunedValue]
) -> tuple[Choice, dict[str, TunedValue], str]:
    """The choice, the measured values that it uses, and a note when it cannot use them."""
    fixed = {name: asked[name].value for name in MEMORY if name in asked}
    faster = {name: one.value for name, one in measured.items() if name in MEMORY}
    if "kv_type" in faster:  # it was asked for, and takes less memory: it always fits
        fixed["kv_type"] = faster.pop("kv_type")
    plain = placing.place(shape, devices, fixed)
    if not faster:
        return plain, measured, ""
    if not faster.get("gpu_layers") or len(devices) > 1:
        choice = placing.place(shape, devices, {**faster, **fixed})
        shorter = choice.estimate.settings.context < plain.estimate.settings.context
        if choice.verdict in {"fits", plain.verdict} - {"does-not-fit"} and not shorter:
            return choice, measured, ""
    left = {name: one for name, one in measured.items() if name not in faster}
    return plain, left, _not_used(faster, "does not fit now")


def _not_used(values: Mapping[str, Plain], why: str) -> str:
    """A note about values that were measured and do not count."""
    said = " and ".join(f"{name} {value}" for name, value in values.items())
    return f"{said} was measured to be faster, but {why}: not used"


def _lost(draft: str) -> str:
    return (
        f"the draft model {draft}, with which this model was measured as faster, is not here any"
        f" more: smolpc models.pull {draft}, or measure again: smolpc tune"
    )


def _threads(asked: int, cpu: Cpu) -> tuple[int, str]:
    """The threads to use, and a note when that is fewer than were asked for."""
    most = cores.most_threads(cpu)
    if asked <= most:
        return asked, ""
    return most, f"{asked} threads were asked for, {most} are used: one per processor"


def _reason(name: str, words: Words, asked: Wishes, measured: Mapping[str, TunedValue]) -> Reason:
    value = words.values[name]
    if name in asked:
        wish = asked[name]
        why = words.of_wish(name, wish.value)
        return Reason(setting=name, value=value, layer=wish.layer, origin=wish.origin, why=why)
    if name in measured:
        one = measured[name]
        what = {"decode": "answers", "prompt": "reads prompts", "both": "reads and answers"}
        why = f"measured here: it {what[one.rate]} {one.gain:.0%} faster than by default"
        if name == "kv_type":
            why += "; it changes answers a little, you asked to try it (tune --kv-types)"
        return Reason(setting=name, value=value, layer="tuned", origin="smolpc tune", why=why)
    why = words.of_default(name)
    return Reason(setting=name, value=value, layer="default", origin="default", why=why)


def _undo(wish: Setting) -> str:
    form = UNDO.get(wish.origin) or UNDO.get(wish.layer, "change {name}")
    return form.format(name=wish.name, origin=wish.origin, flag=wish.name.replace("_", "-"))
