"""Where the states of a loaded model lie."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from smolpc.runtime.prefix.opening import key_of
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings


def key(kernels: str) -> str:
    llama = SimpleNamespace(llama_model_meta_val_str=lambda *_: -1)
    loaded: Any = SimpleNamespace(
        bound=SimpleNamespace(llama=llama, devices=(), kernels=kernels),
        handle=None,
        model=SimpleNamespace(sha256="1" * 64),
        artifact=SimpleNamespace(key="2" * 64),
        settings=RunSettings(memory=FitSettings(context=1024), threads=1),
        gpu_layers=0,
        context=1024,
    )
    return key_of(loaded).digest


def test_a_home_folder_on_two_processors_has_two_folders_of_states() -> None:
    """An engine with several CPU libraries takes another one there, which rounds differently."""
    assert key("CPU : AVX2 = 1 |") != key("CPU : AVX2 = 1 | AVX512 = 1 |")
    assert key("CPU : AVX2 = 1 |") == key("CPU : AVX2 = 1 |")
