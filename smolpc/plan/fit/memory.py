"""The need of a model on each device, with given settings."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.errors import UsageError
from smolpc.plan.fit import backends
from smolpc.plan.fit.cache import layer_cache, loadable
from smolpc.plan.fit.compute import COPIES, Work
from smolpc.plan.fit.layout import Layout, place
from smolpc.plan.fit.manifest import UNKNOWN
from smolpc.schema.fit import Device, DeviceUse, Estimate, FitSettings, Shape

# Of the total; see docs/fit.md. From a manifest the parts of the file are guessed.
EXACT_DENSE, EXACT_OTHER, GUESSED, UNMODELLED = 0.05, 0.10, 0.05, 0.15


def estimate(shape: Shape, settings: FitSettings, devices: Sequence[Device]) -> Estimate:
    """What the engine takes on each device.

    `devices`: the CPU and the GPUs that the engine may use, in its order. The CPU's weights
    count in full although they are mapped from the file: what does not fit is read from the
    disk again for every token. Raises UsageError for settings that the engine refuses.
    """
    refused = loadable(shape, settings)
    if refused:
        raise UsageError(
            f"the engine does not take these settings: {refused}",
            next_step="smolpc --help models.estimate",
        )
    host = next(device for device in devices if device.kind == "cpu")
    gpus = tuple(device for device in devices if device.kind != "cpu")
    work = Work(shape, settings)
    layout = place(shape, settings, gpus)
    uses = [_host(work, host, gpus, layout)]
    uses += [_gpu(work, gpu, number, layout) for number, gpu in enumerate(gpus)]
    return Estimate(
        settings=settings,
        devices=tuple(uses),
        error=error_of(shape),
        notes=tuple(notes_on(shape, settings)),
    )


def _host(work: Work, host: Device, gpus: Sequence[Device], layout: Layout) -> DeviceUse:
    """The CPU: the embedding always; its layers; experts that were kept; the output."""
    shape, settings = work.shape, work.settings
    weights, kv = shape.token_embedding, 0
    for index, layer in enumerate(shape.layers):
        if layout.layers[index] is None:
            weights += layer.weights
            kv += layer_cache(shape, layer, settings)
        elif index < settings.cpu_experts:
            weights += layer.experts
    if layout.output is None:
        copied = not gpus and backends.repacks(shape, host)
        weights += (shape.output if copied or not shape.tied else 0) + shape.output_extra
    return DeviceUse(
        device=host.name,
        weights=weights,
        kv=kv,
        compute=_host_compute(work, gpus, layout),
        output=work.logits_kept,
        overhead=backends.host_overhead(shape, settings),
    )


def _host_compute(work: Work, gpus: Sequence[Device], layout: Layout) -> int:
    if layout.pipeline:
        return COPIES * (work.inputs + work.row) + work.row
    handed_over = work.inputs + 2 * work.row
    alone = not gpus or not work.offloads
    own = {layer for layer, at in zip(work.shape.layers, layout.layers, strict=True) if at is None}
    if not alone and not any(layer.state for layer in own):  # a state keeps its layer here
        return handed_over
    peaks = [work.layer_peak(layer) + work.row for layer in own]
    if alone and layout.output is None:
        peaks.append(work.output_peak)
    return max([*peaks, handed_over])


def _gpu(work: Work, gpu: Device, number: int, layout: Layout) -> DeviceUse:
    """One GPU: its layers without the experts that stay on the CPU; the output on the last.

    The first GPU also computes for the layers on the CPU, when prompts are read.
    """
    shape, settings = work.shape, work.settings
    weights = kv = copied = 0
    peaks = {0}
    helps = number == 0 and work.offloads
    for index, layer in enumerate(shape.layers):
        at = layout.layers[index]
        if at == number:
            away = layer.experts if index < settings.cpu_experts else 0
            weights += layer.weights - away
            kv += layer_cache(shape, layer, settings)
            peaks.add(work.layer_peak(layer, layer.largest if away else 0))
        elif at is None and helps:
            copied = max(copied, layer.largest)
            peaks.add(work.layer_peak(layer, layer.largest))
    if layout.output == number:
        weights += shape.output + shape.output_extra
        peaks.add(work.output_peak + copied)
    elif layout.output is None and helps:
        peaks.add(work.output_peak + shape.output + copied)
    peak = max(peaks)
    if layout.pipeline:
        peak += work.pipeline_copies(first=number == 0)
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
    if shape.architecture == UNKNOWN:
        notes.append("its architecture is not known: an ordinary one of its size was assumed")
    elif not shape.modelled:
        notes.append(f"{shape.architecture} keeps further caches that are not counted")
    if shape.trained_context and settings.context > shape.trained_context:
        notes.append(
            f"the model was trained for {shape.trained_context} tokens:"
            " beyond them its answers turn to noise"
        )
    if settings.flash == "auto" and settings.gpu_layers:
        notes.append("a GPU that lacks flash attention needs more for long contexts")
    return notes
