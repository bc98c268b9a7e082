"""The request key: what changes it, and what must not (design, section 5)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.schema.base import canonical_json
from smolpc.schema.spec import BuildSpec, CompilerId

BASE = BuildSpec(
    engine="llama.cpp",
    version="b1",
    commit="0" * 40,
    tree_sha256="1" * 64,
    bindings_sha256="2" * 64,
    patches=("3" * 64, "4" * 64),
    cmake={"GGML_AVX2": "ON", "GGML_FMA": "ON", "CMAKE_BUILD_TYPE": "Release"},
    targets=("ggml", "llama"),
    omit=(),
    license_files=("LICENSE",),
    triple="x86_64-linux-glibc",
    libc_floor="2.36",
    compilers={
        "C": CompilerId(id="gcc", version="12.2.0", target="x86_64-linux-gnu"),
        "CXX": CompilerId(id="g++", version="12.2.0", target="x86_64-linux-gnu"),
    },
    linker="ld 2.40",
    cmake_version="3.25.1",
    generator="Ninja",
    sdks={"cuda": "13.0"},
    gpu_architectures=("89-real", "120-virtual"),
)

# One other value for every field: a field added to BuildSpec without a line here fails.
CHANGES: dict[str, Any] = {
    "format": 2,
    "engine": "other.cpp",
    "version": "b2",
    "commit": "9" * 40,
    "tree_sha256": "9" * 64,
    "bindings_sha256": "9" * 64,
    "patches": ("4" * 64, "3" * 64),  # the order of patches matters
    "cmake": {**BASE.cmake, "GGML_AVX2": "OFF"},
    "targets": ("ggml",),
    "omit": ("ggml-cpu-x",),
    "license_files": ("LICENSE", "AUTHORS"),
    "triple": "x86_64-linux-musl",
    "libc_floor": "2.28",
    "compilers": {**BASE.compilers, "CXX": CompilerId(id="g++", version="13.1.0")},
    "linker": "ld 2.41",
    "cmake_version": "4.0.0",
    "generator": "Unix Makefiles",
    "sdks": {"cuda": "12.8"},
    "gpu_architectures": ("89-real",),
    "packaging": 99,
}


@pytest.mark.parametrize("field", BuildSpec.__struct_fields__)
def test_every_field_changes_the_key(field: str) -> None:
    assert msgspec.structs.replace(BASE, **{field: CHANGES[field]}).key != BASE.key


@given(st.permutations(sorted(BASE.cmake.items())), st.permutations(sorted(BASE.compilers)))
def test_the_order_of_mappings_does_not_matter(
    cmake: list[tuple[str, str]], languages: list[str]
) -> None:
    shuffled = msgspec.structs.replace(
        BASE, cmake=dict(cmake), compilers={name: BASE.compilers[name] for name in languages}
    )
    assert shuffled.key == BASE.key


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)


@given(st.dictionaries(names, names, max_size=6), st.dictionaries(names, names, max_size=6))
def test_keys_are_equal_exactly_when_the_entries_are(
    one: dict[str, str], other: dict[str, str]
) -> None:
    first = msgspec.structs.replace(BASE, cmake=one)
    second = msgspec.structs.replace(BASE, cmake=other)
    assert (first.key == second.key) == (one == other)


def test_the_key_is_the_digest_of_the_pre_image_that_is_stored() -> None:
    stored = msgspec.json.encode(BASE)
    canonical = json.dumps(
        json.loads(stored), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert hashlib.sha256(canonical.encode()).hexdigest() == BASE.key
    assert canonical_json(BASE) == canonical.encode()
