"""The need of a model on each device, with given settings."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.errors import UsageError
from smolpc.plan.fit import backends, compute
from smolpc.plan.fit.cache import layer_cache, loadable
from smolpc.plan.fit.layout import Layout, place
from smolpc.schema.fit import Device, DeviceUse, Estimate, FitSettings, Shape

# Of the total; see docs/fit.md. From a manifest the parts of the file are guessed.
EXACT_DENSE, EXACT_OTHER, GUESSED, UNMODELLED = 0.05, 0.10, 0.05, 0.15


def estimate(shape: Shape, settings: FitSettings, devices: Sequence[Device]) -> Estimate:
    """What the engine takes on each device.

    `devices`: the CPU and the GPUs that the engine may use, in its order. Bytes; the CPU's
    weights count in full although they are mapped from the file: what does not fit is read
    from the disk again for every token. Raises UsageError for settings that the engine refuses.
    """
    refused = loadable(shape, settings)
    if refused:
        raise UsageError(
            f"the engine does not take these settings: {refused}",
            next_step="smolpc models.estimate --help",
        )
    host = next(device for device in devices if device.kind == "cpu")
    gpus = tuple(device for device in devices if device.kind != "cpu")
    layout = place(shape, settings, gpus)
    uses = [_host(shape, settings, host, gpus, layout)]
    uses += [_gpu(shape, settings, gpu, index, layout) for index, gpu in enumerate(gpus)]
    return Estimate(
        settings=settings,
        devices=tuple(uses),
        error=error_of(shape),
        notes=tuple(notes_on(shape, settings)),
    )


def _host(
    shape: Shape, s: FitSettings, host: Device, gpus: Sequence[Device], layout: Layout
) -> DeviceUse:
    """The CPU: the embedding always; its layers; experts that were kept; the output."""
    weights, kv = shape.token_embedding, 0
    for index, layer in enumerate(shape.layers):
        if layout.layers[index] is None:
            weights += layer.weights
            kv += layer_cache(shape, layer, s)
        elif index < s.cpu_experts:
            weights += layer.experts
    if layout.output is None:
        copied = shape.repacked_output and not gpus
        weights += (shape.output if copied or not shape.tied else 0) + shape.output_extra
    return DeviceUse(
        device=host.name,
        weights=weights,
        kv=kv,
        compute=_host_compute(shape, s, gpus, layout),
        output=compute.logits_kept(shape, s),
        overhead=backends.host_overhead(shape, s),
    )


def _host_compute(shape: Shape, s: FitSettings, gpus: Sequence[Device], layout: Layout) -> int:
    row, inputs = compute.row(shape, s), compute.inputs(shape, s)
    own = [layer for layer, at in zip(shape.layers, layout.layers, strict=True) if at is None]
    if layout.pipeline:
        return compute.COPIES * (inputs + row) + row
    handed_over = inputs + 2 * row
    works = not gpus or not compute.offloads(s) or any(layer.state for layer in own)
    if not works:
        return handed_over
    peaks = [compute.layer_peak(shape, layer, s) + row for layer in own]
    if layout.output is None and not (gpus and compute.offloads(s)):
        peaks.append(compute.output_peak(shape, s))
    return max([*peaks, handed_over])


def _gpu(
    shape: Shape,
    s: FitSettings,
    gpu: Device,
    number: int,
    layout: Layout,
) -> DeviceUse:
    """One GPU: its layers without the experts that stay on the CPU; the output on the last."""
    weights = kv = 0
    peaks, copied = [0], 0
    first = number == 0 and compute.offloads(s)  # it also computes for the layers on the CPU
    for index, layer in enumerate(shape.layers):
        at = layout.layers[index]
        kept = index < s.cpu_experts and layer.experts > 0
        if at == number:
            weights += layer.weights - (layer.experts if kept else 0)
            kv += layer_cache(shape, layer, s)
            peaks.append(
                compute.layer_peak(shape, layer, s, weights_from=layer.largest if kept else 0)
            )
        elif at is None and first:
            copied = max(copied, layer.largest)
            peaks.append(compute.layer_peak(shape, layer, s, weights_from=layer.largest))
    if layout.output == number:
        weights += shape.output + shape.output_extra
        peaks.append(compute.output_peak(shape, s) + copied)
    elif layout.output is None and first:
        peaks.append(compute.output_peak(shape, s) + shape.output + copied)
    peak = max(peaks)
    if layout.pipeline:
        peak += compute.pipeline_copies(shape, s, first=number == 0)
    return DeviceUse(
        device=gpu.name, weights=weights, kv=kv, compute=peak, overhead=backends.overhead(gpu)
    )


def error_of(shape: Shape) -> float:
    """Within which fraction of the total the truth lies."""
    error = EXACT_DENSE if shape.dense else EXACT_OTHER
    error += 0.0 if shape.exact else GUESSED
    return error + (0.0 if shape.modelled else UNMODELLED)


def notes_on(shape: Shape, settings: FitSettings) -> list[str]:
    """What a user should know about this estimate, in sentences."""
    notes = []
    if not shape.exact:
        notes.append("sized from the manifest's numbers, not from the file's header")
    if not shape.modelled:
        notes.append(f"{shape.architecture} keeps further caches that are not counted")
    if shape.trained_context and settings.context > shape.trained_context:
        notes.append(
            f"the model was trained for {shape.trained_context} tokens:"
            " beyond them its answers turn to noise"
        )
    if settings.flash == "auto" and settings.gpu_layers:
        notes.append("a GPU without flash attention needs more for long contexts")
    return notes
