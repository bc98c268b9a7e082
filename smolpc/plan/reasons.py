"""Why a setting has its value: one sentence each, for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from smolpc.plan import cores, placing
from smolpc.schema.config_report import Plain
from smolpc.schema.fit import Choice, Device, Shape
from smolpc.schema.host import Cpu
from smolpc.schema.running import RunSettings

GB = 1e9


class Words:
    """The sentences for one choice."""

    def __init__(
        self,
        shape: Shape,
        devices: Sequence[Device],
        cpu: Cpu,
        settings: RunSettings,
        choice: Choice,
    ) -> None:
        self.shape, self.devices, self.cpu = shape, devices, cpu
        self.settings, self.memory, self.choice = settings, settings.memory, choice
        self.gpus = [device for device in devices if device.kind != "cpu"]

    @cached_property
    def values(self) -> dict[str, Plain]:
        """Every setting and its value, in the order in which people want to read them."""
        memory, settings = self.memory, self.settings
        return {
            "context": memory.context,
            "threads": settings.threads,
            "batch_threads": settings.batch_threads,
            "devices": " ".join(settings.devices) or "none",
            "gpu_layers": memory.gpu_layers,
            "cpu_experts": memory.cpu_experts,
            "split": "/".join(map(str, memory.split)),
            "kv_type": memory.kv_type,
            "full_window": memory.full_window,
            "flash_attention": memory.flash,
            "batch": memory.batch,
            "ubatch": memory.ubatch,
            "speculation": settings.speculation,
            "draft_model": settings.draft_model,
            "cpu_variant": settings.cpu_variant,
        }

    def of_wish(self, name: str, asked: Plain) -> str:
        """Why a value that the user asked for is as it is."""
        if name == "context" and (cut := self.cut_context(int(asked))):
            return cut
        if name == "gpu_layers" and self.memory.gpu_layers < int(asked):
            return f"you asked for {asked}: these are all"
        if name == "cpu_experts" and self.memory.cpu_experts != asked:
            return f"you asked for {asked}: the whole model is on the processor anyway"
        if name in ("threads", "batch_threads") and self.values[name] != asked:
            return f"you asked for {asked}: more than one per processor only waits"
        if name in ("context", "gpu_layers"):
            return f"you asked for it; {self._needs()}"
        return "you asked for it"

    def of_default(self, name: str) -> str:
        """Why smolpc chose this value."""
        said: str = getattr(self, f"_{name}")()
        return said

    def cut_context(self, asked: int) -> str:
        """A sentence when the context is smaller than what was asked for, else ""."""
        context = self.memory.context
        if context >= asked:
            return ""
        return (
            f"the context was cut from {asked} to {context} tokens:"
            " the model was not trained for more"
        )

    def short_context(self) -> str:
        """A sentence when memory made the context smaller than it usually is, else ""."""
        usual = placing.default_context(self.shape, self.memory.kv_type)
        if self.memory.context >= usual:
            return ""
        return (
            f"the context is {self.memory.context} tokens instead of {usual}:"
            " more does not fit into the memory that is free"
        )

    def small_context(self) -> str:
        """`short_context`, but only where it is too little for useful work."""
        return self.short_context() if self.memory.context < placing.SMALL else ""

    def window(self) -> str:
        return (
            "memory is short: layers keep only their window of"
            f" {self.shape.sliding_window} tokens, so a prompt that begins like the last one"
            " is read again in full"
        )

    def _needs(self) -> str:
        said = ", ".join(
            f"{need.needs / GB:.1f} of {need.has / GB:.1f} GB on {need.device}"
            for need in self.choice.needs
        )
        return f"the model takes {said}"

    def _context(self) -> str:
        usual = placing.default_context(self.shape, self.memory.kv_type)
        if self.memory.context < usual:
            return self.short_context()
        if self.memory.context == self.shape.trained_context:
            return "all that the model was trained for"
        more = f"the model was trained for {self.shape.trained_context}: ask for more if you need"
        if usual < placing.LARGE:
            return f"more costs much memory beside this model's weights; {more}"
        return f"enough for most files, and starting stays quick; {more}"

    def _threads(self) -> str:
        return cores.why_default(self.cpu)

    def _batch_threads(self) -> str:
        return "as many as threads"

    def _devices(self) -> str:
        if not self.gpus:
            return "this engine has no GPU to use here"
        if not self.settings.devices:
            return f"too little memory is free on {', '.join(gpu.name for gpu in self.gpus)}"
        left = [gpu.name for gpu in self.gpus if gpu.name not in self.settings.devices]
        return f"the model fits without {', '.join(left)}" if left else "every GPU that can help"

    def _gpu_layers(self) -> str:
        count, layers = len(self.shape.layers) + 1, self.memory.gpu_layers
        if not layers:
            return self._devices() if not self.settings.devices else "none was asked for"
        which = "all layers fit" if layers == count else f"of {count} layers no more fit"
        return f"{which}; {self._needs()}"

    def _cpu_experts(self) -> str:
        if not self.shape.experts:
            return "the model has no experts"
        if not self.memory.gpu_layers:
            return "the whole model is on the processor"
        if not self.memory.cpu_experts:
            return "all experts fit on the GPU"
        return "the experts of more layers do not fit on the GPU"

    def _split(self) -> str:
        if self.memory.split:
            return "layers on each GPU: as many as fit, then on to the next"
        return "one device holds all layers that are on a GPU" if self.gpus else "there is no GPU"

    def _kv_type(self) -> str:
        return "smaller types change the answers a little, so they are used only when asked for"

    def _full_window(self) -> str:
        if not self.shape.sliding_window:
            return "the model has no sliding windows"
        if not self.memory.full_window:
            return self.window()
        return "so that the beginning of a prompt need not be read twice"

    def _flash_attention(self) -> str:
        return "the engine uses it where the device can"

    def _batch(self) -> str:
        return "the engine's default"

    def _ubatch(self) -> str:
        if self.memory.ubatch < 512:
            return "smaller than 512, so that more fits into the memory that is free"
        return "reads prompts quickly; more gains little"

    def _speculation(self) -> str:
        return "drafts are tried where the text repeats itself, and left off where they do not pay"

    def _draft_model(self) -> str:
        return "none was named"

    def _cpu_variant(self) -> str:
        return "the engine's loader decides"
