"""`backends.list` and `backends.pull-ollama`: what can answer, and models for Ollama."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


@command("list")
def list_(console: Console, json: bool = False) -> None:
    """Show what can run models here, in the order in which it is tried, and why not."""
    from smolpc import settings
    from smolpc.backends.opening import open_backends, order_of, state_of
    from smolpc.schema.backends import BackendsReport

    config = settings.load_config()
    order = order_of(config.settings.backend)
    backends = open_backends(config, {}, console.reporter)
    try:
        found = [state_of(backend, order) for backend in backends.values()]
    finally:
        for backend in backends.values():
            backend.close()
    found.sort(key=lambda one: one.rank or len(backends) + 1)
    if json:
        console.emit(BackendsReport(backends=tuple(found)))
    for one in found:
        rank = f"{one.rank}." if one.rank else "-"
        about = " ".join(filter(None, (one.version, one.address and f"at {one.address}")))
        mark = "✗" if one.problem else "✓"
        console.print(f"{rank:<2} {mark} {one.name}{f': {about}' if about else ''}")
        if one.problem:
            console.print(f"     {one.problem}")
            console.print(f"     next: {one.problem.next}")
        elif one.models:
            console.print(f"     models: {', '.join(model.name for model in one.models)}")
    console.print()
    console.print("Change the order with: smolpc config.set backend 'llamacpp ollama'")


@command(
    "pull-ollama",
    first="name",
    events=True,
    help={"name": "a model of Ollama's registry, such as llama3.2:1b"},
)
def pull(console: Console, name: str = "", json: bool = False) -> None:
    """Have Ollama download a model, into its own store. smolpc's models: models.pull."""
    from smolpc import settings
    from smolpc.backends.ollama import Ollama
    from smolpc.errors import NetworkError, UsageError
    from smolpc.schema.backends import BackendsReport, BackendState

    if not name:
        raise UsageError("say which model", next_step="smolpc backends.pull-ollama llama3.2:1b")
    if settings.load()[0].offline:
        raise NetworkError(
            f"{name} must be downloaded, but offline mode is on",
            why="SMOLPC_OFFLINE or the setting 'offline' forbids the network",
            next_step=f"SMOLPC_OFFLINE=0 smolpc backends.pull-ollama {name}",
        )
    ollama = Ollama()
    try:
        ollama.pull(name, console.reporter)
        if json:
            state = BackendState(
                name=ollama.name, rank=0, address=ollama.address, models=ollama.models()
            )
            console.emit(BackendsReport(backends=(state,)))
    finally:
        ollama.close()
    console.print(f"Ollama has {name} now: smolpc chat --backend ollama --model {name}")
