"""From what is to be served to a server that answers, and what to tell about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from smolpc import files
from smolpc.console import Reporter, Silent
from smolpc.errors import PrerequisiteError
from smolpc.schema.artifact import Artifact
from smolpc.schema.serve_report import ServedReport, ServeReport
from smolpc.serve import access, arguments, log, ports
from smolpc.serve.choosing import Here, Serving, choose
from smolpc.serve.server import LlamaServer
from smolpc.store import gc


def program(artifact: Path) -> Path:
    """The engine's server in an artifact. Raises PrerequisiteError when it was left out."""
    found = next((artifact / "bin").glob("llama-server*"), None)
    if found is None:
        raise PrerequisiteError(
            "this engine has no server",
            why=f"{artifact / 'bin'} holds no llama-server",
            next_step="smolpc setup --refresh",
        )
    return found


@contextmanager
def server_of(
    here: Here, serving: Serving, *, host: str = ports.LOOPBACK, port: int = 0, key: str | None
) -> Iterator[LlamaServer]:
    """The server, not started; leaving the context ends it. One model is served by one
    process; several by a router that starts a process for each. `key` as in LlamaServer."""
    binary = program(here.folder)
    models, count = serving.models, serving.at_once
    # With a key no other web page gets in, so any page may be an app; without one only pages
    # of this machine.
    common = arguments.common(cors="*" if key != "" else "localhost")
    if len(models) == 1:
        words, preset = arguments.for_one(models[0]), ""
    else:
        words = arguments.for_several(models, loaded=count)
        preset = arguments.preset(models, loaded=count, folder=binary.parent)
    with files.explain_os_errors(here.store.root, "write the log of the server"):
        server = LlamaServer(
            binary,
            [*common, *words],
            preset=preset,
            at_start=count,
            host=host,
            port=port,
            api_key=key,
            log=log.place(here.store, port),
        )
    with gc.in_use(here.store, here.artifact.key), closing(server):
        yield server


@contextmanager
def open_server(
    *names: str, parallel: int = 1, reporter: Reporter | None = None, **options: str
) -> Iterator[LlamaServer]:
    """A server that answers, for this process alone: a free port of this machine, a random key.

    `names` are installed models (none: that of the last setup), `options` settings, such as
    `context="8192"`. Raises what `choosing.choose` and `LlamaServer` raise.
    """
    here = Here.now(options)
    serving = choose(here, names, options, parallel=parallel)
    with server_of(here, serving, key=None) as server:
        wait(server, serving, reporter or Silent())
        yield server


def wait(server: LlamaServer, serving: Serving, reporter: Reporter) -> None:
    """Start it and wait until it answers, with progress. Raises ServerError."""
    count = server.at_start
    names = ", ".join(model.name for model in serving.models[:count])
    with reporter.task(f"load {names}", total=count, unit="models") as task:
        server.start()
        server.wait_healthy(check=reporter.check, on_loaded=lambda done: task.update(done))


def report(server: LlamaServer, serving: Serving, artifact: Artifact, warning: str) -> ServeReport:
    """What clients need to know."""
    several = len(serving.models) > 1
    everywhere = server.host in ports.EVERYWHERE
    near = access.is_loopback(server.host)
    addresses = ports.lan_addresses() if everywhere else [] if near else [server.host]
    first = serving.models[0].settings.memory
    return ServeReport(
        url=f"{server.url}/v1",
        network_urls=tuple(f"http://{one}:{server.port}/v1" for one in addresses),
        api_key=bool(server.api_key),
        models=tuple(
            ServedReport(
                name=arguments.listed(model.name) if several else model.name,
                aliases=model.aliases,
                context=model.settings.memory.context // model.settings.memory.sequences,
                settings=model.settings,
            )
            for model in serving.models
        ),
        at_once=serving.at_once,
        parallel=first.sequences,
        pid=server.pid,
        log=str(server.log.path or ""),
        artifact=artifact.key,
        notes=(*((warning,) if warning else ()), *serving.notes),
    )
