"""Words become players."""

from __future__ import annotations

import pytest

from smolpc.bench.lineup import wish, wishes
from smolpc.errors import UsageError


def test_a_player_with_settings() -> None:
    found = wish(" llamacpp:threads=1+speculation=off ")
    assert (found.kind, found.changes) == ("llamacpp", {"threads": "1", "speculation": "off"})
    assert wish("llama-bench").changes == {}
    served = wish("http://10.0.0.7:8080/v1")
    assert (served.kind, served.url) == ("openai", "http://10.0.0.7:8080/v1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("llamacp", "did you mean 'llamacpp'"),
        ("openai", "no player 'openai'"),
        ("llamacpp:threads", "no setting"),
        ("llamacpp:threads=", "no setting"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wish(text)


def test_the_same_twice_is_a_test_of_the_method() -> None:
    assert [one.again for one in wishes(["llamacpp", "llama-bench", "llamacpp", ""])] == [0, 0, 1]
