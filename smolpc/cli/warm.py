"""`warm`: compute a system prompt once, so that later answers begin sooner."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes


@command(
    first="prompt",
    help={
        "prompt": "a system prompt by name, or a text file (default: code)",
        "model": "an installed model by name (default: that of the last setup)",
    },
)
def warm(console: Console, prompt: str = "code", model: str = "", json: bool = False) -> None:
    """Compute a system prompt now and keep it on the disk for `run --system`."""
    from smolpc.cli.prompts import system_text
    from smolpc.provision import running
    from smolpc.provision.target import host_for
    from smolpc.runtime import Engine
    from smolpc.runtime.prefix.warming import warm as compute

    # As `run` prepares it: every setting that differs would be a state that `run` does not find.
    prepared = running.prepare({"model": model}, console.reporter)
    text = system_text(prepared.settings, prompt)
    host = host_for(prepared.settings)
    with Engine.open(prepared.record, config=prepared.config, host=host) as engine:
        done = compute(engine.loaded(), text)
    if json:
        console.emit(done)
        return
    how = f"computed in {done.seconds:.1f} s" if done.seconds else "stored already"
    console.print(
        f"{done.model}: {done.tokens} tokens of '{prompt}', {human_bytes(done.bytes)}, {how}"
    )
    for note in done.notes:
        console.aside(f"note: {note}")
