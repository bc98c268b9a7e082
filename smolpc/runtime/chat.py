"""A conversation as the text that the model was trained on: its own chat template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from smolpc.errors import UsageError
from smolpc.schema.running import Message


def render(template: str, messages: Sequence[Message], *, bos: str = "", eos: str = "") -> str:
    """The prompt text for `messages`, ending where the assistant's answer begins.

    `template` is the model's Jinja2 source, which is data from the internet: it runs in a
    sandbox. Names and helpers are those of Hugging Face `apply_chat_template`, which the
    templates are written for. Raises UsageError when the template refuses or fails.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda text: datetime.now().strftime(text)
    try:
        return environment.from_string(template).render(
            messages=list(messages),
            add_generation_prompt=True,
            bos_token=bos,
            eos_token=eos,
            tools=None,
            documents=None,
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise UsageError(
            "the model's chat template does not accept this conversation",
            why=str(error),
            next_step="smolpc run --raw --prompt '...'",
        ) from error
