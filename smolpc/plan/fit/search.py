"""The best settings for the memory that is free.

What is given up, in this order, because it costs the user least: context, down to a useful
floor; the micro-batch, which only slows down reading the prompt; the type of the cache, where
the caller allows others; then layers on the GPU, of a model with experts first the experts.
The first combination of that order which fits is taken, so more memory never gives a worse one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from smolpc.plan.fit import budget, sentences
from smolpc.plan.fit.cache import CELLS, loadable, padded
from smolpc.plan.fit.memory import estimate
from smolpc.plan.fit.split import spread
from smolpc.schema.fit import Choice, Device, Estimate, FitSettings, Shape, Verdict

WISH, FLOOR, LEAST = 32768, 4096, 512  # tokens: asked for, still useful, barely usable
# The engine's defaults, with which layers that look at a window only (Gemma, gpt-oss) cache the
# whole context all the same; plan.placing gives that up where memory is short.
RUNTIME = FitSettings(context=0, full_window=True)
Room = Mapping[str, int]  # device name: bytes that may be taken
LESS = 0.25  # of what a placement takes on a GPU, besides the driver, when it was too much
UBATCHES = (512, 256, 128, 64)  # tokens; fewer than 32 would keep prompts off the GPU


def best(
    shape: Shape,
    devices: Sequence[Device],
    *,
    wish_context: int | None = None,
    min_context: int = FLOOR,
    least_context: int = LEAST,
    kv_types: Sequence[str] = ("f16",),
    ubatches: Sequence[int] = UBATCHES,
    gpu_layers: int | None = None,
    cpu_experts: int | None = None,
    spare: bool = True,
    settings: FitSettings | None = None,
) -> Choice:
    """The best settings for these devices, and whether they fit.

    `devices`: one CPU, and the GPUs that the engine can use. Contexts are tokens, and never
    more than the model was trained for. `kv_types`: cache types that may be used, best first;
    others than f16 change the answers a little. `ubatches`: the same for micro-batches.
    `gpu_layers`, `cpu_experts`: exactly so many. `settings`: what is not searched for (n_batch,
    flash attention, sequences, prompt cache); default: what smolpc's runtime asks for.

    "fits" leaves a margin on every device (see `backends.margin`); "tight" uses it up or gets
    less than `min_context`, but never less than `least_context`.
    """
    base = settings or RUNTIME
    trained = shape.trained_context or WISH
    wish = max(1, min(wish_context or WISH, trained))
    floor = min(min_context, wish)
    least = min(least_context, floor)
    fixed = (gpu_layers, cpu_experts)
    search = _Search(shape, devices, base, tuple(kv_types), tuple(ubatches), fixed)
    tight = ((False, floor), (False, least))
    for margin, lowest in ((True, floor), *tight) if spare else tight:
        found = search.first(wish, lowest, budget.room(devices, spare=margin))
        if found is not None:
            return _choice("fits" if margin else "tight", found, shape, devices, wish)
    made = search.smallest(least)
    return _choice("does-not-fit", made, shape, devices, made.settings.context)


def smaller(
    shape: Shape, devices: Sequence[Device], tried: FitSettings, used: Collection[str]
) -> Estimate | None:
    """The next placement to try when the GPUs `used` had no room for `tried`: LESS of their
    memory, with the same context and cache. None when nothing fits any more.
    """
    host = next(device for device in devices if device.kind == "cpu")
    gpus = [device for device in devices if device.name in used and device is not host]
    uses = estimate(shape, tried, [host, *gpus]).devices
    room = {use.device: int(use.engine * (1 - LESS)) + use.overhead for use in uses}
    base = msgspec.structs.replace(tried, split=())
    ubatches = (tried.ubatch, *(tokens for tokens in UBATCHES if tokens < tried.ubatch))
    search = _Search(shape, [host, *gpus], base, (tried.kv_type,), ubatches, (None, None))
    return search.first(tried.context, tried.context, {**room, host.name: host.free})


class _Search:
    def __init__(
        self,
        shape: Shape,
        devices: Sequence[Device],
        base: FitSettings,
        kv_types: tuple[str, ...],
        ubatches: tuple[int, ...],
        fixed: tuple[int | None, int | None],
    ) -> None:
        self.shape, self.base = shape, base
        self.devices = tuple(devices)
        self.host = next(device for device in devices if device.kind == "cpu")
        self.gpus = tuple(device for device in devices if device.kind != "cpu")
        usable = [t for t in kv_types if not loadable(shape, self.with_type(t))]
        self.kv_types = usable or ["f16"]
        self.ubatches = ubatches
        self.gpu_layers, self.cpu_experts = fixed

    def with_type(self, kv_type: str) -> FitSettings:
        return msgspec.structs.replace(self.base, kv_type=kv_type)

    def placements(self) -> Iterator[tuple[int, int]]:
        """(gpu_layers, cpu_experts), fastest first; (0, 0) leaves the GPUs out."""
        count = len(self.shape.layers)
        if self.gpu_layers is not None:
            experts = self.cpu_experts or 0
            yield (min(self.gpu_layers, count + 1), experts) if self.gpus else (0, 0)
            return
        if self.gpus and self.cpu_experts is not None:
            yield from ((kept, self.cpu_experts) for kept in range(count + 1, 0, -1))
        elif self.gpus:
            routed = count if any(layer.experts for layer in self.shape.layers) else 0
            yield from ((count + 1, kept) for kept in range(routed + 1))
            yield from ((kept, routed) for kept in range(count, 0, -1))
        yield 0, 0

    def first(self, wish: int, floor: int, room: Room) -> Estimate | None:
        for placement in self.placements():
            if self.fits(placement, self.kv_types[-1], self.ubatches[-1], floor, room) is None:
                continue  # not even with everything else given up
            for kv_type in self.kv_types:
                for ubatch in self.ubatches:
                    found = self.longest(placement, kv_type, ubatch, floor, wish, room)
                    if found is not None:
                        return found
        return None

    def longest(
        self, placement: tuple[int, int], kv_type: str, ubatch: int, low: int, high: int, room: Room
    ) -> Estimate | None:
        """The longest context that fits, in steps of a cache's padding."""
        found = self.fits(placement, kv_type, ubatch, high, room)
        if found is not None:
            return found
        found = self.fits(placement, kv_type, ubatch, low, room)
        if found is None:
            return None
        fewest, most = -(-low // CELLS), padded(high) // CELLS  # fits, does not fit
        while most - fewest > 1:
            middle = (fewest + most) // 2
            tried = self.fits(placement, kv_type, ubatch, middle * CELLS, room)
            if tried is None:
                most = middle
            else:
                fewest, found = middle, tried
        return found

    def fits(
        self, placement: tuple[int, int], kv_type: str, ubatch: int, context: int, room: Room
    ) -> Estimate | None:
        for made in self.made(placement, kv_type, ubatch, context, room):
            if not budget.short(made, self.devices, room):
                return made
        return None

    def made(
        self, placement: tuple[int, int], kv_type: str, ubatch: int, context: int, room: Room
    ) -> Iterator[Estimate]:
        """The placement on one GPU after the other, then on all of them together."""
        gpu_layers, cpu_experts = placement
        settings = msgspec.structs.replace(
            self.base,
            context=context,
            kv_type=kv_type,
            ubatch=ubatch,
            gpu_layers=gpu_layers,
            cpu_experts=cpu_experts,
        )
        if not gpu_layers:
            yield estimate(self.shape, settings, [self.host])
            return
        for gpu in self.gpus:
            yield estimate(self.shape, settings, [self.host, gpu])
        if len(self.gpus) > 1:
            split = spread(self.shape, settings, self.gpus, room)
            if split is not None:
                several = msgspec.structs.replace(settings, split=split)
                yield estimate(self.shape, several, [self.host, *self.gpus])

    def smallest(self, context: int) -> Estimate:
        """The attempt that lacks least."""
        room = budget.room(self.devices, spare=False)
        attempts = [
            made
            for placement in self.placements()
            for made in self.made(placement, self.kv_types[-1], self.ubatches[-1], context, room)
        ]
        return min(attempts, key=lambda made: budget.short(made, self.devices, room))


def _choice(
    verdict: Verdict, made: Estimate, shape: Shape, devices: Sequence[Device], wish: int
) -> Choice:
    return Choice(
        verdict=verdict,
        estimate=made,
        needs=budget.needs(made, devices),
        why=sentences.why(verdict, made, shape, devices, wish),
    )
