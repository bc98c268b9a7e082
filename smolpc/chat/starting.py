"""A chat with the backends and settings of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from smolpc import settings
from smolpc.backends.opening import names_of, open_backends, order_for, sampling_here
from smolpc.backends.protocol import Backend
from smolpc.chat.conversation import Chat, Screen
from smolpc.chat.options import Options
from smolpc.console import Reporter
from smolpc.schema.running import Sampling


def chat(
    command_line: Mapping[str, Any],
    screen: Screen,
    reporter: Reporter,
    *,
    system: str = "",
    seed: int | None = None,
    max_tokens: int | None = None,
) -> Chat:
    """`command_line`: settings of this call, as `settings.load_config` takes them. Raises
    UsageError for wrong ones."""
    config = settings.load_config(command_line)
    chosen, names = config.settings, names_of(config.settings)
    order = order_for(config, names)
    order(chosen.model)  # a wrong name is said before the first question

    def opened(context: int) -> dict[str, Backend]:
        given = {**command_line, "context": context or command_line.get("context", "")}
        return open_backends(settings.load_config(given), given, reporter)

    backends = open_backends(config, command_line, reporter)

    def usual(model: str) -> tuple[Sampling, tuple[str, ...]]:
        return sampling_here(backends, config, names, model)

    sampling, notes = usual(chosen.model)
    for note in notes:
        screen.aside(f"note: {note}")
    options = Options(
        sampling=msgspec.structs.replace(sampling, seed=seed),
        max_tokens=max_tokens,
    )
    return Chat(
        opened,
        screen,
        model=chosen.model,
        order=order,
        usual=usual,
        system=system,
        options=options,
    )
