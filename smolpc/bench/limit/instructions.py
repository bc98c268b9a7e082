"""Peaks that numpy cannot measure, derived from the float32 peak. Pure.

The engine multiplies quantized weights as 8-bit integers. What counts is how many products one
instruction makes for each 32 bits of a vector register: a float32 multiply-add makes one. The
cores start as many of these instructions in a cycle as float32 ones, or fewer, so the product
is an upper bound. docs/benchmarks.md names the sources.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from smolpc.schema.limit import Derived


class Instruction(NamedTuple):
    features: frozenset[str]  # as archspec and Linux name them
    factor: float  # products for each 32 bits of a register
    why: str


def _known(*rows: tuple[str, float, str]) -> tuple[Instruction, ...]:
    return tuple(Instruction(frozenset(names.split()), factor, why) for names, factor, why in rows)


# The first whose features are there counts.
INTEGER = _known(
    ("i8mm", 8, "SMMLA makes 8 products of bytes"),
    ("asimddp", 4, "SDOT makes 4 products of bytes"),
    ("avx512_vnni", 4, "VPDPBUSD makes 4 products of bytes"),
    ("avx_vnni", 4, "VPDPBUSD makes 4 products of bytes"),
    ("avx2", 2, "VPMADDUBSW and VPMADDWD together make 4 products of bytes"),
    ("ssse3", 2, "PMADDUBSW and PMADDWD together make 4 products of bytes"),
    ("", 1, "no instruction for products of bytes is known here"),
)
HALF = _known(
    ("bf16", 4, "BFMMLA makes 4 products of 16-bit floats"),
    ("asimdhp", 2, "FMLA makes 2 products of 16-bit floats"),
    ("avx512_bf16", 2, "VDPBF16PS makes 2 products of 16-bit floats"),
    ("avx512_fp16", 2, "VFMADD of 16-bit floats makes 2 products"),
    ("", 1, "16-bit floats are computed as 32-bit floats"),
)
AMX = frozenset(("amx_int8", "amx_bf16"))
ACCELERATE = "accelerate"  # Apple's library: it computes on a unit beside the cores


def derived(single: float, features: Iterable[str], library: str = "") -> tuple[Derived, Derived]:
    """The peaks (of 16-bit floats, of quantized values) of cores with these `features`.

    `single`: float32 operations a second; `library`: what it was measured with. Apple's library
    does not compute on the cores, so nothing about them follows from it.
    """
    if ACCELERATE in library.lower():
        same = Derived(operations=single, factor=1, why=f"{library} does not use the cores alone")
        return same, same
    here = frozenset(features)
    return _first(HALF, single, here), _first(INTEGER, single, here)


def _first(table: tuple[Instruction, ...], single: float, here: frozenset[str]) -> Derived:
    found = next(one for one in table if one.features <= here)
    return Derived(operations=single * found.factor, factor=found.factor, why=found.why)
