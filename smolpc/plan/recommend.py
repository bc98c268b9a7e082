"""Which model a machine should run: what fits with a useful context, and is quick enough.

A larger model knows more; a slow one is not used. Both count, in doublings: twice the
parameters is worth about as much as half the waiting, once waiting is felt.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from math import log2, sqrt

from smolpc.console import human_bytes
from smolpc.plan import speed
from smolpc.plan.fit import best, shape_of_manifest
from smolpc.plan.fit.traffic import reads
from smolpc.schema.base import Value
from smolpc.schema.fit import Choice, Device, Shape
from smolpc.schema.hardware import Speeds
from smolpc.schema.host import Host
from smolpc.schema.model import ModelManifest
from smolpc.schema.recommendation import Mark, Purpose, Recommendation

USEFUL_CONTEXT = 4096  # tokens: a question with a file, and the answer
WISHED_CONTEXT: dict[Purpose, int] = {"code": 16384, "chat": 8192}
TYPICAL_CONTEXT = 2048  # tokens that are in the cache while an answer is written
COMFORTABLE = 12.0  # tokens a second: twice as fast as people read
HARDLY_USABLE = 3.0
HOPELESS = 0.5
TIGHT = 0.5  # doublings that a model loses because other programs must be closed
RIGHT_PURPOSE = 1.0  # doublings: a coder model counts as one twice its size, for code
OTHER_PURPOSE = 0.5  # doublings: a model that was made for the other purpose
NOT_COMMERCIAL = 0.3  # doublings: a licence that a school has to read first
SHARES = (0.25, 0.5, 0.75)  # of the layers, tried on a GPU that is slower than the CPU


class Machine(Value, kw_only=True):
    """Everything about the machine that a recommendation depends on.

    `devices`: the CPU first, then the GPUs that the engine can use, in the order of
    `readers`. `disk_free` in bytes. `installed`: digests of the models that are here.
    """

    devices: tuple[Device, ...]
    readers: tuple[speed.Reader, ...]
    disk_free: int
    installed: frozenset[str] = frozenset()


def machine(
    host: Host,
    devices: Sequence[Device],
    speeds: Speeds,
    *,
    disk_free: int,
    installed: Iterable[str] = (),
    measured: float | None = None,
) -> Machine:
    """A detected host as the recommendation sees it. `devices`: `fit.devices_of(host, ...)`;
    `disk_free` in bytes; `measured`: memory bandwidth in bytes a second, if known."""
    memory = speed.memory_reader(host.cpu, speeds, measured)
    by_name = {gpu.name: gpu for gpu in host.gpus}
    readers = [
        speed.gpu_reader(by_name[device.card], memory, speeds)
        if device.card
        else speed.cpu_reader(host.cpu, speeds, measured)
        for device in devices
    ]
    return Machine(
        devices=tuple(devices),
        readers=tuple(readers),
        disk_free=disk_free,
        installed=frozenset(installed),
    )


def recommend(
    manifests: Iterable[ModelManifest],
    here: Machine,
    speeds: Speeds,
    purpose: Purpose,
    *,
    architectures: Iterable[str] = (),
    licenses: Iterable[str] = (),
) -> tuple[Recommendation, ...]:
    """Every model for the purpose, best first; those that do not fit come last.

    Left out are models that could not be used at all: of an architecture that the engine
    does not know (`architectures` empty: all are known), without a confirmed digest, under a
    licence that `licenses` (empty: all) does not list; and those of which too little is known.
    """
    known, allowed = set(architectures), {licence.lower() for licence in licenses}
    rows = [
        _judge(manifest, here, speeds, purpose)
        for manifest in manifests
        if not manifest.file.unverified
        and purpose in manifest.purposes
        and manifest.architecture is not None
        and manifest.parameters
        and (not allowed or manifest.license.id.lower() in allowed)
        and (not known or manifest.architecture.name in known)
    ]
    return tuple(sorted(rows, key=lambda row: (row.mark == "does-not-fit", -row.score, row.model)))


def quality(manifest: ModelManifest, purpose: Purpose) -> float:
    """How good the answers will be, in doublings of parameters: log2 of billions.

    A mixture of experts counts as the geometric mean of its active and its total parameters
    (a rule of thumb for such models). Fewer bits a weight cost little down to four.
    """
    total = manifest.parameters / 1e9
    architecture = manifest.architecture
    if architecture is not None and architecture.experts and architecture.experts_used:
        share = architecture.experts_used / architecture.experts
        active = total * min(1.0, share + 0.05)  # attention and embeddings are always active
        total = sqrt(total * active)
    bits = manifest.file.size * 8 / manifest.parameters
    value = log2(total) - 2 ** (2 - bits)
    if manifest.purposes[0] == purpose == "code":
        value += RIGHT_PURPOSE
    elif manifest.purposes[0] != purpose:
        value -= OTHER_PURPOSE
    return value - (NOT_COMMERCIAL if manifest.license.commercial is False else 0)


def patience(rate: float) -> float:
    """What waiting costs, in doublings: nothing when it is comfortable, more and more below."""
    cost = 0.0
    if rate < COMFORTABLE:
        cost += 1.5 * log2(COMFORTABLE / rate)
    if rate < HARDLY_USABLE:
        cost += 3 * log2(HARDLY_USABLE / rate)
    return cost


class _Way(Value, kw_only=True):
    """One way to run a model here."""

    choice: Choice
    rate: speed.Rate
    mark: Mark
    score: float
    why: str


def _judge(
    manifest: ModelManifest, here: Machine, speeds: Speeds, purpose: Purpose
) -> Recommendation:
    way = max(
        (
            _way(manifest, choice, rate, here, purpose)
            for choice, rate in _choices(manifest, here, speeds, purpose)
        ),
        key=lambda way: (way.mark != "does-not-fit", way.score),
    )
    installed = manifest.file.sha256 in here.installed
    choice, rate = way.choice, way.rate
    return Recommendation(
        model=manifest.name,
        family=manifest.family,
        alias=manifest.typed,
        parameters=manifest.parameters,
        license=manifest.license.id,
        mark=way.mark,
        score=way.score,
        needs=choice.needs,
        disk_needed=0 if installed else manifest.file.size,
        disk_free=here.disk_free,
        rate=rate.tokens_per_second,
        rate_low=rate.low,
        rate_high=rate.high,
        settings=choice.estimate.settings,
        why=way.why,
        installed=installed,
    )


def _choices(
    manifest: ModelManifest, here: Machine, speeds: Speeds, purpose: Purpose
) -> Iterator[tuple[Choice, speed.Rate]]:
    """The model on the CPU, with each GPU, with all of them. The fit puts as much as possible
    on a GPU; with one that is slower than the CPU, less is tried, too. What fits with a margin
    may be slow for having left the GPU out: then using up its memory is tried as well."""
    shape = shape_of_manifest(manifest)
    trained = manifest.context_length or USEFUL_CONTEXT
    cpu, *gpus = zip(here.devices, here.readers, strict=True)
    groups = [[], *([gpu] for gpu in gpus), *([gpus] if len(gpus) > 1 else [])]
    for group in groups:
        placed = functools.partial(
            best,
            shape,
            [cpu[0], *(device for device, _ in group)],
            wish_context=min(WISHED_CONTEXT[purpose], trained),
            min_context=min(USEFUL_CONTEXT, trained),
        )
        slow = any(reader.rate <= cpu[1].rate for _, reader in group)
        for part in (*SHARES, None) if slow else (None,):
            layers = None if part is None else max(1, int(part * len(shape.layers)))
            choices = [placed(gpu_layers=layers)]
            if group and choices[0].verdict == "fits" and not _all_on_gpu(shape, choices[0]):
                choices.append(placed(gpu_layers=layers, spare=False))
            for choice in choices:
                readers = [reader for _, reader in group]
                yield choice, _rate(shape, choice, cpu[1], readers, speeds)


def _all_on_gpu(shape: Shape, choice: Choice) -> bool:
    used = choice.estimate.settings
    return used.gpu_layers > len(shape.layers) and not used.cpu_experts


def _rate(
    shape: Shape,
    choice: Choice,
    cpu: speed.Reader,
    gpus: Sequence[speed.Reader],
    speeds: Speeds,
) -> speed.Rate:
    """Of several GPUs the slowest counts: how the layers are shared out is decided by memory."""
    on_cpu, on_gpu = reads(shape, choice.estimate.settings, TYPICAL_CONTEXT)
    slowest = min(gpus, key=lambda reader: reader.rate, default=cpu)
    return speed.decode_rate([(on_cpu, cpu), (on_gpu, slowest)], speeds)


def _way(
    manifest: ModelManifest, choice: Choice, rate: speed.Rate, here: Machine, purpose: Purpose
) -> _Way:
    mark: Mark = choice.verdict
    disk = 0 if manifest.file.sha256 in here.installed else manifest.file.size
    context = choice.estimate.settings.context
    useful = min(USEFUL_CONTEXT, manifest.context_length or USEFUL_CONTEXT)
    why = choice.why
    if disk > here.disk_free:
        mark = "does-not-fit"
        why = f"the disk has {human_bytes(here.disk_free)} free, the file is {human_bytes(disk)}"
    elif context < useful and mark != "does-not-fit":
        mark = "does-not-fit"
        why = f"only {context} tokens of context fit into the memory; {useful} are useful"
    elif mark != "does-not-fit":
        why = _sentence(manifest, rate, choice)
    score = quality(manifest, purpose) - patience(rate.tokens_per_second)
    return _Way(
        choice=choice,
        rate=rate,
        mark=mark,
        score=score - (TIGHT if mark == "tight" else 0),
        why=why,
    )


def _sentence(manifest: ModelManifest, rate: speed.Rate, choice: Choice) -> str:
    """One sentence: how it will feel, where it runs, what holds it back, what to know."""
    feel = (
        "quick"
        if rate.tokens_per_second >= COMFORTABLE
        else "a little slow"
        if rate.tokens_per_second >= HARDLY_USABLE
        else "too slow for a conversation"
    )
    text = f"{feel}: {choice.why}; its speed is limited by {rate.limit}"
    if manifest.license.commercial is False:
        text += "; its licence forbids commercial use"
    return text


def best_of(rows: Sequence[Recommendation]) -> str:
    """The model to take, or "" when none fits or the best would be hopelessly slow."""
    first = rows[0] if rows else None
    if first is None or first.mark == "does-not-fit" or first.rate < HOPELESS:
        return ""
    return first.model


def one_each(rows: Sequence[Recommendation]) -> tuple[Recommendation, ...]:
    """Of each model that fits, the best quantization; of none that fits, everything."""
    seen: dict[tuple[str, int], Recommendation] = {}
    for row in rows:
        if row.mark != "does-not-fit":
            seen.setdefault((row.family, row.parameters), row)
    return tuple(seen.values()) or tuple(rows)
