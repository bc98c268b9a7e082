"""`chat`: a conversation in the terminal."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, as_text

SETTINGS = ("model", "backend", "context", "threads", "temperature")


@command(
    first="model",
    help={
        "model": "a model by name (default: that of the last setup)",
        "backend": "what answers: llamacpp, llama-server, ollama, several in their order, or auto",
        "system": "the system prompt: what the model should be",
        "load": "go on with a conversation that /save has written",
        "ab": "let llamacpp and ollama both answer, and compare their speeds",
        "private": "neither read nor write the history of what was typed",
        "context": "tokens that the conversation may have",
        "threads": "CPU threads (default: the usable physical cores)",
        "temperature": "0 always takes the likeliest token; higher values vary more",
        "seed": "the same seed and settings give the same text; -1: a new one for each answer",
        "max_tokens": "an answer stops after this many tokens; 0: at the end of the context",
    },
)
def chat(
    console: Console,
    model: str = "",
    backend: str = "",
    system: str = "",
    load: str = "",
    ab: bool = False,
    private: bool = False,
    context: str = "",
    threads: str = "",
    temperature: str = "",
    seed: int = -1,
    max_tokens: int = 0,
) -> None:
    """Talk with a model. Type /help inside; Ctrl-C stops an answer, Ctrl-D leaves.

    From a pipe every line is a question.
    """
    given = locals()
    from invoke.exceptions import Exit

    from smolpc import files
    from smolpc.backends.protocol import LLAMACPP, OLLAMA
    from smolpc.chat import history, starting, terminal
    from smolpc.chat.loop import Loop
    from smolpc.errors import UsageError

    if seed < -1 or max_tokens < 0:
        raise UsageError(
            "a number is out of range",
            why="seed is 0 or more (-1: random), max-tokens 1 or more (0: no limit)",
            next_step="smolpc --help chat",
        )
    taken = history.load(files.user_path(load)) if load else None
    command_line = {name: given[name] for name in SETTINGS}
    if taken and not model:
        command_line["model"] = taken.model
    talk = starting.chat(
        command_line,
        console,
        console.reporter,
        system=as_text(system),
        seed=None if seed < 0 else seed,
        max_tokens=max_tokens or None,
    )
    if taken:
        talk.take(taken)
        talk.model = model or talk.model
        talk.system = as_text(system) or talk.system
    both = (LLAMACPP, OLLAMA) if ab else None
    try:
        with terminal.keyboard(private=private) as ask:
            loop = Loop(talk, ask, both=both)
            if terminal.is_interactive():
                console.print("Type a question, or /help. Ctrl-D leaves.")
            loop.run()
    finally:
        talk.close()
    if loop.last_error is not None and not terminal.is_interactive():
        raise Exit(code=loop.last_error.code)
