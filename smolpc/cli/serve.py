"""`serve`: the models for other programs, through the API that OpenAI clients speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console

if TYPE_CHECKING:
    from smolpc.schema.serve_report import ServeReport


# Options that are settings for this one call: settings check them, "" leaves them as they are.
SETTINGS = {
    "context": "tokens of context for each answer (default: up to 8192)",
    "threads": "CPU threads (default: the usable physical cores)",
    "gpu_layers": "layers on the GPU, the output layer counted (default: as many as fit)",
    "devices": "GPUs to use, such as 'CUDA0 CUDA1', or none (default: those that fit best)",
    "kv_type": "type of the cached keys and values, such as q8_0 (default: f16)",
    "speculation": "auto, off, ngram or draft",
}


@command(
    first="model",
    repeatable=("model",),
    events=True,
    help={
        "model": "an installed model by name; repeat it for more (default: that of the last setup)",
        "port": "where to listen; 0 takes a free port",
        "host": "an address of this machine that others reach (default: this machine only)",
        "api_key_file": "file with the keys of the clients, one a line; made when it is not there"
        " (default: the environment variable SMOLPC_API_KEY)",
        "insecure": "let other machines in without a key",
        "parallel": "answers at the same time; each takes memory",
        **SETTINGS,
    },
)
def serve(
    console: Console,
    model: list[str],
    port: int = 8080,
    host: str = "127.0.0.1",
    api_key_file: str = "",
    insecure: bool = False,
    parallel: int = 1,
    context: str = "",
    threads: str = "",
    gpu_layers: str = "",
    devices: str = "",
    kv_type: str = "",
    speculation: str = "",
    json: bool = False,
) -> None:
    """Let other programs use the models over HTTP, as with OpenAI's servers.

    Runs until Ctrl-C. The engine's server is started again when it dies.
    """
    given = locals()
    import contextlib
    import os

    from smolpc.serve import access, choosing, ports, running
    from smolpc.serve.supervisor import supervise

    ports.require(port)
    keys = access.api_keys(api_key_file, os.environ)
    warning = access.require(host, keys, insecure=insecure)
    options = {name: given[name] for name in SETTINGS}
    here = choosing.Here.now(options)
    serving = choosing.choose(here, model, options, parallel=parallel)
    with running.server_of(here, serving, host=host, port=port, key=",".join(keys)) as server:
        running.wait(server, serving, console.reporter)
        report = running.report(server, serving, here.artifact, warning)
        if json:
            console.emit(report)
        _introduce(console, report, api_key_file)
        with contextlib.suppress(KeyboardInterrupt):
            supervise(server, say=console.reporter.note)
        server.close()
    with contextlib.suppress(OSError):  # the terminal may be gone
        console.aside("stopped")


def _introduce(console: Console, report: ServeReport, key_file: str) -> None:
    """The addresses, and how to ask, to be copied."""
    from smolpc.files import user_path
    from smolpc.serve.access import VARIABLE

    name = report.models[0].name
    console.print(f"Serving {', '.join(one.name for one in report.models)} at {report.url}")
    for url in report.network_urls:
        console.print(f"For other machines: {url}")
    key, header = '"none"', ""
    if report.api_key:
        key = f'os.environ["{VARIABLE}"]'
        header = f' -H "Authorization: Bearer ${VARIABLE}"'
        if key_file:
            where = user_path(key_file).absolute()
            console.print(f"Keys: {where} (put one into the variable {VARIABLE}, then:)")
    messages = '[{"role": "user", "content": "Hello"}]'
    console.print(
        f'  Python: OpenAI(base_url="{report.url}", api_key={key})'
        f'.chat.completions.create(model="{name}", messages={messages})'
    )
    console.print(
        f"  curl {report.url}/chat/completions{header} -H 'Content-Type: application/json'"
        f""" -d '{{"model": "{name}", "messages": {messages}}}'"""
    )
    for note in report.notes:
        console.aside(f"note: {note}")
    console.aside(f"log: {report.log}   (Ctrl-C stops the server)")
