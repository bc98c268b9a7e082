"""How much memory a model needs, on which device, with which settings. Values of `plan.fit`."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Value

Attention = Literal["full", "swa", "mla", "none"]
Flash = Literal["auto", "on", "off"]
Verdict = Literal["fits", "tight", "does-not-fit"]
DeviceKind = Literal["cpu", "cuda", "vulkan", "metal", "gpu"]


class Layer(Value, kw_only=True):
    """One transformer block. A hybrid model's block may keep both keys and a state."""

    weights: Bytes  # all tensors of the layer, experts too
    experts: Bytes = 0  # of them MoE expert matrices, which --n-cpu-moe keeps on the CPU
    largest: Bytes = 0  # its largest matrix
    attention: Attention = "full"
    heads: int = 0  # query heads
    kv_heads: int = 0
    key_length: int = 0  # elements per head in the cache; MLA: of the one latent
    value_length: int = 0  # elements per head in the cache; MLA: of the latent's value part
    caches: bool = True  # False: it reuses the keys of an earlier layer, or is not run
    state: Bytes = 0  # recurrent state of one sequence, kept in F32
    feed_forward: int = 0  # width of the dense part
    expert_feed_forward: int = 0  # width of one expert
    experts_used: int = 0  # for each token
    inner: int = 0  # recurrent layers: width of the mixed values
    projected: int = 0  # recurrent layers: width after the input projection
    convolved: int = 0  # recurrent layers: channels of the convolution


class Shape(Value, kw_only=True):
    """What sizing needs to know about a model. `exact`: from a header's tensor table."""

    architecture: str
    layers: tuple[Layer, ...]
    token_embedding: Bytes  # stays in host memory always
    output: Bytes  # the output matrix; for a tied one the embedding's size
    output_extra: Bytes = 0  # output norm and other tensors beside the output matrix
    tied: bool = False  # the embedding is the output: a second copy where it is on a GPU
    output_type: str = ""  # of the output matrix: "Q6_K"
    embedding: int  # n_embd
    vocabulary: int
    sliding_window: int = 0  # tokens; 0: none
    trained_context: int  # tokens
    experts: int = 0
    mla_key: int = 0  # MLA: key elements of one head before compression
    mla_value: int = 0
    exact: bool = True
    modelled: bool = True  # False: this architecture has caches that are not sized here

    @property
    def weights(self) -> int:
        """Bytes of all tensors in the file."""
        own = 0 if self.tied else self.output
        layers = sum(layer.weights for layer in self.layers)
        return self.token_embedding + own + self.output_extra + layers

    @property
    def dense(self) -> bool:
        """Only full attention and no experts: the case that is sized best."""
        return not self.experts and all(
            layer.attention == "full" and not layer.state for layer in self.layers
        )


class FitSettings(Value, kw_only=True):
    """Settings of the engine that change how much memory it takes."""

    context: int  # tokens
    gpu_layers: int = 0  # counted from the last, the output layer first (as -ngl does)
    cpu_experts: int = 0  # the experts of the first n layers stay on the CPU (--n-cpu-moe)
    kv_type: str = "f16"  # type of the cached keys and values
    batch: int = 2048  # n_batch
    ubatch: int = 512  # n_ubatch
    flash: Flash = "auto"  # flash attention
    sequences: int = 1
    full_window: bool = False  # swa_full: window layers cache the whole context
    split: tuple[int, ...] = ()  # layers on each GPU; (): by free memory, as the engine does
    prompt_cache: Bytes = 0  # host memory for prompt prefixes that are kept


class Device(Value, kw_only=True):
    """Where memory can be taken from, and how much there is."""

    name: str
    kind: DeviceKind
    free: Bytes
    total: Bytes
    shared: bool = False  # a GPU without memory of its own: it takes the host's
    card: str = ""  # the GPU's name for people: "NVIDIA GeForce RTX 4090"
    arch: str = ""  # of a CPU: "x86_64", "aarch64"


class DeviceUse(Value, kw_only=True):
    """Bytes on one device."""

    device: str
    weights: Bytes = 0
    kv: Bytes = 0  # cached keys and values, recurrent states
    compute: Bytes = 0  # intermediate results
    output: Bytes = 0  # logits that the caller reads
    overhead: Bytes = 0  # process, vocabulary, driver context, prompt cache

    @property
    def engine(self) -> int:
        """What the engine itself reports: everything but `overhead`."""
        return self.weights + self.kv + self.compute + self.output

    @property
    def total(self) -> int:
        return self.engine + self.overhead


class Estimate(Value, kw_only=True):
    """The need of one model with one set of settings."""

    settings: FitSettings
    devices: tuple[DeviceUse, ...]  # the CPU first, then each GPU that is used
    error: float  # the truth lies within this fraction of `total`
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(use.total for use in self.devices)

    @property
    def engine(self) -> int:
        """What the engine itself would report for all devices."""
        return sum(use.engine for use in self.devices)


class Need(Value, kw_only=True):
    """One line of the comparison: a device needs this much and has that much."""

    device: str
    needs: Bytes
    has: Bytes  # free now
    margin: Bytes  # that should stay free


class Choice(Value, kw_only=True):
    """The best settings for a machine, and what that means."""

    verdict: Verdict
    estimate: Estimate
    needs: tuple[Need, ...]
    why: str  # one sentence
