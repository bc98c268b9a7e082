"""The memory side of the choice: context, batch and layers that fit, within what is fixed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from smolpc.errors import PrerequisiteError, UsageError
from smolpc.plan import fit
from smolpc.plan.fit import budget
from smolpc.plan.fit.cache import layer_cache, loadable
from smolpc.schema.fit import Choice, Device, FitSettings, Shape

SMALL, LARGE = 4096, 8192  # tokens of context that nobody asked for
CACHE_SHARE = 4  # LARGE is taken where its cache is at most this part of the weights: 1/4
GB = 1e9
Fixed = Mapping[str, Any]  # setting -> value that must be kept


def default_context(shape: Shape, kv_type: str = "f16") -> int:
    """The context nobody asked for, in tokens, as far as the model was trained for it.

    Starting costs time in proportion to the memory that is filled, weights and cache. So the
    cache stays small beside the weights, whatever the machine could hold.
    """
    trained = shape.trained_context or SMALL
    large = FitSettings(context=LARGE, kv_type=kv_type, full_window=True)
    cache = sum(layer_cache(shape, layer, large) for layer in shape.layers)
    return min(trained, LARGE if cache * CACHE_SHARE <= shape.weights else SMALL)


def wanted_context(shape: Shape, fixed: Fixed) -> int:
    """The context to aim at, in tokens: what is fixed, but never more than was trained."""
    asked = int(fixed.get("context", 0))
    if not asked:
        return default_context(shape, fixed.get("kv_type", "f16"))
    return min(asked, shape.trained_context or asked)


def refused(shape: Shape, fixed: Fixed) -> str:
    """Why the engine takes no settings with these values; "" when it does."""
    kv_type, flash = fixed.get("kv_type", "f16"), fixed.get("flash_attention", "auto")
    return loadable(shape, msgspec.structs.replace(fit.RUNTIME, kv_type=kv_type, flash=flash))


def place(shape: Shape, devices: Sequence[Device], fixed: Fixed) -> Choice:
    """The best settings with everything in `fixed` as it is. Raises UsageError for values that
    no engine takes.

    Layers with a sliding window keep the whole context where that costs nothing, because only
    then a prompt's beginning can be used again; where memory is short they keep the window.
    """
    why = refused(shape, fixed)
    if why:
        raise UsageError(
            f"the engine does not take kv_type {fixed['kv_type']}",
            why=why,
            next_step="smolpc run --explain --kv-type f16",
        )
    whole = _best(shape, devices, fixed, full_window=True)
    if not any(layer.attention == "swa" for layer in shape.layers):
        return whole
    window = _best(shape, devices, fixed, full_window=False)
    return window if rank(window) < rank(whole) else whole


def rank(choice: Choice) -> tuple[int, int, int, int]:
    """Smaller is better."""
    used = choice.estimate.settings
    verdict = ("fits", "tight", "does-not-fit").index(choice.verdict)
    return verdict, -used.gpu_layers, used.cpu_experts, -used.context


def _best(shape: Shape, devices: Sequence[Device], fixed: Fixed, *, full_window: bool) -> Choice:
    ubatch, kv_type = fixed.get("ubatch"), fixed.get("kv_type", "f16")
    base = msgspec.structs.replace(
        fit.RUNTIME,
        kv_type=kv_type,
        flash=fixed.get("flash_attention", "auto"),
        batch=fixed.get("batch") or max(fit.RUNTIME.batch, ubatch or 0),
        full_window=full_window,
    )
    context = wanted_context(shape, fixed)
    smaller = tuple(size for size in fit.UBATCHES if size <= base.batch) or (base.batch,)

    def best(where: Sequence[Device], gpu_layers: int | None) -> Choice:
        return fit.best(
            shape,
            where,
            wish_context=context,
            min_context=context if fixed.get("context") else fit.FLOOR,
            least_context=context if fixed.get("context") else fit.LEAST,
            kv_types=(kv_type,),
            ubatches=(ubatch,) if ubatch else smaller,
            gpu_layers=gpu_layers,
            cpu_experts=fixed.get("cpu_experts"),
            settings=base,
        )

    found = best(devices, fixed.get("gpu_layers"))
    if found.verdict == "does-not-fit" and fixed.get("gpu_layers") is None:
        # A GPU that is too small fails; a processor reads what does not fit again and again.
        return best([device for device in devices if device.kind == "cpu"], None)
    return found


def require_room(
    choice: Choice, shape: Shape, devices: Sequence[Device], wishes: Mapping[str, str]
) -> str:
    """A note when weights will be read from the disk again and again, "" when all fits.

    Raises PrerequisiteError when the engine surely cannot get the memory it must have: on a
    GPU all of it, on the processor all but the weights, which are mapped from the file.
    `wishes`: what the user fixed, and how to undo each.
    """
    if choice.verdict != "does-not-fit":
        return ""
    made = choice.estimate
    free = budget.room(devices, spare=False)
    host = next(device for device in devices if device.kind == "cpu")
    mapped = next(use.weights for use in made.devices if use.device == host.name)
    needed = budget.from_host(made, devices) - mapped
    on_gpu = any(use.total > free[use.device] for use in made.devices if use.device != host.name)
    if not on_gpu and needed * (1 - made.error) <= host.free:
        return (
            f"memory is short: the weights take {mapped / GB:.1f} GB,"
            f" {host.free / GB:.1f} GB are free, so parts are read from the disk for every token;"
            " a smaller model is quicker (smolpc models.recommend)"
        )
    why = choice.why
    if wishes:
        other = place(shape, devices, {})
        if other.verdict != "does-not-fit":
            why += f"; left to smolpc, {other.why}"
    said = " and ".join(wishes)
    raise PrerequisiteError(
        f"{said} cannot be had with the memory that is free"
        if said
        else "the model does not fit into the memory that is free",
        why=why,
        next_step="; ".join(wishes.values()) or "close other programs, or: smolpc models.recommend",
    )
