"""Saved conversations, and the file of what was typed."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.chat import history, terminal
from smolpc.errors import UsageError
from smolpc.schema.conversation import Conversation
from smolpc.schema.running import Message
from tests.chat.talk import Talk

MESSAGES = st.lists(
    st.builds(Message, role=st.sampled_from(history.ROLES), content=st.text()), max_size=8
)


def test_saved_and_loaded_the_conversation_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "mein Gespräch.json"
    Talk("one", f"/save {file}", system="Be brief.", model="smollm2")
    assert json.loads(file.read_bytes()) == {
        "format": 1,
        "model": "smollm2",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "You said: one"},
        ],
    }
    talk = Talk(f"/load {file}", "/backend ollama", "two")
    assert talk.contents == ["Be brief.", "one", "You said: one", "two"]
    assert talk.backends[1].asked[0][0] == "smollm2"


@given(messages=MESSAGES, model=st.text(max_size=20))
def test_what_is_saved_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Message], model: str
) -> None:
    try:
        (model + "".join(message["content"] for message in messages)).encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair is no text
    path = tmp_path_factory.mktemp("chat") / "c.json"
    said = Conversation(model=model, messages=tuple(messages))
    history.save(path, said)
    assert history.load(path) == said


def test_a_question_without_an_answer_can_be_asked(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"messages": [{"role": "user", "content": "why?"}]}')
    talk = Talk(f"/load {file}", "/retry")
    assert "/retry" in talk.out
    assert talk.contents == ["why?"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"messages": [{"role": "robot", "content": "x"}]}',
        '{"messages": [{"role": "user"}]}',
        '{"messages": [{"role": "user", "content": 7}]}',
        '{"format": 2, "messages": []}',
        "\x00\xff",
    ],
)
def test_what_is_no_conversation_changes_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not a saved conversation"):
        history.load(file)
    talk = Talk("one", f"/load {file}", "two")
    assert talk.contents == ["one", "You said: one", "two"]


def test_no_file_and_no_name(tmp_path: Path) -> None:
    talk = Talk(f"/load {tmp_path / 'nothing.json'}", "/save")
    assert "cannot read" in talk.err
    assert "a file is missing" in talk.err


def test_the_reports_type_is_exported() -> None:
    assert msgspec.json.decode(b'{"messages": []}', type=Conversation).format == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Python has no readline there")
@pytest.mark.parametrize("private", [False, True])
def test_the_history_of_the_keyboard_is_private(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    readline = pytest.importorskip("readline")
    monkeypatch.setattr(terminal, "is_interactive", lambda: True)
    for line in ("first", "second"):
        with terminal.keyboard(private=private):
            readline.add_history(line)
    file = terminal.history_file()
    if private:
        assert not file.exists()
        return
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with terminal.keyboard():
        found = [readline.get_history_item(at + 1) for at in range(2)]
    assert found == ["first", "second"]


def test_a_pipe_is_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo"))
    with terminal.keyboard() as ask:
        assert [ask("> "), ask("> ")] == ["one", "two"]
        with pytest.raises(EOFError):
            ask("> ")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_request_to_end_ends_the_input() -> None:
    import os
    import signal

    before = signal.getsignal(signal.SIGTERM)
    with terminal.keyboard(), pytest.raises(EOFError):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 10)
    assert signal.getsignal(signal.SIGTERM) is before


def test_only_a_conversation_is_replaced_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    notes, chat = tmp_path / "notes.txt", tmp_path / "c.json"
    notes.write_text("mine")
    talk = Talk("one", f"/save {notes}", f"/save {chat}", "two", f"/save {chat}")
    assert notes.read_text() == "mine"
    assert "is no conversation" in talk.err
    assert "/save notes-chat.json" in talk.err
    assert len(history.load(chat).messages) == 4
    if sys.platform != "win32":
        assert stat.S_IMODE(chat.stat().st_mode) == 0o600


def test_a_conversation_that_cannot_be_saved_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/proc/x")

    monkeypatch.setattr(history.files, "write_atomic", refuse)
    talk = Talk("one", f"/save {tmp_path / 'c.json'}", "two")
    assert "cannot be saved" in talk.err
    assert "next: /save" in talk.err
    assert talk.contents == ["one", "You said: one", "two"]
