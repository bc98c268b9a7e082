"""A chat with the backends and settings of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolpc import settings
from smolpc.backends.opening import names_of, open_backends, order_for
from smolpc.backends.protocol import Backend
from smolpc.chat.conversation import Chat, Screen
from smolpc.chat.options import Options
from smolpc.console import Reporter
from smolpc.runtime.choosing import sampling_for


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
    import msgspec

    config = settings.load_config(command_line)
    chosen, names = config.settings, names_of(config.settings)
    order = order_for(config, names)
    order(chosen.model)  # a wrong name is said before the first question

    def opened(context: int) -> dict[str, Backend]:
        given = {**command_line, "context": context or command_line.get("context", "")}
        return open_backends(settings.load_config(given), given, reporter)

    _, report = config.for_model(names(chosen.model))
    sampling, _ = sampling_for(report)
    options = Options(
        sampling=msgspec.structs.replace(sampling, seed=seed),
        max_tokens=max_tokens,
    )
    return Chat(opened, screen, model=chosen.model, order=order, system=system, options=options)
