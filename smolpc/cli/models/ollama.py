"""`models.import-ollama` and `models.export-ollama`: from and to Ollama's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes

if TYPE_CHECKING:
    from smolpc.schema.ollama_report import Imported, OllamaRow

STATES = {"here": "already here", "importable": "importable"}
MARKS = {"imported": "✓", "here": "✓", "skipped": "-", "failed": "✗"}


@command(
    "import-ollama",
    first="name",
    help={
        "name": "a model of Ollama, such as llama3.2:1b",
        "list": "only show what Ollama has, and what of it can be used here",
        "all": "import every model that can be used; a failure does not stop the others",
        "store": "folder of Ollama's models (default: wherever Ollama keeps them)",
    },
)
def import_ollama(
    console: Console,
    name: str = "",
    list: bool = False,  # noqa: A002 - the option's name
    all: bool = False,  # noqa: A002 - the option's name
    store: str = "",
    json: bool = False,
) -> None:
    """Use models that Ollama has downloaded already, without a second copy where possible."""

    from invoke.exceptions import Exit

    from smolpc import settings
    from smolpc.errors import UsageError
    from smolpc.models.ollama import listing, stores
    from smolpc.provision import import_ollama as importing
    from smolpc.provision.bring_in import importer_for
    from smolpc.provision.target import catalog_for
    from smolpc.schema.ollama_report import OllamaImportReport, OllamaListReport
    from smolpc.store import Store

    if (bool(name), list, all).count(True) != 1:
        raise UsageError(
            "say what to import",
            why="give one of: a name, --all, or --list to see what there is",
            next_step="smolpc models.import-ollama --list",
        )
    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    ours = Store(chosen.store_path)
    folders = stores.require(store)
    found = listing.entries(folders, catalog.engine(chosen.engine).architectures)
    if list:
        rows = tuple(importing.row(entry, ours.models, catalog.models) for entry in found)
        if json:
            places = tuple(str(folder) for folder in folders)
            console.emit(OllamaListReport(stores=places, models=rows))
        _print_list(console, rows)
        return
    wanted = [listing.find(found, name)] if name else found
    ours.prepare()
    importer = importer_for(chosen, catalog, console.reporter)
    if name:
        done = [importing.import_one(importer, wanted[0], catalog.models)]
    else:
        done = importing.import_all(importer, wanted, catalog.models)
    if json:
        console.emit(OllamaImportReport(models=tuple(done)))
    for one in done:
        _print_imported(console, one)
    if not done:
        console.print("Ollama has no models here.")
    code = importing.worst(done)
    if code:
        raise Exit(code=code)


def _print_list(console: Console, rows: tuple[OllamaRow, ...]) -> None:
    if not rows:
        console.print("Ollama has no models here.")
    console.table(
        ("model", "size", "architecture", "quantization", "here"),
        [
            (
                row.name,
                human_bytes(row.size) if row.size else "-",
                row.architecture or "-",
                row.quantization or "-",
                STATES.get(row.state) or f"no: {row.why}",
            )
            for row in rows
        ],
    )
    offers = [row for row in rows if row.offer]
    if offers:
        console.print()
    for row in offers:
        console.print(f"instead of {row.name}: smolpc models.pull {row.offer}")


def _print_imported(console: Console, one: Imported) -> None:
    said = {
        "imported": f"imported as {one.model}",
        "here": f"here already, as {one.model}",
        "skipped": f"skipped: {one.why}",
        "failed": f"failed: {one.why}",
    }
    console.print(f"{MARKS[one.state]} {one.name}: {said[one.state]}")
    if one.checked:
        console.print(f"  {one.checked}")
    if one.path:
        console.print(f"  {one.path}")
    for note in one.notes:
        console.print(f"  note: {note}")
    if one.next:
        console.print(f"  next: {one.next}")
    if one.state == "imported":
        console.print(f'  try:  smolpc run "Hello" --model {one.model}')


@command(
    "export-ollama",
    first="name",
    help={
        "name": "an installed model",
        "out": "folder for the Modelfile (default: the current one)",
    },
)
def export_ollama(console: Console, name: str = "", out: str = ".", json: bool = False) -> None:
    """Write a Modelfile, from which `ollama create` makes the model in Ollama."""
    from smolpc import files, settings
    from smolpc.provision import export_ollama as exporting
    from smolpc.provision.target import catalog_for
    from smolpc.store import Store

    chosen, _ = settings.load()
    report = exporting.export(
        Store(chosen.store_path), name, files.user_path(out), catalog_for(chosen).models
    )
    if json:
        console.emit(report)
    console.print(f"written: {report.modelfile}")
    for note in report.notes:
        console.print(f"note: {note}")
    console.print(f"next: {report.command}")
