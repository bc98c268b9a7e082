"""Killed at any moment, on any network: the right file, or a clear error, and little is fetched
twice.

`SMOLPC_CHAOS_SEEDS=17,99` runs only these schedules.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import pytest

from tests.integration import download_child
from tests.sim.schedule import CHUNK, Schedule, schedule
from tests.sim.server import SimServer, Stall

pytest_plugins = ["tests.sim.fixtures"]
pytestmark = pytest.mark.integration

SCHEDULES = 200
RUNS = 8  # runs that are not killed: faults end a run with an error, the next one goes on
TIME_LIMIT = 60.0  # seconds a run may take; the longest fault is a stall of 0.4 s
# Bytes that the server has sent count as fetched, but what lies in the buffers of a broken
# connection never arrived: the send buffer of the server and the receive buffer of the client,
# each twice what was asked for. A client that waits for its disk may have all of that unread.
WIRE = 4 * download_child.BUFFER


ASKED = os.environ.get("SMOLPC_CHAOS_SEEDS", "")  # read here: tests see no SMOLPC_ variables
SEEDS = [int(seed) for seed in ASKED.split(",")] if ASKED else list(range(SCHEDULES))


def context() -> BaseContext:
    if "forkserver" in multiprocessing.get_all_start_methods():
        made = multiprocessing.get_context("forkserver")
        made.set_forkserver_preload([download_child.__name__])  # children start in milliseconds
        return made
    return multiprocessing.get_context("spawn")


class Trial:
    """One file that is fetched again and again until it is there."""

    def __init__(self, folder: Path, urls: list[str], given: dict[str, Any]) -> None:
        self.target, self.answer = folder / "model ü.gguf", folder / "answer.json"
        self.urls, self.given = urls, given
        self.folder = folder
        folder.mkdir(parents=True)

    def run(self, kill_after: float | None = None) -> dict[str, Any] | None:
        """What the run said; None: it was killed before it could say anything."""
        self.answer.unlink(missing_ok=True)
        arguments = (self.urls, str(self.target), str(self.answer), dict(self.given))
        process = context().Process(target=download_child.main, args=arguments)  # type: ignore[attr-defined]
        process.start()
        process.join(TIME_LIMIT if kill_after is None else kill_after)
        hung = kill_after is None and process.is_alive()
        process.kill()
        process.join()
        assert not hung, "the download hangs"
        if not self.answer.exists():
            assert kill_after is not None, f"the child died with {process.exitcode}"
            return None
        result: dict[str, Any] = json.loads(self.answer.read_text(encoding="utf-8"))
        return result


def check(trial: Trial, plan: Schedule, result: dict[str, Any] | None) -> bool:
    """Whether the file is there. It is the right one, or there is a clear error."""
    if trial.target.exists():
        assert trial.target.read_bytes() == plan.data, "a wrong file under the final name"
        return True
    if result is not None:
        assert "error" in result, "it says done, but there is no file"
        kind, what, why, next_step = result["error"]
        assert kind in ("NetworkError", "TrustError")
        assert what
        assert why
        assert next_step
        assert "geheim" not in f"{what}{why}{next_step}"
    return False


def survive(plan: Schedule, folder: Path) -> str:
    """Plays one schedule; a line about it. Raises AssertionError."""
    with SimServer(send_buffer=download_child.BUFFER) as server:
        urls = plan.serve(server)
        given = {
            "sha256": plan.sha256,
            "size": len(plan.data),
            "chunk": CHUNK,
            "streams": plan.streams,
            "digests": plan.digests if plan.with_digests else (),
        }
        trial = Trial(folder, urls, given)
        there, runs = False, 0
        for moment in plan.kills:
            there = check(trial, plan, trial.run(moment))
        while not there and runs < (RUNS if plan.solvable else 1):
            there = check(trial, plan, trial.run())
            runs += 1
        assert there or not plan.solvable, "the right file was to be had"
        mine = {".model ü.gguf.lock", "answer.json"}
        if there and plan.kills:
            assert "sha256" in (trial.run() or {})  # killed at the very end, it still tidies up
        if there:
            left = {path.name for path in folder.iterdir()} - mine
            assert left == {"model ü.gguf"}
        sent = sum(resource.sent for resource in server.resources.values())
        events = len(plan.kills) + len(plan.faults) + runs
        streams = sum(resource.most_serving for resource in server.resources.values())
        allowed = len(plan.data) * (1 + plan.restarts) + events * streams * (CHUNK + WIRE)
        if there and not plan.restarts - len(plan.places):
            tight = len(plan.data) + events * streams * (CHUNK + WIRE)
            assert sent <= tight, f"{sent} bytes sent for {len(plan.data)}: more than {tight}"
        assert sent <= allowed, f"{sent} bytes sent for {len(plan.data)}: more than {allowed}"
        return f"seed {plan.seed}: {sent / len(plan.data):.2f} x the file, {runs} runs"


def test_two_hundred_schedules(plain_network: None, tmp_path: Path):
    failures: list[str] = []

    def play(seed: int) -> None:
        plan = schedule(seed)
        try:
            print(survive(plan, tmp_path / f"Schüler {seed}"))
        except AssertionError as error:
            failures.append(f"seed {seed}: {error}\n    {plan}")

    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(play, SEEDS))
    print(f"{len(SEEDS)} schedules in {time.monotonic() - start:.0f} s")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("streams", [1, 4])
def test_a_kill_costs_at_most_one_chunk_of_each_stream(
    plain_network: None, tmp_path: Path, streams: int
):
    """Every connection falls silent after some bytes, so that nothing is on the wire."""
    plan = schedule(1)
    after = 3 * CHUNK + 5000 if streams == 1 else CHUNK - 5000
    with SimServer() as server:
        resource = server.add("/m", plan.data).fail(Stall(after), times=streams)
        given = {
            "sha256": plan.sha256,
            "size": len(plan.data),
            "chunk": CHUNK,
            "streams": streams,
            "digests": (),
            "stall_timeout": 30.0,
        }
        trial = Trial(tmp_path / "one", [server.url("/m")], given)
        assert trial.run(1.5) is None
        assert len(server.log) == streams
        first = resource.sent
        resource.faults.clear()
        result = trial.run()
        assert check(trial, plan, result)
        assert result is not None
        lost = first + result["received"] - len(plan.data)
        assert 0 <= lost <= streams * CHUNK
        if streams == 1:
            assert lost < CHUNK
            kept = server.log[-1].headers["range"]
            assert int(kept.removeprefix("bytes=").rstrip("-")) >= after - CHUNK
