"""How models are listed and shown."""

from __future__ import annotations

import pytest

from smolpc.catalog import load_catalog
from smolpc.models import showing


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "?"),
        (134_515_008, "135M"),
        (999_885_952, "1.0B"),
        (7_615_616_512, "7.6B"),
        (9_970_000_000, "10B"),
        (30_532_122_624, "31B"),
    ],
)
def test_parameters_for_people(count: int, said: str):
    assert showing.human_count(count) == said


@pytest.mark.parametrize(
    ("tokens", "said"), [(0, "?"), (512, "512"), (2048, "2k"), (40960, "40k"), (262144, "256k")]
)
def test_context_for_people(tokens: int, said: str):
    assert showing.human_context(tokens) == said


CODER = "qwen2.5-coder-7b-instruct"


def test_states():
    catalog = load_catalog()
    states = {
        (name, pinned): showing.state_of(catalog.models[name], catalog, pinned)
        for name in (f"{CODER}-q8_0", f"{CODER}-q4_0", "qwen3-8b-q4_k_m")
        for pinned in (False, True)
    }
    assert list(states.values()) == [
        "unconfirmed",
        "pinned here",
        "unconfirmed",
        "pinned here",
        "confirmed",
        "confirmed",
    ]


def test_each_size_has_one_usual_file():
    usual = [one for one in load_catalog().models.values() if showing.is_usual(one)]
    assert len(usual) == len({one.short for one in usual})
    assert {"qwen2.5-coder:7b", "smollm2:135m", "gemma3:270m"} <= {one.short for one in usual}
    assert "qwen2.5-coder:7b-q8_0" not in {one.short for one in usual}
