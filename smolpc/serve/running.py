"""From what is to be served to a server that answers, and what to tell about it."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from pathlib import Path

from smolpc import files
from smolpc.console import Reporter
from smolpc.schema.artifact import Artifact
from smolpc.schema.serve_report import ServedReport, ServeReport
from smolpc.serve import access, arguments, log, ports
from smolpc.serve.choosing import Serving
from smolpc.serve.server import LlamaServer
from smolpc.store import Store


def program(artifact: Path) -> Path:
    """The engine's server in an artifact."""
    return next((artifact / "bin").glob("llama-server*"))


def server_of(
    artifact: Path,
    serving: Serving,
    *,
    host: str,
    port: int,
    keys: tuple[str, ...],
    store: Store,
) -> AbstractContextManager[LlamaServer]:
    """The server, not started; leaving the context ends it. One model is served by one
    process; several by a router that starts a process for each."""
    # With a key no other web page gets in, so any page may be an app; without one only pages
    # of this machine.
    common = arguments.common(cors="*" if keys else "localhost")
    models, loaded = serving.models, serving.at_once
    with files.explain_os_errors(store.root, "write the log of the server"):
        path = log.place(store, port)
        if len(models) == 1:
            server = LlamaServer(
                program(artifact),
                [*common, *arguments.for_one(models[0])],
                host=host,
                port=port,
                api_key=",".join(keys),
                log=path,
            )
        else:
            server = LlamaServer(
                program(artifact),
                [*common, *arguments.for_several(models, loaded=loaded)],
                preset=arguments.preset(models, loaded=loaded, folder=program(artifact).parent),
                at_start=loaded,
                host=host,
                port=port,
                api_key=",".join(keys),
                log=path,
            )
    return closing(server)


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
