"""`models.verify`: hash what is here again."""

from __future__ import annotations

from smolpc.cli.app import command, report_verified
from smolpc.console import Console


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
        wanted = model_for(catalog_for(chosen), chosen).sha256
        records = [record for record in records if record.sha256 == wanted]
    checked = [
        Checked(name=result.record.name, ok=result.ok, detail=result.detail)
        for result in storage.verify(store.models, records, console.reporter)
    ]
    bad = next((item.name for item in checked if not item.ok), "")
    report_verified(console, checked, kind="model", next_step=f"smolpc models.pull {bad}")
