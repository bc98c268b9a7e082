"""`run`: ask the model, in this process, with the artifact's own libraries."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console

# Options that are settings for this one call: settings check them, "" leaves them as they are.
SETTINGS = {
    "model": "an installed model by name (default: that of the last setup)",
    "context": "tokens of context (default: up to 8192)",
    "threads": "CPU threads (default: the usable physical cores)",
    "gpu_layers": "layers on the GPU, the output layer counted (default: as many as fit)",
    "devices": "GPUs to use, such as 'CUDA0 CUDA1', or none (default: those that fit best)",
    "kv_type": "type of the cached keys and values, such as q8_0 (default: f16)",
    "batch": "tokens handed to the engine at once (default: 2048)",
    "ubatch": "tokens computed at once (default: 512, fewer where memory is short)",
    "speculation": "auto, off, ngram or draft",
    "temperature": "0 always takes the likeliest token; higher values vary more (default: 0.7)",
    "top_k": "only so many of the likeliest tokens; 0: all (default: 40)",
    "top_p": "only the likeliest tokens with this sum of probabilities (default: 0.95)",
    "min_p": "none with less than this share of the likeliest's probability (default: 0.05)",
    "repeat_penalty": "above 1, tokens that were said lately become less likely (default: 1)",
}


@command(
    first="prompt",
    help={
        "prompt": "what to ask; '-' reads it from standard input",
        "system": "a system prompt by name, such as code, or a text file",
        "max_tokens": "stop after this many tokens",
        "seed": "the same seed and settings give the same text",
        "raw": "give the prompt to the model as it is, without the chat template",
        "cpu_fallback": "go on with the processor where the GPU cannot be used",
        "explain": "show the settings that would be used and why, and ask nothing",
        **SETTINGS,
        "stop": "end the answer before this text; may be given several times",
        "grammar": "a file with a GBNF grammar that the answer follows",
        "json_schema": "a file with a JSON schema; the answer is JSON of that form",
    },
    repeatable=("stop",),
)
def run(
    console: Console,
    prompt: str = "",
    system: str = "",
    model: str = "",
    max_tokens: int = 512,
    seed: int = 0,
    raw: bool = False,
    cpu_fallback: bool = False,
    explain: bool = False,
    context: str = "",
    threads: str = "",
    gpu_layers: str = "",
    devices: str = "",
    kv_type: str = "",
    batch: str = "",
    ubatch: str = "",
    speculation: str = "",
    temperature: str = "",
    top_k: str = "",
    top_p: str = "",
    min_p: str = "",
    repeat_penalty: str = "",
    stop: list[str] = [],  # noqa: B006 - invoke makes a new one for each call
    grammar: str = "",
    json_schema: str = "",
    json: bool = False,
) -> None:
    """Generate text from a prompt and report the speed."""
    given = locals()
    import sys

    import msgspec
    from invoke.exceptions import Exit

    from smolpc.cli.forms import grammar_of, schema_of
    from smolpc.cli.prompts import system_text
    from smolpc.cli.setup import summary
    from smolpc.errors import Interrupted, UsageError
    from smolpc.provision import running
    from smolpc.runtime import Engine, Message, Request
    from smolpc.runtime.choosing import sampling_for

    if max_tokens < 1 or seed < 0:
        raise UsageError(
            "a number is out of range",
            why="max-tokens is 1 or more, seed 0 or more",
            next_step="smolpc --help run",
        )
    if grammar and json_schema:
        raise UsageError(
            "--grammar and --json-schema exclude each other",
            why="either says which form the answer has",
            next_step="leave one of them out",
        )
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if prompt == "-" else prompt
    if not explain and not text.strip():
        raise UsageError("there is no prompt", next_step="smolpc run --prompt 'your question'")
    prepared = running.prepare({name: given[name] for name in SETTINGS}, console.reporter)
    if explain:
        from smolpc.cli.explain import show

        report = running.explain(prepared)
        if json:
            console.emit(report)
        show(console, report, prepared.notes)
        return
    messages = [Message(role="user", content=text)]
    said = system_text(prepared.settings, system) if system else prepared.system
    if said:
        messages.insert(0, Message(role="system", content=said))
    sampling, _ = sampling_for(prepared.report)
    request = Request(
        prompt=text if raw else "",
        messages=() if raw else tuple(messages),
        sampling=msgspec.structs.replace(sampling, seed=seed),
        max_tokens=max_tokens,
        stop=(*prepared.stop, *stop),
        grammar=grammar_of(grammar),
        json_schema=schema_of(json_schema),
        raw=raw,
    )
    with Engine.open(
        prepared.record, config=prepared.config, allow_cpu_fallback=cpu_fallback
    ) as engine:
        result = engine.generate(request).write_to(console.write)
    result = msgspec.structs.replace(result, notes=(*prepared.notes, *result.notes))
    if json:
        console.emit(result)
    console.print()
    for note in result.notes:
        console.aside(f"note: {note}")
    if result.generated_tokens:
        console.aside(summary(result))
    if result.stop == "interrupted":
        raise Exit(code=Interrupted.code)
