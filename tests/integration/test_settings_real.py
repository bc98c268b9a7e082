"""What is chosen from the settings is what the engine is set to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smolpc.errors import UsageError
from smolpc.runtime import Engine
from smolpc.settings import Settings
from tests.integration.conftest import Provisioned, Smolpc

pytestmark = pytest.mark.integration


def test_the_users_settings_reach_the_engine(provisioned: Provisioned) -> None:
    config = Settings(
        store=str(provisioned.store.root),
        context=700,
        threads=1,
        batch=64,
        ubatch=32,
        kv_type="q8_0",
        flash_attention="on",
    )
    with Engine.open(config=config) as engine:
        loaded = engine.loaded()
        memory = loaded.settings.memory
        assert (memory.context, memory.batch, memory.ubatch) == (700, 64, 32)
        assert (memory.kv_type, memory.flash, loaded.settings.threads) == ("q8_0", "on", 1)
        llama = loaded.bound.llama
        context = loaded.decoder.cache.context
        assert (llama.llama_n_batch(context), llama.llama_n_ubatch(context)) == (64, 32)
        assert llama.llama_n_threads(context) == 1
        assert engine.generate("Say hi.", max_tokens=3).result.generated_tokens == 3


def test_without_settings_it_runs_with_what_explain_says(
    provisioned: Provisioned, smolpc: Smolpc
) -> None:
    done = smolpc("run", "--explain", "--json", env=provisioned.env)
    assert done.returncode == 0, done.stderr
    explained = json.loads(done.stdout)["running"]["settings"]
    with Engine.open(config=Settings(store=str(provisioned.store.root))) as engine:
        used = engine.loaded().settings
    assert (used.threads, used.memory.context) == (
        explained["threads"],
        explained["memory"]["context"],
    )


def test_a_wish_that_cannot_be_is_an_error_before_anything_is_loaded(
    provisioned: Provisioned, tmp_path: Path, smolpc: Smolpc
) -> None:
    config = Settings(store=str(provisioned.store.root), gpu_layers=3)
    with pytest.raises(UsageError, match="no GPU"):
        Engine.open(config=config)
    (tmp_path / "config.yaml").write_text("gpu_layers: 3\n")
    env = {**provisioned.env, "SMOLPC_CONFIG": str(tmp_path / "config.yaml")}
    done = smolpc("run", "hi", env=env)
    assert done.returncode == 2
    assert "smolpc config.unset gpu_layers" in done.stderr
