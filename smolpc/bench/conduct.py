"""One run from beginning to end: players, turns until the time is up or all is clear, result."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import psutil

import smolpc
from smolpc.bench import drift, schedule, shares, summary
from smolpc.bench.lineup import Lineup
from smolpc.bench.players.protocol import Player
from smolpc.bench.run import Runner
from smolpc.bench.wishes import Wish
from smolpc.console import Reporter
from smolpc.errors import Interrupted, SmolpcError, UsageError
from smolpc.schema.bench import BenchResult, Limit, Scenario
from smolpc.schema.tuning import fingerprint

MOST_BLOCKS = 300


def bench(
    lineup: Lineup,
    wanted: Sequence[Wish],
    scenarios: Sequence[Scenario],
    *,
    seconds: float,
    seed: int | None = None,
    full: bool = False,
    pinned: Sequence[int] = (),
    blocks: int = MOST_BLOCKS,
    limits: bool = True,
    reporter: Reporter,
) -> BenchResult:
    """Measure for about `seconds`, the loading of the models included. `limits`: measure what is
    possible at most, too, which takes some seconds more. `pinned` is only written down.

    Ctrl-C ends it with the blocks that are finished, once there is one. Raises Interrupted
    before that, and SmolpcError when a player cannot play; one that fails after a finished block
    ends it the same way (`broke`).
    """
    seed = secrets.randbits(32) if seed is None else seed
    began, created = time.monotonic(), datetime.now(UTC)
    players, needed = lineup.players(wanted, max((one.parallel for one in scenarios), default=1))
    gaps, plain = any(one.suffix for one in scenarios), lineup.plain(players)
    names = [player.variant.name for player in players]
    titles = [one.name for one in scenarios]
    together = needed < psutil.virtual_memory().available

    def left() -> float:
        return seconds - (time.monotonic() - began)

    took, notes, broke = list[float](), list[str](), ""
    with (
        Runner(
            players,
            scenarios,
            context=_context(players, lineup.context),
            together=together,
            fills=lineup.fills(players) if gaps else {},
            plain=plain,
        ) as runner,
        reporter.task("Measure", total=seconds, unit="s") as task,
    ):

        def progress(_: str) -> None:
            reporter.check()
            task.update(min(seconds, seconds - left()))

        runner.on_answer = progress
        notes += _left_out(runner)
        for model in sorted({one.variant.model for one in players if one.variant.name in plain}):
            notes.append(f"{model} has no chat template: questions go to it as plain text")
        if not together:
            notes.append("the players do not fit into memory together: each is loaded for its turn")
        try:
            runner.warm_up()
            width = float("inf")
            while not took or schedule.go_on(took, left=left(), most=blocks, width=width):
                start = time.monotonic()
                runner.block(len(took), schedule.order(titles, names, seed=seed, block=len(took)))
                took.append(time.monotonic() - start)
                counted, _ = drift.mark(
                    runner.measured.answers, runner.measured.anchors, runner.measured.conditions
                )
                said = summary.comparisons if len(names) > 1 else summary.summaries
                width = schedule.widest(said(counted, titles, names))
        except (KeyboardInterrupt, Interrupted):
            if not took:
                raise
            notes.append("it was interrupted: the finished blocks count")
        except SmolpcError as error:
            if not took:
                raise
            broke = str(error)
            notes.append(f"it ended early, and the finished blocks count: {broke}")
    measured, variants = runner.measured, tuple(player.variant for player in players)
    finished = [one for one in measured.answers if one.block < len(took)]
    answers, flagged = drift.mark(finished, measured.anchors, measured.conditions)
    shown = answers
    if answers and all(one.flags for one in answers):  # better than nothing, but not compared
        shown = tuple(msgspec.structs.replace(one, flags=()) for one in answers)
        notes.append("every block was disturbed: the figures are those of a busy PC")
    summaries = summary.summaries(shown, titles, names)
    most: list[Limit] = []
    for sha256, path in lineup.files().items() if limits else ():
        most += shares.shares(
            path, sha256, lineup.host, scenarios, variants, shown, summaries, reporter
        )
    return BenchResult(
        id=f"{created:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        created=created.isoformat(timespec="seconds"),
        smolpc=smolpc.__version__,
        seconds=round(time.monotonic() - began, 1),
        seed=seed,
        full=full,
        pinned=tuple(pinned),
        host=lineup.host,
        fingerprint=fingerprint(lineup.host),
        scenarios=tuple(scenarios),
        variants=variants,
        answers=answers,
        anchors=tuple(measured.anchors),
        conditions=tuple(measured.conditions),
        summaries=summaries,
        comparisons=summary.comparisons(answers, titles, names),
        limits=tuple(most),
        notes=(*notes, *flagged, *measured.notes),
        broke=broke,
    )


def _context(players: Sequence[Player], most: int) -> int:
    """The tokens that each player has room for."""
    known = [one.variant.settings for one in players if one.variant.settings]
    return min([most, *(int(used["context"]) // int(used["sequences"]) for used in known)])


def _left_out(runner: Runner) -> list[str]:
    """Who does not take part in what, and why. Raises UsageError when nobody can do anything."""
    notes, anybody = [], False
    for scenario in runner.scenarios.values():
        why = {name: runner.why_not(scenario.name, name) for name in runner.players}
        anybody = anybody or not all(why.values())
        for said in dict.fromkeys(filter(None, why.values())):
            who = ", ".join(name for name, reason in why.items() if reason == said)
            notes.append(f"{scenario.title} is not asked of {who}: {said}")
    if not anybody:
        raise UsageError(
            "none of these players can answer what is asked",
            why="; ".join(notes),
            next_step="smolpc bench.scenarios",
        )
    return notes
