"""A conversation, as `chat` saves it."""

from __future__ import annotations

from smolpc.schema.base import Value
from smolpc.schema.running import Message


class Conversation(Value, kw_only=True):
    """`/save` and `/load` of `smolpc chat`. `model` "" is whatever is the default."""

    format: int = 1
    model: str = ""
    messages: tuple[Message, ...]
