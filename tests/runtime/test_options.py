"""What may be asked for, and what is refused before a model works on it."""

from __future__ import annotations

from typing import Any

import pytest

from smolpc.errors import UsageError
from smolpc.runtime.options import as_request
from smolpc.schema.running import Message, Request, Sampling


def test_a_text_a_conversation_and_a_request_become_a_request() -> None:
    message = Message(role="user", content="Hi")
    assert as_request("Hi", {}) == Request(prompt="Hi")
    assert as_request([message], {}).messages == (message,)
    given = Request(prompt="Hi", sampling=Sampling(top_k=5, seed=1))
    changed = as_request(given, {"temperature": 0.5, "stop": "END"})
    assert changed.sampling == Sampling(top_k=5, seed=1, temperature=0.5)
    assert changed.stop == ("END",)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1},
        {"top_p": 0},
        {"min_p": 2},
        {"seed": -1},
        {"max_tokens": 0},
        {"stop": ["a", ""]},
        {"grammar": "root ::= x", "json_schema": {}},
        {"temprature": 1},
    ],
)
def test_nonsense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        as_request("Hi", options)  # type: ignore[arg-type]
