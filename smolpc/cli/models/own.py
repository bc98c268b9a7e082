"""`models.add`, `models.forget`, `models.unpin`: your own models, and what is trusted."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console

ADD = {
    "what": "a .gguf file, its address, or hf:owner/repo:file.gguf",
    "name": "what to call it (default: the file's name)",
    "license": "its licence, such as Apache-2.0 (default: what the file says)",
    "purpose": "chat, code, or both with a comma (default: chat)",
    "sha256": "the digest that the file must have",
    "force": "take the name over from another model",
}


@command(help=ADD)
def add(
    console: Console,
    what: str,
    name: str = "",
    license: str = "",  # noqa: A002
    purpose: str = "",
    sha256: str = "",
    force: bool = False,
    json: bool = False,
) -> None:
    """Declare a model of your own, so that it has a name here."""
    from smolpc import pypi, settings
    from smolpc.models import own, registry
    from smolpc.provision.target import catalog_for
    from smolpc.schema.registry_report import AddReport

    chosen, _ = settings.load()
    manifest, path = own.add(
        what,
        own.wishes(name, license, purpose, sha256),
        catalog_for(chosen),
        chosen,
        net=lambda: pypi.load(offline=chosen.offline).net,
        reporter=console.reporter,
        force=force,
    )
    if json:
        console.emit(AddReport(path=str(path), manifest=manifest))
    console.print(f"{manifest.name}: declared in {path}")
    if note := registry.licence_note(manifest):
        console.print(f"note: {note}")
    flag = "" if manifest.file.sha256 else " --allow-unpinned"
    console.print(f"next: smolpc models.pull {manifest.name}{flag}")


@command(help={"name": "name of one of your own models"})
def forget(console: Console, name: str, json: bool = False) -> None:
    """Remove the declaration of one of your own models; its file stays."""
    from smolpc import settings
    from smolpc.models import registry
    from smolpc.provision.target import catalog_for
    from smolpc.schema.registry_report import ForgetReport

    chosen, _ = settings.load()
    path = registry.forget(name, catalog_for(chosen))
    if json:
        console.emit(ForgetReport(name=path.stem, removed=str(path)))
    console.print(f"{path.stem}: {path} is removed")


@command(help={"name": "name of a model that was pinned at its first download"})
def unpin(console: Console, name: str, json: bool = False) -> None:
    """Forget which file of a model was trusted first, so that another one may be."""
    from smolpc import settings
    from smolpc.models import pins
    from smolpc.provision.target import catalog_for, model_for
    from smolpc.schema.registry_report import ForgetReport
    from smolpc.store import Store

    chosen, _ = settings.load({"model": name})
    store = Store(chosen.store_path)
    pin = name if pins.is_pinned(store, name) else model_for(catalog_for(chosen), chosen).name
    removed = pins.forget(store, pin)
    path = str(pins.path_of(store, pin)) if removed else ""
    if json:
        console.emit(ForgetReport(name=pin, removed=path))
    console.print(
        f"{pin}: the pin is forgotten"
        if removed
        else f"{pin}: nothing to forget, this store has no pin of it"
    )
