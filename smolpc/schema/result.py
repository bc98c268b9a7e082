"""What a generation run measured."""

from __future__ import annotations

from smolpc.schema.base import Value


class RunResult(Value, kw_only=True):
    """One answer. Times in seconds, rates in tokens per second."""

    format: int = 1
    text: str
    stop: str  # "end", "length", "stop" (a stop string), "interrupted"
    prompt_tokens: int
    generated_tokens: int
    time_to_first_token: float
    prompt_rate: float
    decode_rate: float
    load_seconds: float
    threads: int
    context: int
    gpu_layers: int
    backend: str
    devices: tuple[str, ...]
    model: str
    model_sha256: str
    artifact: str
    seed: int
    temperature: float
    stop_string: str = ""  # which of the stop strings ended it
    reused_tokens: int = 0  # of the prompt: not computed again
    drafted_tokens: int = 0  # guessed by speculation
    accepted_tokens: int = 0  # of those: right
    placement: dict[str, int] = {}  # device: layers on it, as the engine told; output included
    notes: tuple[str, ...] = ()
    provider: str = "llamacpp"  # what answered: llamacpp (in process), llama-server, ollama
