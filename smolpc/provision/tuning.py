"""Tune a stored model on this machine, and keep what was proved to be faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from smolpc.catalog import Catalog
from smolpc.console import Reporter, human_seconds
from smolpc.errors import Interrupted, SelfCheckError
from smolpc.models import lookup, storage
from smolpc.provision.advice import devices_here
from smolpc.provision.running import Prepared
from smolpc.provision.target import catalog_for, host_for
from smolpc.runtime import variants
from smolpc.runtime.choosing import running_for, shape_in, wishes_of
from smolpc.runtime.measuring import Measurer
from smolpc.runtime.session import Session
from smolpc.schema.artifact import Artifact, ModelRecord
from smolpc.schema.host import Host
from smolpc.schema.running import RunSettings
from smolpc.schema.tuning import Tuned, TunedStep, TuneReport, fingerprint
from smolpc.store import Store, tunings
from smolpc.tune.candidates import Group, groups
from smolpc.tune.race import CandidateFailed
from smolpc.tune.run import Tuner

FORGET = "smolpc tune --forget"


def tune(
    prepared: Prepared, *, seconds: float, kv_types: bool = False, reporter: Reporter
) -> TuneReport:
    """Measure for about `seconds`, and store the settings that are proved to be faster.

    `kv_types`: also try a cache that changes the answers a little. Ctrl-C stores what is
    proved so far and raises Interrupted. Raises SelfCheckError when the model does not run.
    """
    chosen, record = prepared.settings, prepared.record
    store, host = Store(chosen.store_path), host_for(chosen)
    path = storage.verified(store.models, record)
    started, steps = time.monotonic(), list[TunedStep]()
    catalog = catalog_for(chosen)
    draft = _draft_for(prepared, catalog)
    drafts = storage.path_of(store.models, draft) if draft else None
    with (
        Session(prepared.config, host).artifact() as (folder, artifact),
        Measurer(folder, artifact.lib_dir, path, drafts) as measurer,
        reporter.task(f"Tune {record.name}", total=seconds, unit="s") as task,
    ):
        named = draft.name if draft else ""
        settings, waiting = _start(prepared, host, catalog, folder, artifact, kv_types, named)

        def measured(_: str) -> None:
            reporter.check()
            task.update(min(seconds, time.monotonic() - started))

        tuner = Tuner(measurer, settings, seconds=seconds, on_measured=measured)

        def result() -> Tuned:
            return Tuned(
                host=fingerprint(host),
                artifact=artifact.key,
                model=record.sha256,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - started, 1),
                values=tuple(tuner.values),
            )

        try:
            _measure(tuner, waiting, steps, reporter.note)
        except KeyboardInterrupt as error:
            found = result()
            before = tunings.find(store, found.host, found.artifact, found.model)
            # An earlier result is not replaced by an empty one.
            if steps and (found.values or before is None):
                tunings.keep(store, found)
            raise Interrupted(
                "interrupted",
                why="what was proved until now is kept" if steps else "nothing was proved yet",
                next_step="smolpc tune   (it begins again)",
            ) from error
        kept = result()
    tunings.keep(store, kept)
    return TuneReport(model=record.name, tuned=kept, steps=tuple(steps))


def _draft_for(prepared: Prepared, catalog: Catalog) -> ModelRecord | None:
    """The draft model that the user named, or that the registry names if it is installed.
    Raises UsageError where the user's is not installed."""
    models, record = Store(prepared.settings.store_path).models, prepared.record
    known = catalog.models.values()
    if asked := wishes_of(prepared.report).get("draft_model"):
        found: ModelRecord | None = lookup.require_installed(models, str(asked.value), known)
    else:
        named = {one.draft for one in known if one.file.sha256 == record.sha256 and one.draft}
        here = (lookup.installed(models, name, known) for name in named)
        found = next((one for one in here if one is not None), None)
    if found is not None:
        storage.ensure_unchanged(found, storage.path_of(models, found))
    return found


def _start(
    prepared: Prepared,
    host: Host,
    catalog: Catalog,
    folder: Path,
    artifact: Artifact,
    kv_types: bool,
    draft: str,
) -> tuple[RunSettings, tuple[Group, ...]]:
    """The settings without any measurement, and what to measure against them."""
    store = Store(prepared.settings.store_path)
    path = storage.path_of(store.models, prepared.record)
    shape = shape_in(path, prepared.record.context_length)
    devices = devices_here(prepared.settings, catalog, host)
    running = running_for(shape, devices, host, prepared.report)
    made = groups(
        running.settings,
        host.cpu,
        cpu_variants=variants.usable(folder / artifact.lib_dir),
        layers=len(shape.layers) + 1,
        allow_kv_types=kv_types,
        draft=draft,
        fixed=frozenset(wishes_of(prepared.report)),
    )
    return running.settings, made


def _measure(
    tuner: Tuner, waiting: tuple[Group, ...], steps: list[TunedStep], note: Callable[[str], None]
) -> None:
    try:
        tuner.warm_up()
    except CandidateFailed as error:
        raise SelfCheckError(
            "the model does not run with the default settings",
            why=str(error),
            next_step="smolpc doctor",
        ) from error
    for step in tuner.run(waiting):
        steps.append(step)
        said = ", ".join(f"{name} {value}" for name, value in step.kept.items())
        note(f"{step.group}: {f'{said} ({step.why})' if said else step.why}")


def forget(prepared: Prepared) -> Path | None:
    """Let the defaults count again for this model; the file that is gone, None: there was none."""
    store, host = Store(prepared.settings.store_path), host_for(prepared.settings)
    with Session(prepared.config, host).artifact() as (_, artifact):
        found = tunings.find(store, fingerprint(host), artifact.key, prepared.record.sha256)
    return None if found is None else tunings.forget(store, found)


def words(report: TuneReport) -> str:
    """What came out, in one sentence."""
    values = [one for one in report.tuned.values if one.gain > 0]
    took = human_seconds(report.tuned.seconds)
    if not values:
        return f"Nothing is faster than the default settings here (measured for {took})."
    best = ", ".join(f"{one.setting} {one.value} (+{one.gain:.0%})" for one in values)
    return f"Faster here, and used from now on: {best}. Undo: {FORGET}"
