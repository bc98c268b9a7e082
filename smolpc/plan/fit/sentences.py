"""One sentence for each choice."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.schema.fit import Device, Estimate, Shape, Verdict

GB = 1e9


def why(
    verdict: Verdict, made: Estimate, shape: Shape, devices: Sequence[Device], wish: int
) -> str:
    """What the choice means for the user. `wish`: the context that was asked for, in tokens."""
    if verdict == "does-not-fit":
        return f"even with {made.settings.context} tokens of context {_lacking(made, devices)}"
    text = f"{_where(made, shape)} with {made.settings.context} tokens of context"
    if made.settings.context < wish:
        text += f" (more than that, up to {wish}, does not fit)"
    if verdict == "tight":
        text += "; other programs must leave it the memory"
    return text


def _where(made: Estimate, shape: Shape) -> str:
    settings, count = made.settings, len(shape.layers) + 1
    if not settings.gpu_layers:
        return "it runs on the CPU"
    if settings.gpu_layers < count:
        return f"{settings.gpu_layers} of {count} layers run on the GPU, the others on the CPU,"
    if settings.cpu_experts:
        return f"it runs on the GPU, the experts of {settings.cpu_experts} layers on the CPU,"
    return "it runs on the GPU"


def _lacking(made: Estimate, devices: Sequence[Device]) -> str:
    used = {use.device for use in made.devices}
    here = [device for device in devices if device.name in used]
    has = sum(device.free for device in here if not device.shared)
    if made.total > has:
        return f"it needs {made.total / GB:.1f} GB, and {has / GB:.1f} GB are free"
    free = {device.name: device.free for device in here}
    use = max(made.devices, key=lambda use: use.total - free[use.device])
    return (
        f"it needs {use.total / GB:.1f} GB on {use.device},"
        f" which has {free[use.device] / GB:.1f} GB free"
    )
