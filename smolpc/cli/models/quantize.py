"""`models.quantize`: a smaller file of a model that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes

if TYPE_CHECKING:
    from smolpc.schema.quantize_report import MadeReport


@command(
    first="source",
    help={
        "source": "an installed model by name, or a GGUF file",
        "type": "what to make: Q4_K_M, Q5_K_M, Q8_0, ... (a wrong one lists them all)",
        "imatrix": "importance matrix, made by llama-imatrix; the smallest types need one",
        "name": "name of the result (default: the source's name with the new type)",
    },
)
def quantize(
    console: Console,
    source: str = "",
    type: str = "Q4_K_M",  # noqa: A002 - the option's name
    imatrix: str = "",
    name: str = "",
    json: bool = False,
) -> None:
    """Quantize a model with the engine's own llama-quantize, prove and store the result."""
    from smolpc import files, settings
    from smolpc.errors import UsageError
    from smolpc.models import lookup, storage
    from smolpc.provision import quantize as quantizing
    from smolpc.provision.bring_in import importer_for
    from smolpc.provision.target import catalog_for
    from smolpc.store import Store

    if not source:
        raise UsageError("name a model", next_step="smolpc models.quantize MODEL --type Q4_K_M")
    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    store = Store(chosen.store_path)
    path, record = files.user_path(source), None
    if not path.is_file():
        record = lookup.require_installed(store.models, source, catalog.models.values())
        path = storage.path_of(store.models, record)
    importer = importer_for(chosen, catalog, console.reporter)
    manifest = catalog.models.get(record.name) if record else None
    report = quantizing.quantize(
        importer,
        quantizing.original(importer, path, record, manifest),
        type,
        catalog.models,
        imatrix=files.user_path(imatrix) if imatrix else None,
        name=name,
    )
    if json:
        console.emit(report)
    print_made(console, report)


def print_made(console: Console, report: MadeReport) -> None:
    """What was made, and how to use it."""
    console.print(f"✓ {report.model}: {report.quantization}, {human_bytes(report.size)}")
    if report.checked:
        console.print(f"  {report.checked}")
    console.print(f"  {report.path}")
    for note in report.notes:
        console.print(f"  note: {note}")
    console.print(f'  try:  smolpc run "Hello" --model {report.model}')
