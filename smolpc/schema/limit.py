"""What a machine could do at most with a model. Values of `smolpc.bench.limit`."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Sha256, Value

Stage = Literal["decode", "prefill"]
Resource = Literal["memory bandwidth", "arithmetic"]
HeldBackBy = Literal["memory bandwidth", "arithmetic", "something else"]


class MemoryRate(Value, kw_only=True):
    """How fast all threads together read a buffer, again and again. Bytes a second."""

    best: float
    median: float
    buffer: Bytes
    threads: int
    rounds: int


class MatrixRate(Value, kw_only=True):
    """How fast numpy multiplies square float32 matrices. Operations a second; a multiplication
    and an addition are two."""

    best: float
    median: float
    size: int  # rows of a matrix
    cores: float  # that it kept busy, of those that may be used
    rounds: int
    library: str  # that numpy calls: "scipy-openblas 0.3.30"


class Derived(Value, kw_only=True):
    """A peak that was not measured: the float32 peak times what the instructions allow."""

    operations: float  # a second
    factor: float
    why: str  # which instruction, for people


class Peaks(Value, kw_only=True):
    """What the processor and its memory do at most. All values are above 0 but `near`."""

    memory: float  # bytes a second
    single: float  # float32 operations a second
    half: float  # operations a second on 16-bit floats
    integer: float  # operations a second on quantized values
    cache: Bytes = 0  # last-level cache, as the machine reports it; 0: not known
    near: float = 0.0  # bytes a second from `cache`, where the model fits into it; 0: it does not


class Work(Value, kw_only=True):
    """What one token costs, by the numbers in the model's header."""

    stage: Stage
    depth: int  # tokens that are in the context before
    together: int = 1  # tokens that are computed at once
    bytes: float  # read from memory for one token; tokens computed at once share the weights
    integer: float = 0.0  # operations on quantized values; a product and its sum are two
    half: float = 0.0  # operations on 16-bit floats
    single: float = 0.0  # operations on 32-bit floats


class Limit(Value, kw_only=True):
    """No engine can be faster with this work on this machine, if the peaks are right."""

    work: Work
    rate: float  # tokens a second
    limited_by: Resource
    memory_seconds: float  # that the memory needs for one token
    arithmetic_seconds: float  # that the cores need for one token


class Share(Value, kw_only=True):
    """A measured rate, compared with its limit."""

    rate: float  # tokens a second
    limit: float  # tokens a second
    of_limit: float  # 0.8: 80 % of the limit; above 1: a peak was measured too low
    of_memory: float  # the share of the memory bandwidth that is used
    of_arithmetic: float
    held_back_by: HeldBackBy


class LimitReport(Value, kw_only=True):
    """`bench.limit --json`."""

    format: int = 1
    model: str
    model_sha256: Sha256
    weights: Bytes
    trained_context: int  # tokens
    kv_type: str  # type of the cached keys and values
    memory: MemoryRate
    near: MemoryRate | None = None  # of a buffer as large as the model, where a cache holds it
    matrices: MatrixRate
    half: Derived
    integer: Derived
    peaks: Peaks
    limits: tuple[Limit, ...]
    others: float | None = None  # cores that other programs used meanwhile; None: not known
    stolen: float = 0.0  # cores that the host of a virtual machine gave to others
    seconds: float = 0.0  # that the measurement took
    sentence: str
    notes: tuple[str, ...] = ()
