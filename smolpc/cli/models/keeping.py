"""`models.storage`, `models.remove`, `models.prune`: the disk that models take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command, report_removed
from smolpc.console import Console, human_bytes

if TYPE_CHECKING:
    from smolpc.schema.storage_report import StorageReport

BAR = 40  # characters


@command("storage")
def storage_(console: Console, json: bool = False) -> None:
    """Show what uses the disk: each part of the store, each model, and what is free."""
    from smolpc import settings
    from smolpc.models import access, housekeeping
    from smolpc.store import Store

    chosen, _ = settings.load()
    report = housekeeping.report(Store(chosen.store_path), access.machine_models(chosen))
    if json:
        console.emit(report)
        return
    console.print(f"store  {report.root}")
    console.print(_bar(report))
    console.table(
        ("part", "size", "what it is"),
        [(area.name, human_bytes(area.bytes), area.what) for area in report.areas if area.bytes],
    )
    if report.models:
        console.print()
    console.table(
        ("model", "size", "removing it frees", "used by"),
        [
            (model.name, human_bytes(model.bytes), human_bytes(model.own_bytes), model.used or "-")
            for model in report.models
        ],
    )
    if report.low:
        console.aside(
            f"warning: only {human_bytes(report.disk_free)} of {human_bytes(report.disk_total)}"
            " are free; smolpc models.prune and smolpc artifacts.gc make room"
        )


def _bar(report: StorageReport) -> str:
    """The disk as one line: this store, other files, free space."""
    ours = sum(area.bytes for area in report.areas)
    total = max(report.disk_used + report.disk_free, 1)
    other = max(report.disk_used - ours, 0)
    mine = min(BAR, -(-ours * BAR // total))  # a little is shown too
    others = min(BAR - mine, round(other * BAR / total))
    return (
        f"disk   [{'█' * mine}{'▒' * others}{'·' * (BAR - mine - others)}]"
        f"  █ this store {human_bytes(ours)}  ▒ other files {human_bytes(other)}"
        f"  · free {human_bytes(report.disk_free)}"
    )


@command(
    first="name",
    help={
        "name": "a stored model: its name, an alias, or the first characters of its digest",
        "force": "also when a setup uses it",
        "machine": "from the folder that all users of this PC share",
        "dry_run": "only say what would be removed",
    },
)
def remove(
    console: Console,
    name: str,
    force: bool = False,
    machine: bool = False,
    dry_run: bool = False,
    json: bool = False,  # noqa: ARG001
) -> None:
    """Delete one model from the store, and the name of one that was made here."""
    from smolpc import files, settings
    from smolpc.models import access, housekeeping, lookup, registry
    from smolpc.provision.target import catalog_for
    from smolpc.store import Store

    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    store = Store(access.require_machine_store(chosen) if machine else chosen.store_path)
    record = lookup.require_installed(store.models, name, catalog.models.values())
    with files.explain_os_errors(store.models, f"remove {record.name}"):
        item = housekeeping.remove(store, record, force=force, dry_run=dry_run)
        if not dry_run and not machine:
            registry.forget_if_made_here(record.sha256, catalog)
    report_removed(console, [item], dry_run=dry_run)


@command(
    help={
        "unused": "also models that no setup uses",
        "dry_run": "only list what would be removed",
    }
)
def prune(
    console: Console,
    unused: bool = False,
    dry_run: bool = False,
    json: bool = False,  # noqa: ARG001
) -> None:
    """Remove unfinished downloads and damaged models; complete models only with --unused."""
    from smolpc import files, settings
    from smolpc.models import housekeeping
    from smolpc.store import Store

    chosen, _ = settings.load()
    store = Store(chosen.store_path)
    act = housekeeping.prunable if dry_run else housekeeping.prune
    with files.explain_os_errors(store.models, "clean the models folder"):
        items = act(store, unused=unused)
    report_removed(console, items, dry_run=dry_run)
