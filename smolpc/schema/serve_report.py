"""What `serve` says when the models can be used."""

from __future__ import annotations

from smolpc.schema.base import Value
from smolpc.schema.running import RunSettings


class ServedReport(Value, kw_only=True):
    """One model of the server."""

    name: str  # as the server lists it
    aliases: tuple[str, ...]  # other names that clients may use
    context: int  # tokens of one answer and its prompt
    settings: RunSettings


class ServeReport(Value, kw_only=True):
    format: int = 1
    url: str  # base URL for OpenAI clients, on this machine
    network_urls: tuple[str, ...] = ()  # the same for other machines, if they are let in
    api_key: bool  # whether clients need one
    models: tuple[ServedReport, ...]
    at_once: int  # models that are in memory at the same time
    parallel: int  # answers at the same time, for each model
    pid: int
    log: str
    artifact: str
    notes: tuple[str, ...] = ()
