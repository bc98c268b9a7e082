"""Load a model although a GPU has less free memory than planned: fewer layers, said aloud."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import msgspec

from smolpc.errors import SmolpcError
from smolpc.plan import fit
from smolpc.runtime.choosing import gpu_of, shape_in
from smolpc.runtime.loading import DeviceMemoryError
from smolpc.runtime.placement import used
from smolpc.runtime.settings import fit_context
from smolpc.schema.fit import FitSettings, Shape
from smolpc.schema.host import Host
from smolpc.schema.running import RunSettings

if TYPE_CHECKING:
    from smolpc.runtime.bindings import Bound
    from smolpc.runtime.loaded import Model

T = TypeVar("T")
TRIES = 4  # with a GPU; the processor alone comes after them


def place(
    load: Callable[[RunSettings, tuple[str, ...]], T],
    wanted: RunSettings,
    smaller: Callable[[RunSettings], RunSettings | None],
) -> T:
    """`load(wanted, ())`; as long as a GPU's memory does not suffice, what `smaller` suggests.

    `load` gets the settings, and a sentence for every step that led to them; it raises
    DeviceMemoryError, and has freed everything then. `smaller` gives settings that need less
    of the GPUs, or None. The processor alone is the last that is tried.
    """
    steps: tuple[str, ...] = ()
    tried = wanted
    for attempt in range(TRIES + 1):
        try:
            return load(tried, steps)
        except DeviceMemoryError as error:
            if not tried.memory.gpu_layers:
                raise
            less = smaller(tried) if attempt < TRIES - 1 else None
            less = less or without_gpu(tried)
            steps += (_step(tried, less, error),)
            tried = less
    raise AssertionError("the processor alone needs no memory of a device")


class Smaller:
    """What to try next, by what `plan.fit` knows of the model. Its header is read when asked."""

    def __init__(self, bound: Bound, model: Model, host: Callable[[], Host]) -> None:
        self._bound, self._model, self._host = bound, model, host

    def __call__(self, tried: RunSettings) -> RunSettings | None:
        """Settings with a quarter less GPU memory than `tried` needs; None: without a GPU."""
        names = used(self._bound.devices, tried)
        try:
            cpu, *_ = fit.devices_of(self._host(), ())
            gpus = [gpu_of(one, cpu) for one in self._bound.devices if one.name in names]
            devices = (cpu, *gpus)
            made = fit.smaller(self._shape, devices, self._known(tried.memory), names)
        except SmolpcError:  # a header that only the engine understands
            return None
        if made is None or not made.settings.gpu_layers:
            return None
        memory = msgspec.structs.replace(made.settings, context=tried.memory.context)
        on = tuple(use.device for use in made.devices if use.device in names)
        return msgspec.structs.replace(tried, memory=memory, devices=on)

    @cached_property
    def _shape(self) -> Shape:
        return shape_in(self._model.path)

    def _known(self, memory: FitSettings) -> FitSettings:
        """The same with numbers where the settings leave the choice to the runtime."""
        layers, trained = len(self._shape.layers) + 1, self._shape.trained_context
        trained = self._model.trained_context or trained
        return msgspec.structs.replace(
            memory,
            gpu_layers=min(memory.gpu_layers, layers) if memory.gpu_layers > 0 else layers,
            context=fit_context(memory.context or None, trained)[0],
        )


def without_gpu(settings: RunSettings) -> RunSettings:
    """The same settings on the processor alone."""
    memory = msgspec.structs.replace(settings.memory, gpu_layers=0, cpu_experts=0, split=())
    return msgspec.structs.replace(settings, memory=memory, devices=())


def _step(tried: RunSettings, less: RunSettings, error: DeviceMemoryError) -> str:
    layers = f"{tried.memory.gpu_layers} layers" if tried.memory.gpu_layers > 0 else "all layers"
    text = f"{', '.join(tried.devices) or 'the GPU'} has too little free memory for {layers}"
    if not less.memory.gpu_layers:
        return f"{text}: the processor does all the work ({error.why})"
    text += f": {less.memory.gpu_layers} are tried"
    if less.memory.cpu_experts > tried.memory.cpu_experts:
        text += f", the experts of {less.memory.cpu_experts} layers on the processor"
    if less.memory.ubatch < tried.memory.ubatch:
        text += f", prompts are read {less.memory.ubatch} tokens at a time"
    return text
