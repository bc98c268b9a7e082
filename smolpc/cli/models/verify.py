"""`models.verify`: hash what is here again."""

from __future__ import annotations

from smolpc.cli.app import command, report_verified
from smolpc.console import Console


@command(events=True, first="name", help={"name": "only this model (default: all that are here)"})
def verify(console: Console, name: str = "", json: bool = False) -> None:  # noqa: ARG001
    """Hash the stored models again and compare with what was pinned."""
    from smolpc import settings
    from smolpc.models import lookup, storage
    from smolpc.provision.target import catalog_for
    from smolpc.schema.report import Checked
    from smolpc.store import Store

    chosen, _ = settings.load()
    store = Store(chosen.store_path)
    records = storage.installed(store.models)
    if name:
        manifests = catalog_for(chosen).models.values()
        records = [lookup.require_installed(store.models, name, manifests)]
    checked = [
        Checked(name=result.record.name, ok=result.ok, detail=result.detail)
        for result in storage.verify(store.models, records, console.reporter)
    ]
    bad = next((item.name for item in checked if not item.ok), "")
    report_verified(console, checked, kind="model", next_step=f"smolpc models.pull {bad}")
