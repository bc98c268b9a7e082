"""Many PCs in one report: alike machines together, the median PC of each kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median

from smolpc.bench.report.figures import clean, known
from smolpc.bench.report.keys import Key, keyed, one_name, when
from smolpc.schema.bench import BenchResult, Estimate
from smolpc.schema.bench_many import ClassReport, MachineClass, MergedReport, MergedRow
from smolpc.schema.host import Host
from smolpc.stats import lower_bound, upper_bound

SOLD = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # GiB
NOISE_WORDS = re.compile(r"\((R|TM|C)\)|\bCPU\b|\bProcessor\b|@.*$", re.IGNORECASE)
Found = tuple[float, str, float | None]  # value, base, ratio


def merge(by_pc: Mapping[str, Sequence[BenchResult]]) -> MergedReport:
    """`by_pc`: the results of each PC, under any name that tells PCs apart (its file or folder):
    the fingerprint is the same for PCs of one kind. Each figure is from the PC's newest run that
    has it; a PC without results is left out."""
    groups: dict[MachineClass, list[list[BenchResult]]] = {}
    for results in by_pc.values():
        ordered = sorted(results, key=when)
        if ordered:
            groups.setdefault(machine_class(ordered[-1].host), []).append(ordered)
    classes = [_class(machine, pcs) for machine, pcs in groups.items()]
    return MergedReport(classes=tuple(sorted(classes, key=lambda one: -one.pcs)))


def machine_class(host: Host) -> MachineClass:
    """What kind of PC this is."""
    cpu = host.cpu
    size = host.memory.total / 2**30
    cards = sorted(clean(one.name) for one in host.gpus if not one.integrated)
    return MachineClass(
        processor=clean(NOISE_WORDS.sub(" ", cpu.brand)) or cpu.vendor or cpu.arch,
        cores=cpu.physical_cores,
        memory=f"{next((one for one in SOLD if one >= size), round(size))} GB",
        graphics=", ".join(cards),
    )


def _class(machine: MachineClass, pcs: Sequence[Sequence[BenchResult]]) -> ClassReport:
    found: dict[Key, list[Found]] = {}
    engines: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for results in pcs:
        for key, (one, engine) in _newest(results, names).items():
            found.setdefault(key, []).append(one)
            engines.setdefault(key.variant, set()).add(engine)
    return ClassReport(
        machine=machine,
        pcs=len(pcs),
        rows=tuple(_row(key, values) for key, values in found.items()),
        notes=tuple(
            f"{variant}: these PCs have different engines ({', '.join(sorted(versions))})"
            for variant, versions in engines.items()
            if len(versions) > 1
        ),
    )


def _newest(results: Sequence[BenchResult], names: dict[str, str]) -> dict[Key, tuple[Found, str]]:
    """Each figure of one PC from its newest run that has it, and the engine that made it."""
    newest: dict[Key, tuple[Found, str]] = {}
    for result in results:
        ratios = {(one.scenario, one.variant, one.metric): one for one in result.comparisons}
        for key, variant, value in keyed(result):
            if known(value.median) is None:
                continue
            pair = ratios.get((key.scenario, key.variant, key.metric))
            ratio = known(pair.ratio.median) if pair else None
            base = pair.base if pair and ratio else ""
            newest[one_name(key, names)] = (
                (value.median, base, ratio),
                variant.engine or "unknown version",
            )
    return newest


def _row(key: Key, found: Sequence[Found]) -> MergedRow:
    values = [value for value, _, _ in found]
    bases = {base for _, base, _ in found if base}
    base = bases.pop() if len(bases) == 1 else ""  # PCs with different bases do not compare
    ratios = [ratio for _, one, ratio in found if base and one == base and ratio]
    return MergedRow(
        **key._asdict(),
        value=_over(values),
        pcs=tuple(sorted(values)),
        base=base,
        ratio=_over(ratios) if ratios else None,
    )


def _over(values: Sequence[float]) -> Estimate:
    """The median PC, and where that of all such PCs lies with 95 % confidence."""
    low, high = lower_bound(values, 0.975), upper_bound(values, 0.975)
    if low == float("-inf"):
        return Estimate(median=median(values), count=len(values))
    return Estimate(median=median(values), low=low, high=high, count=len(values))
