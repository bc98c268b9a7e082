"""Results as a real run makes them, from a seed, and odd ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import get_args

import msgspec

from smolpc.schema.bench import (
    HIGHER_IS_BETTER,
    Anchor,
    Answer,
    BenchResult,
    Comparison,
    Condition,
    Estimate,
    Limit,
    Metric,
    Player,
    Scenario,
    Summary,
    Variant,
)
from smolpc.schema.host import Cpu, Gpu, Host, Memory, OperatingSystem
from smolpc.schema.tuning import fingerprint
from smolpc.stats import lower_bound, upper_bound

METRICS: tuple[Metric, ...] = get_args(Metric)
ENGINE = "llama.cpp 0.3.36"
KEY, FILE = "ab" * 32, "cd" * 32
SCENARIOS = (
    Scenario(
        name="short-chat",
        title="Short chat",
        about="A pupil asks one question and reads the answer.",
        prompt="Explain in a few sentences why the sky is blue.",
        answer=64,
    ),
    Scenario(
        name="code-edit",
        title="Code edit",
        about="A file and a wish go in, the changed file comes out.",
        prompt="Rename the function.",
        answer=160,
    ),
)
PLAYERS: dict[str, Player] = {
    "Ollama": "ollama",
    "llama-server": "llama-server",
    "llama-bench": "llama-bench",
}
SPEEDS = {"in process": 1.0, "llama-server": 0.98, "Ollama": 0.78}


def host(cores: int = 4, memory: int = 16, gpu: str = "") -> Host:
    return Host(
        os=OperatingSystem(system="linux", name="Debian GNU/Linux 12 (bookworm)"),
        cpu=Cpu(
            arch="x86_64",
            vendor="GenuineIntel",
            brand="Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz",
            physical_cores=cores,
            logical_cores=2 * cores,
            usable_cores=float(2 * cores),
        ),
        memory=Memory(total=memory * 10**9, available=memory * 6 * 10**8),
        gpus=(Gpu(vendor="nvidia", name=gpu, memory=8 * 10**9, driver="570.1"),) if gpu else (),
    )


def variant(name: str = "in process", **changes: object) -> Variant:
    plain = Variant(
        name=name,
        player=PLAYERS.get(name, "llamacpp"),
        model="smollm2-135m-instruct-q8_0",
        model_sha256=FILE,
        engine="ollama 0.12.0" if name == "Ollama" else ENGINE,
        artifact="" if name == "Ollama" else KEY,
        url="http://127.0.0.1:11434" if name == "Ollama" else "",
        settings={} if name == "Ollama" else {"threads": 4, "context": 4096},
    )
    return msgspec.structs.replace(plain, **changes)


def answer(
    rng: random.Random, scenario: Scenario, name: str, block: int, speed: float, noise: float
) -> Answer:
    """One answer at about this speed (1: 60 tokens/s)."""
    speed *= rng.lognormvariate(0, noise)
    decode, prompt = 60 * speed, 900 * speed * rng.lognormvariate(0, noise)
    tokens = 40 if scenario.name == "short-chat" else 400
    first = tokens / prompt + 0.01
    return Answer(
        scenario=scenario.name,
        variant=name,
        block=block,
        place=0,
        at=block * 10.0,
        prompt_tokens=tokens,
        answer_tokens=scenario.answer,
        first_token=first,
        prompt=prompt,
        decode=decode,
        gap_p50=1 / decode,
        gap_p95=1.3 / decode,
        gap_p99=2 / decode,
        total=first + scenario.answer / decode,
        cpu=3.9,
        memory=int(4e8 / speed),
        load=0.4,
    )


def estimate(values: Sequence[float]) -> Estimate:
    """With an interval where there are enough values."""
    low, high = lower_bound(values, 0.975), upper_bound(values, 0.975)
    if low == float("-inf"):
        return Estimate(median=median(values), count=len(values))
    return Estimate(median=median(values), low=low, high=high, count=len(values))


def _values(answers: Sequence[Answer], scenario: str, name: str, metric: str) -> dict[int, float]:
    return {
        one.block: getattr(one, metric)
        for one in answers
        if (one.scenario, one.variant) == (scenario, name)
        and not one.flags
        and getattr(one, metric) is not None
    }


def summed_up(found: BenchResult) -> BenchResult:
    """With the summaries and comparisons of its answers."""
    summaries, comparisons = [], []
    base = found.variants[0].name if found.variants else ""
    for scenario in (one.name for one in found.scenarios):
        for name in (one.name for one in found.variants):
            for metric in METRICS:
                values = _values(found.answers, scenario, name, metric)
                if not values:
                    continue
                summaries.append(
                    Summary(
                        scenario=scenario,
                        variant=name,
                        metric=metric,
                        value=estimate(list(values.values())),
                    )
                )
                others = _values(found.answers, scenario, base, metric)
                pairs = [values[block] / others[block] for block in values if others.get(block)]
                if name != base and pairs:
                    comparisons.append(compared(scenario, metric, base, name, estimate(pairs)))
    return msgspec.structs.replace(
        found, summaries=tuple(summaries), comparisons=tuple(comparisons)
    )


def compared(scenario: str, metric: Metric, base: str, name: str, ratio: Estimate) -> Comparison:
    verdict = "parity"
    if ratio.low is None or ratio.high is None:
        verdict = "unknown"
    elif ratio.low > 1:
        verdict = "better" if metric in HIGHER_IS_BETTER else "worse"
    elif ratio.high < 1:
        verdict = "worse" if metric in HIGHER_IS_BETTER else "better"
    return Comparison(
        scenario=scenario,
        metric=metric,
        base=base,
        variant=name,
        ratio=ratio,
        verdict=verdict,  # type: ignore[arg-type]
    )


def result(
    speeds: dict[str, float] | None = None,
    *,
    blocks: int = 12,
    noise: float = 0.02,
    flagged: Sequence[int] = (3,),
    scenarios: Sequence[Scenario] = SCENARIOS,
    machine: Host | None = None,
    created: str = "2026-11-25T00:15:00+00:00",
    seed: int = 1,
    notes: Sequence[str] = (),
) -> BenchResult:
    """A run with these variants (name -> speed, the first one is the base)."""
    rng, machine = random.Random(seed), machine or host()
    speeds = SPEEDS if speeds is None else speeds
    answers = tuple(
        msgspec.structs.replace(one, flags=("load",)) if block in flagged else one
        for block in range(blocks)
        for scenario in scenarios
        for name, speed in speeds.items()
        for one in [
            answer(rng, scenario, name, block, speed * (0.7 if block in flagged else 1), noise)
        ]
    )
    limits = tuple(
        Limit(
            scenario=scenario.name,
            variant=name,
            metric=metric,
            limit=most,
            share=speed * rate / most,
            held_back_by=why,
        )
        for scenario in scenarios
        for name, speed in list(speeds.items())[:1]
        for metric, rate, most, why in (
            ("decode", 60, 88.0, "memory bandwidth"),
            ("prompt", 900, 2400.0, "arithmetic"),
        )
    )
    return summed_up(
        BenchResult(
            id=f"20261125-001500-{seed:04x}",
            created=created,
            smolpc="0.1.0",
            seconds=118.4,
            seed=seed,
            host=machine,
            fingerprint=fingerprint(machine),
            scenarios=tuple(scenarios),
            variants=tuple(variant(name) for name in speeds),
            answers=answers,
            anchors=tuple(
                Anchor(block=block, at=block * 10.0 + end, seconds=rng.gauss(0.21, 0.003))
                for block in range(blocks)
                for end in (0.0, 9.0)
            ),
            conditions=tuple(
                Condition(block=block, other_cpu=0.8 if block in flagged else 0.02)
                for block in range(blocks)
            ),
            limits=limits,
            notes=tuple(notes),
        )
    )
