"""What surrounds the figures: the machine, the noise, who played. No paths, no names of people."""

from __future__ import annotations

from collections import Counter
from statistics import median

from smolpc import stats
from smolpc.bench.report.figures import known, listed, number, share
from smolpc.console import human_bytes, human_seconds
from smolpc.schema.bench import BenchResult, Variant
from smolpc.schema.host import Gpu, Host

USED = ("threads", "context", "gpu_layers", "speculation", "flash")  # settings worth a line
FEW = 4  # anchors; with fewer the middle half says nothing


def machine(host: Host) -> list[tuple[str, str]]:
    """The machine as (label, text)."""
    cpu = host.cpu
    cores = f"{cpu.physical_cores} cores, {cpu.logical_cores} threads"
    if cpu.usable_cores < cpu.logical_cores:
        cores += f", {cpu.usable_cores:g} usable"
    limit = f" (limited by {host.memory.limited_by})" if host.memory.limited_by else ""
    lines = [
        ("System", host.os.name or host.os.system),
        ("Processor", f"{cpu.brand or cpu.vendor or cpu.arch}, {cores}"),
        ("Memory", human_bytes(host.memory.total) + limit),
    ]
    return [*lines, *(("Graphics", _gpu(one)) for one in host.gpus)]


def _gpu(gpu: Gpu) -> str:
    size = human_bytes(gpu.memory) if gpu.memory else "shared memory" if gpu.integrated else ""
    return ", ".join(filter(None, [gpu.name, size, gpu.driver and f"driver {gpu.driver}"]))


def noise(result: BenchResult) -> list[str]:
    """How quiet the machine was, in sentences."""
    found = [_counted(result)]
    seconds = [one.seconds for one in result.anchors if known(one.seconds)]
    if len(seconds) >= FEW:
        found.append(
            f"the same small piece of work took {number(median(seconds))} s; the middle half of"
            f" {len(seconds)} times lies within {share(stats.spread(seconds))}"
        )
    busiest = max((one.other_cpu for one in result.conditions), default=0.0)
    if known(busiest) and busiest >= 0.05:
        found.append(f"other programs used up to {busiest:.1f} processors")
    if any(one.on_battery for one in result.conditions):
        found.append("the PC ran on its battery, which often makes it slower")
    if any(one.turbo is False for one in result.conditions):
        found.append("the processor may not run faster than its nominal speed: turbo is off")
    if any(one.throttled for one in result.conditions):
        found.append("the processor was too hot or short of power and slowed itself down")
    return found


def _counted(result: BenchResult) -> str:
    answers = result.answers
    if not answers:
        return "nothing was measured"
    blocks = len({one.block for one in answers})
    said = f"{len(answers)} answers in {blocks} block{'s' * (blocks != 1)}"
    flags = Counter(flag for one in answers for flag in one.flags)
    out = sum(bool(one.flags) for one in answers)
    if out:
        said += f"; {out} do not count ({listed([f'{flag}: {n}' for flag, n in flags.items()])})"
    return f"{said}; {human_seconds(known(result.seconds) or 0)} in all"


def player(variant: Variant) -> list[tuple[str, str]]:
    """One variant as (label, text), without what is not known."""
    used = [f"{name} {variant.settings[name]}" for name in USED if name in variant.settings]
    return [
        (label, text)
        for label, text in (
            ("model", variant.model),
            ("file", variant.model_sha256[:12]),
            ("engine", variant.engine),
            ("engine key", variant.artifact[:12]),
            ("address", variant.url),
            ("settings", ", ".join(used)),
            ("slowed on purpose", f"by {variant.slower:.0%}" if variant.slower else ""),
        )
        if text
    ]
