"""Wishes become players."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.bench.lineup import _as_before, _used
from smolpc.errors import UsageError
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings


def test_the_settings_of_an_earlier_run_come_back() -> None:
    planned = RunSettings(memory=FitSettings(context=4096, prompt_cache=7), threads=4)
    memory = FitSettings(context=2048, kv_type="q8_0", sequences=4, split=(3, 5), flash="off")
    before = RunSettings(memory=memory, threads=1, devices=("CUDA0",), speculation="off")
    again = _as_before(msgspec.json.decode(msgspec.json.encode(_used(before))), planned)
    assert again == msgspec.structs.replace(
        before, memory=msgspec.structs.replace(memory, prompt_cache=7)
    )
    assert _as_before({"threads": 2, "of a later version": 1}, planned).threads == 2
    with pytest.raises(UsageError, match="cannot be used"):
        _as_before({"threads": "many"}, planned)
