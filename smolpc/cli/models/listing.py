"""`models.list` and `models.show`: which models there are, and everything about one."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes

HELP = {
    "purpose": "only models for this: chat or code",
    "all": "also the other quantizations of each model",
}


@command("list", help=HELP)
def list_(
    console: Console,
    purpose: str = "",
    json: bool = False,
    all: bool = False,  # noqa: A002
) -> None:
    """List the known models and which of them are on this machine."""
    from smolpc import settings
    from smolpc.models import access, own, showing
    from smolpc.provision.target import catalog_for
    from smolpc.schema.report import ModelsReport
    from smolpc.store import Store

    chosen, _ = settings.load()
    wanted = own.purposes(purpose)
    found = [
        row
        for row in showing.rows(
            catalog_for(chosen), Store(chosen.store_path), access.machine_models(chosen)
        )
        if set(wanted) <= set(row.purposes)
    ]
    rows = [row for row in found if all or row.usual or row.installed or row.state == "damaged"]
    if json:
        console.emit(ModelsReport(models=tuple(rows)))
    console.table(
        ("", "model", "size", "params", "ctx", "licence", "state"),
        [
            (
                "✓" if row.installed else " ",
                row.short,
                human_bytes(row.size) if row.size else "?",
                showing.human_count(row.parameters),
                showing.human_context(row.context_length),
                showing.licence_word(row.license),
                showing.state_word(row),
            )
            for row in rows
        ],
    )
    console.print("\n✓ is on this machine. What one is for: smolpc models.show NAME")
    if any(row.shared for row in rows):
        console.print("shared: in the store of all users of this PC; a pull makes a link to it")
    if any(row.state == "damaged" for row in rows):
        console.print("damaged: the bytes are not those that were stored; pull it again")
    if len(found) > len(rows):
        console.print(f"{len(found) - len(rows)} more with --all")


@command(help={"name": "name, alias, hf:owner/repo:file, address or path of a model"})
def show(console: Console, name: str, json: bool = False) -> None:
    """Show a model as YAML: what it is for, its licence, its digest, where it is."""
    from smolpc import settings
    from smolpc.models import showing
    from smolpc.provision.target import catalog_for, model_for
    from smolpc.schema.base import without_defaults
    from smolpc.store import Store

    chosen, _ = settings.load({"model": name})
    catalog = catalog_for(chosen)
    store = Store(chosen.store_path)
    manifest = showing.only_stored(name, catalog, store) or model_for(catalog, chosen)
    report = showing.report(manifest, catalog, store, chosen)
    if json:
        console.emit(report)
    console.print(f"# {report.declared_in or 'not in the registry'}")
    console.yaml(without_defaults(showing.trusted(report)))
    console.print(f"\nfor:     {', '.join(manifest.purposes) or 'not known'}")
    console.print(f"state:   {report.state}")
    if report.pin:
        console.print(f"pinned:  sha256 {report.pin.sha256},")
        console.print(f"         {report.pin.time}, from {report.pin.source or 'this machine'}")
    console.print(f"on disk: {report.path or 'no'}")
    for number, place in enumerate(report.places):
        console.print(f"{'places:' if number == 0 else '':8} {place}")
    if report.licence_note:
        console.print(f"note:    {report.licence_note}")
