"""Which backends there are, in which order, and what an imported model brings along."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.backends.in_process import with_brought
from smolpc.backends.opening import order_of
from smolpc.errors import UsageError
from smolpc.provision.running import Prepared
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.running import Message, Request
from smolpc.settings import Config, Settings


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("auto", ("llamacpp", "llama-server", "ollama")),
        ("", ("llamacpp", "llama-server", "ollama")),
        ("ollama", ("ollama",)),
        ("llama.cpp ollama", ("llamacpp", "ollama")),
        ("Ollama, LLAMA_SERVER ollama", ("ollama", "llama-server")),
    ],
)
def test_the_order(text: str, order: tuple[str, ...]) -> None:
    assert order_of(text) == order


def test_a_wrong_name_in_the_order() -> None:
    with pytest.raises(UsageError, match="did you mean 'ollama'"):
        order_of("llamacpp olama")


SYSTEM = Message(role="system", content="You are a pirate.")
QUESTION = Message(role="user", content="Who?")
PREPARED = Prepared(
    config=Config(),
    settings=Settings(),
    report=(),
    record=ModelRecord(name="m", sha256="a" * 64, size=1, filename="m.gguf", mtime_ns=0, inode=0),
    names=("m",),
    system=SYSTEM["content"],
    stop=("Arr!",),
)


def test_an_imported_model_keeps_its_system_prompt_and_its_ends() -> None:
    made = with_brought(Request(messages=(QUESTION,), stop=("END",)), PREPARED)
    assert made.messages == (SYSTEM, QUESTION)
    assert made.stop == ("END", "Arr!")
    assert with_brought(Request(prompt="Who?"), PREPARED).messages == (SYSTEM, QUESTION)


def test_an_own_system_prompt_wins_and_a_raw_prompt_stays() -> None:
    own = Message(role="system", content="Be brief.")
    assert with_brought(Request(messages=(own, QUESTION)), PREPARED).messages == (own, QUESTION)
    raw = Request(prompt="Who?", raw=True)
    assert with_brought(raw, PREPARED) == raw


def test_nothing_brought_changes_nothing() -> None:
    plain = msgspec.structs.replace(PREPARED, system="", stop=())
    request = Request(prompt="Who?")
    assert with_brought(request, plain) == request
