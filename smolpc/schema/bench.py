"""Benchmarks: what is asked (scenarios), who answers (variants), and what came out.

One JSON file per run, with every single measurement in it, so that anybody can compute the
summary again. Times in seconds, rates in tokens per second, memory in bytes, energy in joules.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from smolpc.schema.base import Bytes, Name, Value
from smolpc.schema.host import Host
from smolpc.schema.running_report import Reason

Player = Literal["llamacpp", "llama-server", "ollama", "openai", "llama-bench"]
# "first_token", "total", "load" and the gaps between tokens are seconds, "prompt" and "decode"
# tokens per second, "cpu" processors in use, "memory" and "vram" bytes, "energy" joules.
Metric = Literal[
    "first_token",
    "prompt",
    "decode",
    "gap_p50",
    "gap_p95",
    "gap_p99",
    "total",
    "cpu",
    "memory",
    "vram",
    "energy",
    "load",
]
HIGHER_IS_BETTER: tuple[Metric, ...] = ("prompt", "decode")
# "parity": the interval covers 1, or the difference is too small to matter. "unknown": too few
# measurements, or an interval so wide that it covers 2/3 and 3/2.
Verdict = Literal["better", "worse", "parity", "unknown"]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Scenario(Value, kw_only=True):
    """One thing that people do with a model: `recipes/benchmarks/<name>.yaml`.

    Prompts and lengths are fixed; whoever changes them raises `version`, and results of
    different versions are never compared.
    """

    name: Name
    version: Count = 1
    title: str  # for people: "Short chat"
    about: str  # what it stands for, one sentence
    quick: bool = True  # part of the two-minute set
    system: str = ""  # a system prompt, the same for every answer
    prompt: str  # the question, or the text to go on with
    raw: bool = False  # `prompt` is text to continue, without the chat template
    suffix: str = ""  # what follows the gap behind `prompt` (needs a model that fills gaps)
    filler: str = ""  # repeated in front of `prompt` until `fill` of the context is used
    fill: Share = 0.0  # of the smallest context of all players
    warm: bool = False  # what was computed for the answer before may be used again
    answer: Count  # tokens; the model's end of turn does not stop it, where a player can do that
    # Answers at a time, servers only: their figures are those of all together (`timing.together`).
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1

    def __post_init__(self) -> None:
        if self.fill and not self.filler:
            raise ValueError("`fill` needs a `filler` to fill the context with")


class Variant(Value, kw_only=True):
    """One player with one model, one engine and one set of settings."""

    name: str  # unique in the run: "in process", "llama-server", "in process, threads 1"
    wish: str = ""  # how it was asked for: "llamacpp:threads=1"
    player: Player
    model: str
    model_sha256: str  # of the GGUF bytes that answer, "" where the player does not tell
    engine: str = ""  # version of the program that computes
    artifact: str = ""  # key of our engine, "" for others
    url: str = ""  # without credentials
    settings: dict[str, Any] = {}  # as they were used: "threads", "context", ...
    reasons: tuple[Reason, ...] = ()  # where each setting came from
    slower: float = 0.0  # share of the time of each token added on purpose, to test the method


class Figures(Value, kw_only=True):
    """What a player tells about one answer. None: it cannot say."""

    prompt_tokens: int
    answer_tokens: int
    reused_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    first_token: float | None = None
    prompt: float | None = None
    decode: float | None = None
    gap_p50: float | None = None
    gap_p95: float | None = None
    gap_p99: float | None = None
    total: float | None = None


class Answer(Figures, kw_only=True):
    """One measured answer. A value that could not be measured is None."""

    scenario: str
    variant: str
    block: int  # in each block every variant answers each scenario once
    place: int  # in the random order of its block
    at: float  # seconds since the run began
    cpu: float | None = None
    memory: Bytes | None = None
    vram: Bytes | None = None
    energy: float | None = None
    load: float | None = None
    flags: tuple[str, ...] = ()  # why it does not count: "drift", "load", ...


class Anchor(Value, kw_only=True):
    """The same small piece of work, done before and after each block: the speed of the machine
    itself, whatever is measured."""

    block: int
    at: float
    seconds: float


class Condition(Value, kw_only=True):
    """What the machine was like during one block. None: it does not say."""

    block: int
    other_cpu: float  # processors that other programs kept busy
    frequency: float | None = None  # MHz, mean over the processors
    temperature: float | None = None  # degrees Celsius, the hottest sensor of the processor
    on_battery: bool | None = None
    governor: str = ""
    turbo: bool | None = None  # whether the processor may run faster than its nominal speed
    throttled: bool | None = None  # whether heat slowed it down in this block


class Estimate(Value, kw_only=True):
    """A median (of ratios: a robust center), and where the true one lies with 95 % confidence. With
    too few measurements to say, `low` and `high` are None."""

    median: float
    low: float | None = None
    high: float | None = None
    count: int


class Summary(Value, kw_only=True):
    """One metric of one variant in one scenario, over the answers that count."""

    scenario: str
    variant: str
    metric: Metric
    value: Estimate


class Comparison(Value, kw_only=True):
    """`variant` against `base`, from pairs within a block. `ratio` is variant / base.

    The intervals of all comparisons of one run hold together with 95 % confidence. Between two
    runs, `base` is the id of the earlier one, and `variant` the name in both.
    """

    scenario: str
    metric: Metric
    base: str
    variant: str
    ratio: Estimate
    verdict: Verdict


class Limit(Value, kw_only=True):
    """How near a figure comes to what the machine can do at most (see docs/benchmarks.md)."""

    scenario: str
    variant: str
    metric: Metric
    limit: float  # in the unit of the metric
    share: float  # measured / limit
    held_back_by: str  # "memory bandwidth", "arithmetic"


class BenchResult(Value, kw_only=True):
    """One run of `smolpc bench`; `smolpc bench --json` and the files of `bench.history`."""

    format: int = 1
    id: str  # "20261125-001500-3f9a": when it began, and a random part
    created: str  # ISO 8601, UTC
    smolpc: str  # version
    seconds: float
    seed: int  # of the order within the blocks
    full: bool = False
    pinned: tuple[int, ...] = ()  # the processors that were used; (): all
    host: Host
    fingerprint: str  # of everything about the machine that makes a model faster or slower
    scenarios: tuple[Scenario, ...]
    variants: tuple[Variant, ...]  # the first one is the base of the comparisons
    answers: tuple[Answer, ...]
    anchors: tuple[Anchor, ...] = ()
    conditions: tuple[Condition, ...] = ()
    summaries: tuple[Summary, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[Limit, ...] = ()
    notes: tuple[str, ...] = ()  # what the reader must know: load, drift, different prompts
    broke: str = ""  # the error that ended it before its time
