"""Words become wishes."""

from __future__ import annotations

import pytest

from smolpc.bench.wishes import wish, wishes
from smolpc.errors import UsageError


def test_a_player_with_settings() -> None:
    found = wish(" llamacpp:threads=1+speculation=off ")
    assert (found.kind, found.changes) == ("llamacpp", {"threads": "1", "speculation": "off"})
    assert wish("llama-bench").changes == {}
    served = wish("http://10.0.0.7:8080/v1")
    assert (served.kind, served.url) == ("openai", "http://10.0.0.7:8080/v1")
    named = wish("https://[::1]:8080/?model=qwen3:1.7b")
    assert (named.url, named.changes) == ("https://[::1]:8080", {"model": "qwen3:1.7b"})
    assert wish("ollama:model=tiny").changes == {"model": "tiny"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("llamacp", "did you mean 'llamacpp'"),
        ("openai", "no player 'openai'"),
        ("llamacpp:threads", "no setting"),
        ("llamacpp:threads=", "no setting"),
        ("ollama:threads=4", "its own settings"),
        ("http://HOST:PORT", "no address"),
        ("http://pc:80a", "no address"),
        ("http://", "no address"),
        ("http://pc/v1?modell=x", "no address"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wish(text)


def test_the_same_twice_is_a_test_of_the_method() -> None:
    assert [one.again for one in wishes(["llamacpp", "llama-bench", "llamacpp", ""])] == [0, 0, 1]
    spelled = ["llamacpp:threads=1+batch=64", "llamacpp: batch=64+threads=1", "llamacpp"]
    assert [one.again for one in wishes(spelled)] == [0, 1, 0]


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        wish("http://bob:geheim@pc:8080")
    said = caught.value
    assert "geheim" not in f"{said.what} {said.why} {said.next_step}"
    assert "SMOLPC_API_KEY" in said.next_step
