"""`models.list`: which models there are, and which are here."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes


@command("list")
def list_(console: Console, json: bool = False) -> None:
    """List the known models and which of them are on this machine."""
    from smolpc import settings
    from smolpc.models import storage
    from smolpc.provision.target import catalog_for
    from smolpc.schema.report import ModelRow, ModelsReport
    from smolpc.store import Store

    chosen, _ = settings.load()
    store = Store(chosen.store_path)
    here = {record.sha256 for record in storage.installed(store.models)}
    rows = tuple(
        ModelRow(
            name=model.name,
            aliases=model.aliases,
            summary=model.summary,
            size=model.file.size,
            license=model.license.id,
            context_length=model.context_length,
            installed=model.file.sha256 in here,
            default=model.default,
        )
        for _, model in sorted(catalog_for(chosen).models.items())
    )
    if json:
        console.emit(ModelsReport(models=rows))
    console.table(
        ("", "model", "size", "licence", "summary"),
        [
            (
                "✓" if row.installed else " ",
                row.name,
                human_bytes(row.size),
                row.license,
                row.summary,
            )
            for row in rows
        ],
    )
