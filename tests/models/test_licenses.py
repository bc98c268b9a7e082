"""A licence is recognised for sure, or has an id of its own."""

from __future__ import annotations

import pytest

from smolpc.models import licenses

MIT = "MIT License\n\nCopyright (c) X\n\nPermission is hereby granted, free of charge, to any"
LLAMA = "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date: September 25, 2024"


@pytest.mark.parametrize(
    ("text", "id_", "commercial"),
    [
        ("   Apache License\n      Version 2.0, January 2004\n", "Apache-2.0", True),
        (MIT + " person obtaining a copy", "MIT", True),
        (LLAMA, "LicenseRef-Llama-3.2", None),
        ("META LLAMA 3 COMMUNITY LICENSE AGREEMENT", "LicenseRef-Llama-3", None),
        ("Gemma Terms of Use\n\nLast modified", "LicenseRef-Gemma", None),
        ("Qwen RESEARCH LICENSE AGREEMENT", "LicenseRef-Qwen-Research", False),
        ("Qwen LICENSE AGREEMENT", "LicenseRef-Qwen", None),
        ("Creative Commons Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0", False),
        ("", "LicenseRef-Unknown", None),
        (" \n", "LicenseRef-Unknown", None),
    ],
)
def test_texts(text: str, id_: str, commercial: bool | None):
    found = licenses.of_text(text)
    assert (found.id, found.commercial) == (id_, commercial)


def test_an_unknown_text_has_its_own_id_and_its_title():
    one = licenses.of_text("\n== My School License ==\nDo homework only.")
    two = licenses.of_text("My School License\nDo anything.")
    assert one.id != two.id
    assert one.id.startswith("LicenseRef-")
    assert one.name == "My School License"
    assert one.commercial is None


@pytest.mark.parametrize(
    ("word", "id_"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("Apache-2.0", "Apache-2.0"),
        ("MIT", "MIT"),
        ("llama3.1", "LicenseRef-Llama-3.1"),
        ("my own\n", "LicenseRef-my-own"),
        ("other", "LicenseRef-Unknown"),
        ("", "LicenseRef-Unknown"),
    ],
)
def test_words(word: str, id_: str):
    assert licenses.of_word(word).id == id_
