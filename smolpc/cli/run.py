"""`run`: ask the model once, in this process, or with another backend where that fails."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, as_text

# Options that are settings for this one call: settings check them, "" leaves them as they are.
SETTINGS = {
    "model": "an installed model by name (default: that of the last setup)",
    "backend": "what answers: llamacpp, llama-server, ollama, several in their order, or auto",
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
    backend: str = "",
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
    from contextlib import closing

    import msgspec
    from invoke.exceptions import Exit

    from smolpc.backends import opening
    from smolpc.backends.chain import Chain
    from smolpc.cli.forms import grammar_of, schema_of
    from smolpc.cli.prompts import system_text
    from smolpc.cli.setup import summary
    from smolpc.errors import Interrupted, UsageError
    from smolpc.provision import running
    from smolpc.schema.running import Message, Request
    from smolpc.settings import load_config

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
    is_piped = prompt == "-"
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if is_piped else as_text(prompt)
    if not explain and not text.strip():
        raise UsageError("there is no prompt", next_step="smolpc run --prompt 'your question'")
    command_line = {name: given[name] for name in SETTINGS}
    if explain:
        from smolpc.cli.explain import show

        prepared = running.prepare(command_line, console.reporter)
        report = running.explain(prepared)
        if json:
            console.emit(report)
        show(console, report, prepared.notes)
        return
    config = load_config(command_line)
    names = opening.names_of(config.settings)
    order = opening.order_for(config, names)(config.settings.model)
    backends = opening.open_backends(
        config, command_line, console.reporter, allow_cpu_fallback=cpu_fallback
    )
    messages = [Message(role="user", content=text)]
    if system:
        messages.insert(0, Message(role="system", content=system_text(config.settings, system)))
    sampling, notes = opening.sampling_here(backends, config, names, config.settings.model)
    request = Request(
        prompt=text if raw else "",
        messages=() if raw else tuple(messages),
        sampling=msgspec.structs.replace(sampling, seed=seed),
        max_tokens=max_tokens,
        stop=tuple(stop),
        grammar=grammar_of(grammar),
        json_schema=schema_of(json_schema),
        raw=raw,
    )
    chain = Chain([backends[name] for name in order], console.reporter.note)
    with closing(chain), chain.generate(config.settings.model, request) as answer:
        result = answer.write_to(console.write)
    result = msgspec.structs.replace(result, notes=(*notes, *result.notes))
    if json:
        console.emit(result)
    console.print()
    for note in result.notes:
        console.aside(f"note: {note}")
    if result.generated_tokens:
        console.aside(summary(result))
    if result.stop == "interrupted":
        raise Exit(code=Interrupted.code)
