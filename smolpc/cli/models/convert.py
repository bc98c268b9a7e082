"""`models.convert`: a Hugging Face folder becomes a model of the store."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


@command(
    first="folder",
    help={
        "folder": "a folder as downloaded from Hugging Face: config.json, weights, tokenizer",
        "type": "F16, BF16, F32 or Q8_0; others with models.quantize afterwards",
        "name": "name of the result (default: the folder's name with the type)",
        "install": "allow to install PyTorch and transformers into the store, for converting only",
        "python": "a Python that has PyTorch and transformers, used instead",
    },
)
def convert(
    console: Console,
    folder: str = "",
    type: str = "F16",  # noqa: A002 - the option's name
    name: str = "",
    install: bool = False,
    python: str = "",
    json: bool = False,
) -> None:
    """Convert a model with the pinned engine's own converter, prove and store the result."""
    from smolpc import files, settings
    from smolpc.cli.models.quantize import print_made
    from smolpc.errors import UsageError
    from smolpc.provision import convert as converting
    from smolpc.provision.bring_in import importer_for
    from smolpc.provision.target import catalog_for

    if not folder:
        raise UsageError("name a folder", next_step="smolpc models.convert DIR --type F16")
    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    report = converting.convert(
        importer_for(chosen, catalog, console.reporter),
        catalog,
        chosen,
        files.user_path(folder),
        type,
        name=name,
        install=install,
        python=files.user_path(python) if python else None,
    )
    if json:
        console.emit(report)
    print_made(console, report)
