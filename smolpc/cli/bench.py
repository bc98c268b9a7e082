"""`bench` and `bench.*`: how fast this machine is, what is faster, and what is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.exceptions import Exit

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolpc.schema.bench import BenchResult, Comparison
    from smolpc.schema.limit import Limit, LimitReport
    from smolpc.store import Store

STAGES = {"decode": "write an answer", "prefill": "read a prompt"}
MINUTES = 2.0


@command(
    name="run",
    first="model",
    help={
        "model": "an installed model by name (default: that of the last setup)",
        "players": "who answers, the first one is what the others are compared with, such as"
        ' "llama-server, llamacpp, llamacpp:threads=1+speculation=off, http://127.0.0.1:8080"',
        "vs": "compare with this one only: ollama, llama-server or an address",
        "scenarios": "what is asked, names with commas between them (see bench.scenarios)",
        "minutes": f"how long to measure (default: {MINUTES:g})",
        "full": "all scenarios, also those that take long",
        "seed": "of the order of the measurements (default: another one each time)",
        "pin": "only on these processors, such as 0-3,6 (not on macOS)",
        "save": "also write the result to this file",
    },
    events=True,
)
def bench(
    console: Console,
    model: str = "",
    players: str = "",
    vs: str = "",
    scenarios: str = "",
    minutes: str = "",
    full: bool = False,
    seed: int = -1,
    pin: str = "",
    save: str = "",
    json: bool = False,
) -> None:
    """Measure how fast models answer here, in turns, and compare."""
    from smolpc import settings
    from smolpc.bench import conduct, lineup, pinning, results, wishes
    from smolpc.bench.report import tables
    from smolpc.bench.scenarios import chosen
    from smolpc.cli.durations import seconds_of
    from smolpc.files import user_path
    from smolpc.provision.target import catalog_for, host_for

    config = settings.load_config().settings
    known = catalog_for(config).scenarios
    wanted = chosen(known.values(), _names(scenarios), full=full)
    asked = wishes.wishes([vs, "llamacpp"] if vs else _names(players) or wishes.USUAL)
    seconds = seconds_of(minutes, MINUTES, "smolpc bench")
    pinned = pinning.processors_in(pin)
    with pinning.pinned(pinned):
        line = lineup.Lineup(model, host_for(config))
        result = conduct.bench(
            line,
            asked,
            wanted,
            seconds=seconds,
            seed=None if seed < 0 else seed,
            full=full,
            pinned=pinned,
            reporter=console.reporter,
        )
    path = results.keep(line.store, result)
    if save:
        path = user_path(save)
        results.write(path, result)
    if json:
        console.emit(result)
    tables.show(console, result)
    console.print(f"kept as {path}   (smolpc bench.report makes a page of it)")
    _fail_if_broken(result, json)


def _fail_if_broken(result: BenchResult, json: bool) -> None:
    """A run that ended before its time is kept and shown; a script must know it all the same."""
    from smolpc.errors import PrerequisiteError

    if result.broke and json:
        raise Exit(code=PrerequisiteError.code)
    if result.broke:
        raise PrerequisiteError(
            "the measurement ended early",
            why=result.broke,
            next_step="smolpc bench   (once that is mended)",
        )


@command(
    first="base new",
    help={
        "base": "a result: a file, the beginning of an id, or last",
        "new": "the result that is compared with it",
        "fail_if": 'end with code 11 if the data say so: "decode < 0.97, first_token > 1.1"',
        "strict": "the median decides, also where the noise allows both",
    },
)
def compare(
    console: Console,
    base: str,
    new: str = "last",
    fail_if: str = "",
    strict: bool = False,
    json: bool = False,
) -> None:
    """Compare two results, and fail a build where the new one is worse."""
    from smolpc.bench import between, gates, results
    from smolpc.errors import GateFailed
    from smolpc.schema.bench_report import CompareReport

    wanted = gates.parse(fail_if) if fail_if else ()
    store = _store()
    before, after = results.read(store, base), results.read(store, new)
    found, notes = between.compare(before, after)
    judged = gates.judge(wanted, found, strict=strict) if wanted else ()
    failed = [one for one in judged if one.failed]
    if json:
        console.emit(
            CompareReport(
                base=before.id,
                new=after.id,
                comparisons=found,
                failed=tuple(one.why for one in failed),
                notes=notes,
            )
        )
    _show_comparisons(console, found, notes)
    if failed and json:
        raise Exit(code=GateFailed.code)
    if failed:
        raise GateFailed(
            f"{len(failed)} of {len(judged)} conditions were met",
            why="; ".join(one.why for one in failed),
            next_step=f"smolpc bench.compare {base} {new}   (all figures)",
        )


@command(
    first="result",
    help={
        "result": "a result: a file, the beginning of an id, or last",
        "minutes": f"how long to measure (default: {MINUTES:g})",
    },
    events=True,
)
def rerun(console: Console, result: str = "last", minutes: str = "", json: bool = False) -> None:
    """Measure a kept result once more with the same inputs, and say how well it is reproduced."""
    from smolpc import settings
    from smolpc.bench import lineup, pinning, results
    from smolpc.bench import rerun as reruns
    from smolpc.cli.durations import seconds_of
    from smolpc.provision.target import host_for
    from smolpc.schema.bench_report import CompareReport

    store, config = _store(), settings.load_config().settings
    old = results.read(store, result)
    model = reruns.model_of(old, store, config, console.reporter)
    seconds = seconds_of(minutes, MINUTES, "smolpc bench.rerun")
    with pinning.pinned(old.pinned):
        line = lineup.Lineup(model, host_for(config))
        new, found, notes = reruns.again(old, line, seconds=seconds, reporter=console.reporter)
    results.keep(line.store, new)
    if json:
        console.emit(CompareReport(base=old.id, new=new.id, comparisons=found, notes=notes))
    _show_comparisons(console, found, (*notes, *new.notes))
    console.print(reruns.words(found))
    _fail_if_broken(new, json)


def _show_comparisons(console: Console, found: Sequence[Comparison], notes: Sequence[str]) -> None:
    from smolpc.bench.report.figures import LOOKS, ratios, times
    from smolpc.bench.report.grid import COLUMNS

    console.table(
        ("scenario", "player", "figure", "new / base", "between", "verdict"),
        [
            (
                one.scenario,
                one.variant,
                LOOKS[one.metric].title,
                times(one.ratio.median),
                ratios(one.ratio),
                one.verdict,
            )
            for one in found
            if one.metric in COLUMNS
        ],
    )
    for note in notes:
        console.print(f"note: {note}")


@command(
    first="results",
    help={
        "results": "files, folders with one file of each PC, or ids, with commas between them"
        " (default: last)",
        "out": "the file to write: .html, .md or .csv",
    },
)
def report(console: Console, results: str = "last", out: str = "") -> None:
    """Make one page, a Markdown text or a table of all answers from a result; with several
    results a report by kind of PC."""
    from smolpc import files, settings
    from smolpc.bench import results as kept
    from smolpc.bench.report import written
    from smolpc.provision.target import catalog_for

    config = settings.load_config().settings
    by_pc = kept.gathered(_store(), _names(results))
    path = files.user_path(out or "smolpc-bench.html")
    text = written.text(by_pc, path.suffix, catalog_for(config).template)
    with files.explain_os_errors(path, f"write {path}"):
        files.write_atomic(path, text.encode())
    console.print(f"written: {path}")


@command()
def history(console: Console, json: bool = False) -> None:
    """Show the results that are kept in the order of time, and what changed in between."""
    from msgspec import structs

    from smolpc.bench import results
    from smolpc.bench.report import trends
    from smolpc.bench.report.history import history as trends_of

    runs, notes = results.kept(_store())
    found = structs.replace(trends_of(runs), notes=notes)
    if json:
        console.emit(found)
    trends.show(console, found)


@command(name="scenarios")
def scenarios_(console: Console, json: bool = False) -> None:
    """List what can be asked in a benchmark."""
    from smolpc import settings
    from smolpc.provision.target import catalog_for
    from smolpc.schema.bench_report import ScenariosReport

    known = catalog_for(settings.load_config().settings).scenarios.values()
    if json:
        console.emit(ScenariosReport(scenarios=tuple(known)))
    console.table(
        ("name", "in the two-minute set", "answer tokens", "what it stands for"),
        [(one.name, "yes" if one.quick else "no", str(one.answer), one.about) for one in known],
    )


def _store() -> Store:
    from smolpc import settings
    from smolpc.store import Store

    return Store(settings.load_config().settings.store_path)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@command(
    first="model",
    help={"model": "an installed model by name (default: that of the last setup)"},
    events=True,
)
def limit(console: Console, model: str = "", json: bool = False) -> None:
    """Measure how fast a model could be on this machine at most, whatever runs it."""
    from smolpc.bench.limit import limit as measure
    from smolpc.provision import running

    prepared = running.prepare({"model": model}, console.reporter)
    report = measure(prepared, console.reporter)
    if json:
        console.emit(report)
    show(console, report)


def show(console: Console, report: LimitReport) -> None:
    """The report for people: the peaks, a table of limits, one sentence, what to know."""
    memory, matrices = report.memory, report.matrices
    console.print(f"{report.model}, {human_bytes(report.weights)} of weights\n")
    console.print(
        f"memory    {memory.best / 1e9:.1f} GB/s (median {memory.median / 1e9:.1f},"
        f" {memory.threads} threads read {human_bytes(memory.buffer)})"
    )
    console.print(
        f"float32   {matrices.best / 1e9:.0f} Gop/s (median {matrices.median / 1e9:.0f},"
        f" {matrices.library or 'numpy'}, {matrices.cores:g} cores)"
    )
    console.print(f"quantized {report.integer.operations / 1e9:.0f} Gop/s (derived)\n")
    console.table(
        ("", "context before", "at most, tokens/s", "limited by", "memory", "arithmetic"),
        [row(one) for one in report.limits],
    )
    console.print(f"\n{report.sentence}")
    for note in report.notes:
        console.print(f"note: {note}")


def row(limit: Limit) -> tuple[str, ...]:
    """One line of the table; times are for one token."""
    from smolpc.bench.limit.words import number

    return (
        STAGES[limit.work.stage],
        str(limit.work.depth),
        number(limit.rate),
        limit.limited_by,
        f"{limit.memory_seconds * 1e3:.3g} ms",
        f"{limit.arithmetic_seconds * 1e3:.3g} ms",
    )


namespace = Collection(limit, compare, rerun, report, history, scenarios_)
namespace.add_task(bench, default=True)  # `smolpc bench`
