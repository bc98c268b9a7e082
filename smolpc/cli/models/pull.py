"""`models.pull`: get a model, verified."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


@command(
    events=True,
    first="name",
    help={
        "name": "name, hf:owner/repo:file, address or path of a model (default: that of setup)",
        "allow_unpinned": "trust the first download of a model whose digest nobody has confirmed",
        "limit": "bytes a second at most, such as 5M or 800k",
        "streams": "connections a file (default: more than one only where that is faster)",
    },
)
def pull(
    console: Console,
    name: str = "",
    allow_unpinned: bool = False,
    limit: str = "",
    streams: int = 0,
    json: bool = False,
) -> None:
    """Download a model, verify it and put it into the store. An interrupted one continues."""
    from smolpc import settings
    from smolpc.models import download, housekeeping, registry, storage
    from smolpc.provision.target import catalog_for, model_for
    from smolpc.schema.report import PullReport
    from smolpc.store import Store

    chosen, _ = settings.load(
        {"model": name, "download_limit": limit, "download_streams": streams or None}
    )
    manifest = model_for(catalog_for(chosen), chosen)
    store = Store(chosen.store_path)
    store.prepare()
    record = download.pull(
        manifest, store, chosen, reporter=console.reporter, allow_unpinned=allow_unpinned
    )
    path = storage.path_of(store.models, record)
    if json:
        console.emit(PullReport(record=record, path=str(path)))
    console.print(f"{record.name}: verified\n  {path}")
    for note in (registry.licence_note(manifest), housekeeping.low_space(store)):
        if note:
            console.aside(f"note: {note}")
