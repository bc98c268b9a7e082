"""What a server sees of the environment."""

from __future__ import annotations

from pathlib import Path

from smolpc.serve.environment import environment

LEAKS = {
    "LLAMA_ARG_HF_REPO": "evil/model",
    "LLAMA_API_KEY": "theirs",
    "LLAMA_CACHE": "/home/pupil/.cache/llama.cpp",
    "HF_TOKEN": "hf_secret",
    "HF_ENDPOINT": "https://huggingface.co",
    "GGML_BACKEND_PATH": "/tmp/evil.so",
    "LD_PRELOAD": "/tmp/evil.so",
    "AIP_MODE": "PREDICTION",
    "http_proxy": "http://proxy:3128",
    "SMOLPC_API_KEY": "ours",
}


def test_nothing_leaks_in() -> None:
    seen = environment({**LEAKS, "PATH": "/bin"}, cache=Path("/empty"), api_key="")
    assert seen["PATH"] == "/bin"
    assert not set(seen.values()) & set(LEAKS.values())
    assert "LLAMA_API_KEY" not in seen


def test_no_model_is_looked_for_elsewhere() -> None:
    seen = environment(LEAKS, cache=Path("/empty"), api_key="k")
    assert seen["LLAMA_CACHE"] == str(Path("/empty"))
    assert seen["MODEL_ENDPOINT"] == seen["HF_ENDPOINT"] == "http://127.0.0.1:9"
    assert seen["LLAMA_API_KEY"] == "k"


def test_names_in_any_case_as_windows_has_them() -> None:
    assert environment({"SystemRoot": "C:\\Windows"}, cache=Path("/e"), api_key="")["SystemRoot"]
