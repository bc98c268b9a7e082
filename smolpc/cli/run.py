"""`run`: ask the model, in this process, with the artifact's own libraries."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


@command(
    first="prompt",
    help={
        "prompt": "what to ask; '-' reads it from standard input",
        "system": "a system prompt by name, such as code, or a text file",
        "model": "an installed model by name (default: that of the last setup)",
        "max_tokens": "stop after this many tokens",
        "temperature": "0 always takes the likeliest token; higher values vary more",
        "seed": "the same seed and temperature give the same text",
        "raw": "give the prompt to the model as it is, without the chat template",
        "context": "tokens of context (default: up to 4096)",
        "cpu_fallback": "go on with the processor where the GPU cannot be used",
        "threads": "CPU threads (default: the usable physical cores)",
    },
)
def run(
    console: Console,
    prompt: str = "",
    system: str = "",
    model: str = "",
    max_tokens: int = 512,
    temperature: float = 0.7,
    seed: int = 0,
    raw: bool = False,
    context: int = 0,
    threads: int = 0,
    cpu_fallback: bool = False,
    json: bool = False,
) -> None:
    """Generate text from a prompt and report the speed."""
    import sys

    from invoke.exceptions import Exit

    from smolpc import settings
    from smolpc.cli.prompts import system_text
    from smolpc.cli.setup import summary
    from smolpc.errors import Interrupted, UsageError
    from smolpc.models import download, lookup, pins, storage
    from smolpc.provision.target import catalog_for, host_for, model_for
    from smolpc.runtime import Engine, Message
    from smolpc.store import Store

    if max_tokens < 1 or not 0 <= temperature <= 100 or seed < 0:
        raise UsageError(
            "a number is out of range",
            why="max-tokens is 1 or more, temperature 0 to 100, seed 0 or more",
            next_step="smolpc --help run",
        )
    chosen, _ = settings.load({"model": model, "context": context, "threads": threads})
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if prompt == "-" else prompt
    if not text.strip():
        raise UsageError("there is no prompt", next_step="smolpc run --prompt 'your question'")
    store = Store(chosen.store_path)
    record, said = None, ""
    if model:
        catalog = catalog_for(chosen)
        record = lookup.installed(store.models, model, catalog.models.values())
        if record is None:
            manifest = model_for(catalog, chosen)
            record = download.on_this_machine(manifest, store, chosen, console.reporter)
            if record is None:
                known = pins.pinned(manifest, store)
                record = storage.require(store.models, known.sha256, known.short)
        said = lookup.system_prompt(record, model, catalog.models.values())
    asked: str | list[Message] = text
    if system:
        said = system_text(chosen, system)
    if said and not raw:
        asked = [Message(role="system", content=said), Message(role="user", content=text)]
    with Engine.open(
        record or "", config=chosen, host=host_for(chosen), allow_cpu_fallback=cpu_fallback
    ) as engine:
        result = engine.generate(
            asked, max_tokens=max_tokens, temperature=temperature, seed=seed, raw=raw
        ).write_to(console.write)
    if json:
        console.emit(result)
    console.print()
    for note in result.notes:
        console.aside(f"note: {note}")
    if result.generated_tokens:
        console.aside(summary(result))
    if result.stop == "interrupted":
        raise Exit(code=Interrupted.code)
