"""Bytes and operations of one token, from headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.limit.report import works_of
from smolpc.bench.limit.work import attention, decode, kind_of, layer_weights, prefill
from smolpc.plan import fit
from smolpc.schema.gguf import GgufHeader
from tests.plan.fit import shapes
from tests.plan.fit.residuals import header_of

LAYERS, WIDE, HEADS, NARROW_HEADS, FEED, VOCABULARY, HEAD = 3, 256, 4, 2, 512, 1000, 64
DIMS = shapes.Dims(LAYERS, WIDE, HEADS, NARROW_HEADS, FEED, VOCABULARY, HEAD)
TINY = header_of(shapes.dense("tiny", "llama", DIMS, "Q4_0"))
HEADERS = {made.name: header_of(made) for made in shapes.all_shapes()}
PARAMETERS = LAYERS * (2 * WIDE * WIDE + 2 * WIDE * NARROW_HEADS * HEAD + 3 * WIDE * FEED)


def test_a_weight_costs_two_operations() -> None:
    shape = fit.shape_of(TINY)
    assert layer_weights(TINY, shape).integer == 2 * PARAMETERS
    token = decode(TINY, shape, 0)
    assert token.integer == 2 * (PARAMETERS + WIDE * VOCABULARY)
    assert token.half == attention(shape, 1) == LAYERS * 2 * HEADS * 2 * HEAD
    assert token.single == 0


def test_a_token_reads_all_weights_and_the_cache_so_far() -> None:
    shape = fit.shape_of(TINY)
    weights = sum(layer.weights for layer in shape.layers) + shape.output
    assert decode(TINY, shape, 0).bytes == weights
    cache = LAYERS * 2 * NARROW_HEADS * HEAD * 2  # bytes of one token
    assert decode(TINY, shape, 100).bytes == weights + 100 * cache
    assert decode(TINY, shape, 100, "q8_0").bytes == weights + 100 * cache * 34 // 64


def test_tokens_of_a_prompt_share_the_weights_and_need_no_output_matrix() -> None:
    shape = fit.shape_of(TINY)
    token = prefill(TINY, shape, 0, 512)
    assert token.bytes * 512 == sum(layer.weights for layer in shape.layers)
    assert token.integer == 2 * PARAMETERS
    assert token.half == attention(shape, 256)  # half of 512 tokens are before the middle one


def test_experts_count_as_far_as_they_are_used() -> None:
    dims = shapes.Dims(2, 256, 4, 4, 0, 1000, 64, experts=8, used=2, expert_ff=128)
    header = header_of(shapes.moe("experts", dims, "Q4_0"))
    shape = fit.shape_of(header)
    one = 3 * 256 * 128
    got = layer_weights(header, shape)
    assert got.integer == 2 * 2 * (4 * 256 * 256 + 2 * one)
    assert got.single == 2 * 2 * 256 * 8  # the router is not quantized
    assert decode(header, shape, 0).bytes < prefill(header, shape, 0, 512).bytes * 512


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("F16", "half"),
        ("bf16", "half"),
        ("F32", "single"),
        ("Q4_K", "integer"),
        ("q8_0", "integer"),
    ],
)
def test_what_kind_of_numbers_a_type_is(kind: str, field: str) -> None:
    assert kind_of(kind) == field


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_every_architecture_has_limits(name: str) -> None:
    header = HEADERS[name]
    shape = fit.shape_of(header)
    works = list(works_of(header, shape, 512, "f16"))
    assert [work.stage for work in works] == sorted(work.stage for work in works)
    assert {work.depth for work in works} >= {0, 2048, shape.trained_context - 1}
    for work in works:
        assert 0 < work.bytes < 1.2 * shape.weights + 200e9
        assert 0 < work.integer + work.half + work.single < 1e13
    active = works[0].integer + works[0].half + works[0].single
    assert active < 2.05 * 8 * shape.weights  # no type packs a weight into less than a bit


@given(st.sampled_from(sorted(HEADERS)), st.integers(0, 1 << 17), st.integers(0, 1 << 17))
def test_more_context_never_costs_less(name: str, one: int, other: int) -> None:
    header: GgufHeader = HEADERS[name]
    shape, (less, more) = fit.shape_of(header), sorted((one, other))
    assert decode(header, shape, less).bytes <= decode(header, shape, more).bytes
    assert decode(header, shape, less).half <= decode(header, shape, more).half
    assert prefill(header, shape, less, 64).bytes <= prefill(header, shape, more, 64).bytes


def test_a_short_model_is_asked_only_what_it_can_hold() -> None:
    dims = shapes.Dims(3, 256, 4, 2, 512, 1000, 64, context=300)
    header = header_of(shapes.dense("short", "llama", dims, "Q4_0"))
    works = list(works_of(header, fit.shape_of(header), 512, "f16"))
    assert [(work.stage, work.depth, work.together) for work in works] == [
        ("decode", 0, 1),
        ("decode", 299, 1),
        ("prefill", 0, 300),
    ]
