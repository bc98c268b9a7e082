"""OLLAMA_HOST in the forms that Ollama itself understands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.backends.ollama.address import base_url
from smolpc.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  ", "http://127.0.0.1:11434"),
        ("localhost", "http://localhost:11434"),
        ("teacher-pc", "http://teacher-pc:11434"),
        ("192.168.1.5", "http://192.168.1.5:11434"),
        ("192.168.1.5:8000", "http://192.168.1.5:8000"),
        (":8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://0.0.0.0:8000/", "http://127.0.0.1:8000"),
        ("http://school.example", "http://school.example:80"),
        ("HTTPS://school.example", "https://school.example:443"),
        ("https://school.example/ollama/", "https://school.example:443/ollama"),
        ("school.example:99/ai", "http://school.example:99/ai"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("[::]:8000", "http://[::1]:8000"),
        ("::", "http://[::1]:11434"),
        ("http://[2001:db8::1]", "http://[2001:db8::1]:80"),
        ('"127.0.0.1:8000"', "http://127.0.0.1:8000"),
        ("'teacher-pc' ", "http://teacher-pc:11434"),
    ],
)
def test_forms(text: str, url: str) -> None:
    assert base_url(text) == url


@pytest.mark.parametrize(
    "text", ["ftp://host", "host:port", "host:99999", "a b", "me:pw@host", "http://[::1"]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="OLLAMA_HOST") as caught:
        base_url(text)
    assert caught.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        "me:s3cr3t@host",
        "http://me:s3cr3t@host:port",
        "tcp://me:s3cr3t@host",
        "me:s3/cr3t@host",
        "https://me:s3@cr3t@host",
    ],
)
def test_a_password_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError, match="OLLAMA_HOST") as caught:
        base_url(text)
    error = caught.value
    said = error.what + error.why + error.next_step
    assert "@host" in said
    assert "s3" not in said and "cr3t" not in said


@given(st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{2,5})?", fullmatch=True), st.integers(1, 65535))
def test_a_url_of_ours_means_itself(host: str, port: int) -> None:
    url = base_url(f"{host}:{port}")
    assert base_url(url) == url


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        url = base_url(text)
    except UsageError:
        return
    assert url.startswith(("http://", "https://"))
