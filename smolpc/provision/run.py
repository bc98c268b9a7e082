"""Make the plan, then do it: independent steps at the same time, one setup per store."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from typing import Any

from smolpc import files, proc
from smolpc.console import Cancellable, Reporter, Silent
from smolpc.errors import Interrupted, SelfCheckError, ToolUnavailable
from smolpc.plan import graph
from smolpc.provision.steps import Work, kind_of
from smolpc.provision.target import Target, choose_target
from smolpc.schema.plan import Plan, Step
from smolpc.schema.result import RunResult
from smolpc.settings import Settings
from smolpc.store import Store, refusals


def make_plan(target: Target, store: Store) -> Plan:
    """Every step with its state and cost, as found in the store right now."""
    work = Work(target, store, Silent())
    steps = graph.render(
        target.settings.pipeline,
        target.pipeline_text,
        {
            "profile": target.profile,
            "engine": target.recipe,
            "model": target.model,
            "tools": [tool.name for tool in work.toolchain_to_fetch],
        },
    )
    known = {step.id: kind_of(step).known(work, step) for step in steps}
    return Plan(
        pipeline=target.settings.pipeline,
        profile=target.profile.name,
        why=target.why,
        key=target.key,
        model=target.model.name if target.model else "",
        steps=graph.with_states(steps, known),
        notes=target.notes,
    )


def _interrupted() -> Interrupted:
    return Interrupted(
        "interrupted", why="what was finished is kept", next_step="smolpc setup   (it continues)"
    )


def execute(plan: Plan, work: Work) -> None:
    """Perform every step that is to do. The first failure, or Ctrl-C, stops the others."""
    due = {step.id: step for step in plan.to_do}
    sorter = TopologicalSorter(
        {step.id: [need for need in step.needs if need in due] for step in due.values()}
    )
    sorter.prepare()
    stop = threading.Event()
    work.reporter = Cancellable(work.reporter, stop, _interrupted)
    running: dict[Future[None], Step] = {}
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="step") as pool:
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    step = due[name]
                    running[pool.submit(kind_of(step).perform, work, step)] = step
                # A wait without an end could not be interrupted on Windows.
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    sorter.done(running.pop(future).id)
        except KeyboardInterrupt as error:
            _stop_all(stop, running)
            raise _interrupted() from error
        except BaseException:
            _stop_all(stop, running)
            raise


def _stop_all(stop: threading.Event, running: dict[Future[None], Any]) -> None:
    stop.set()
    for future in running:
        future.cancel()
    proc.kill_all()


def provision_best(
    settings: Settings, *, refresh: bool = False, with_model: bool = True, reporter: Reporter
) -> tuple[Plan, RunResult | None]:
    """Choose and provision. When an engine fails its self-check, or a build tool that only its
    profile needs cannot be fetched, the next best profile is taken, and that is noted, unless
    the profile was asked for by name."""
    store, without = Store(settings.store_path), set[str]()
    if refresh:
        refusals.forget(store)
    while True:
        target = choose_target(
            settings, refresh=refresh, with_model=with_model, without=frozenset(without)
        )
        try:
            return provision(target, store, reporter=reporter)
        except ToolUnavailable as error:
            of_the_profile = error.tool in (part.name for part in target.parts)
            if settings.profile or not of_the_profile or error.tool in without:
                raise
            without.add(error.tool)
            reporter.note(f"{error}; taking the next best profile")
        except SelfCheckError as error:
            if settings.profile:
                raise
            refusals.refuse(store, target.key, str(error))
            reporter.note(f"{error}; taking the next best profile")


def provision(target: Target, store: Store, *, reporter: Reporter) -> tuple[Plan, RunResult | None]:
    """Bring the store to the target. Returns the plan that was carried out (all steps
    cached when there was nothing to do) and the first answer, if one was generated."""
    plan = make_plan(target, store)
    if not plan.to_do:
        return plan, None
    store.prepare()
    with (
        files.explain_os_errors(store.root, "write to the store"),
        files.lock(
            store.lock_file("setup"),
            on_wait=lambda: reporter.note("another setup is running in this store; waiting for it"),
        ),
    ):
        for leftover in store.tmp.iterdir():  # of a killed setup; the lock says none is running
            files.remove_tree(leftover)
        plan = make_plan(target, store)
        needed = sum(step.disk_bytes for step in plan.steps)
        files.require_space(store.root, needed, "set up")
        work = Work(target, store, reporter)
        execute(plan, work)
    return plan, work.answer
