"""How near each measured rate comes to what the machine can do at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from smolpc.bench.limit.peaks import measure
from smolpc.bench.limit.roof import share
from smolpc.bench.limit.work import decode, prefill
from smolpc.bench.summary import counted
from smolpc.console import Reporter
from smolpc.models.headers import header_of
from smolpc.net import NetSettings
from smolpc.plan import fit
from smolpc.schema.bench import Answer, Limit, Metric, Scenario, Summary, Variant
from smolpc.schema.fit import Shape
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.host import Host
from smolpc.schema.limit import Peaks, Work

UBATCH = 512  # tokens of a prompt that are computed at once, where the player does not tell


def shares(
    model: Path,
    sha256: str,
    host: Host,
    scenarios: Sequence[Scenario],
    variants: Sequence[Variant],
    answers: Sequence[Answer],
    summaries: Sequence[Summary],
    reporter: Reporter,
) -> tuple[Limit, ...]:
    """The share of the limit for each decode and prompt rate of `variants` that run the file
    `model` on the processor. Measures the peaks of the machine, which takes about 6 seconds.

    Where several answers are computed together, one reading of the weights serves them all: that
    has another limit, so it gets none.
    """
    alone = {one.name for one in scenarios if one.parallel == 1}
    summaries = [one for one in summaries if one.scenario in alone]
    wanted = [one for one in variants if one.model_sha256 == sha256 and on_processor(one, host)]
    if not wanted or not summaries:
        return ()
    header = header_of(model, NetSettings(offline=True))
    shape = fit.shape_of(header)
    peaks = measure(host, int(decode(header, shape, 0).bytes), reporter).peaks
    return tuple(found(header, shape, peaks, wanted, answers, summaries))


def on_processor(variant: Variant, host: Host) -> bool:
    """Whether no layer is on a GPU: only the processor is measured. Who does not tell may use any
    that is here."""
    return not variant.settings.get("gpu_layers", len(host.gpus))


def found(
    header: GgufHeader,
    shape: Shape,
    peaks: Peaks,
    variants: Sequence[Variant],
    answers: Sequence[Answer],
    summaries: Sequence[Summary],
) -> Iterator[Limit]:
    """The shares, given the peaks. An answer with guesses that were right has none for its
    decode rate: there one reading of the weights gives several tokens."""
    known = {one.name: one for one in variants}
    for summary in summaries:
        variant = known.get(summary.variant)
        mine = counted(answers, summary.scenario, summary.variant)
        if variant is None or not mine:
            continue
        work = work_of(summary.metric, header, shape, variant, mine)
        if work is None:
            continue
        reached = share(summary.value.median, work, peaks)
        yield Limit(
            scenario=summary.scenario,
            variant=summary.variant,
            metric=summary.metric,
            limit=reached.limit,
            share=reached.of_limit,
            held_back_by=reached.held_back_by,
        )


def work_of(
    metric: Metric, header: GgufHeader, shape: Shape, variant: Variant, answers: Sequence[Answer]
) -> Work | None:
    """What one token of these answers costs; None for a metric that has no limit."""
    kv_type = str(variant.settings.get("kv_type") or "f16")
    prompt = round(median(one.prompt_tokens for one in answers))
    if metric == "decode" and not any(one.accepted_tokens for one in answers):
        half = round(median(one.answer_tokens for one in answers)) // 2
        return decode(header, shape, prompt + half, kv_type)
    if metric == "prompt" and prompt:
        reused = round(median(one.reused_tokens for one in answers))
        most = int(variant.settings.get("ubatch") or UBATCH)
        together = max(1, min(prompt - reused, most))
        return prefill(header, shape, reused, together, kv_type)
    return None
