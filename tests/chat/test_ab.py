"""The same question to two backends."""

from __future__ import annotations

from smolpc.errors import PrerequisiteError
from tests.chat.talk import Talk
from tests.sim.backend import SimBackend

BOTH = ("llamacpp", "ollama")


def test_both_answer_the_same_question_with_the_same_seed() -> None:
    left, right = SimBackend(rate=120.0), SimBackend("ollama", rate=90.0)
    talk = Talk("hello", backends=[left, right], both=BOTH)
    ((_, one),), ((_, other),) = left.asked, right.asked
    assert one == other
    assert one.sampling.seed is not None
    rows = {line.split("  ")[0]: line.split()[-2:] for line in talk.out.splitlines() if line}
    assert rows["answer (tokens/s)"] == ["120.0", "90.0"]
    assert rows["first token (s)"] == ["0.50", "0.50"]


def test_the_order_alternates_and_the_conversation_is_the_first_backends() -> None:
    left = SimBackend(reply=lambda _: ["left"])
    right = SimBackend("ollama", reply=lambda _: ["right"])
    talk = Talk("one", "two", "three", backends=[left, right], both=BOTH)
    order = [line.strip("- ") for line in talk.out.splitlines() if line.startswith("---")]
    assert order == ["llamacpp", "ollama", "ollama", "llamacpp", "llamacpp", "ollama"]
    assert [turn["content"] for turn in talk.chat.turns] == [
        *("one", "left", "two", "left", "three", "left")
    ]
    assert [request.messages for _, request in left.asked] == [
        request.messages for _, request in right.asked
    ]


def test_different_or_unknown_bytes_are_said() -> None:
    def said(digest: str) -> str:
        right = SimBackend("ollama", digests={"smollm2": digest})
        return Talk("hello", backends=[SimBackend(), right], both=BOTH).err

    assert "file" not in said("a" * 64)
    assert "different files (aaaaaaaaaaaa and bbbbbbbbbbbb)" in said("b" * 64)
    assert "not known" in said("")


def test_a_backend_that_fails_is_not_replaced() -> None:
    broken = SimBackend("ollama", fails=PrerequisiteError("Ollama does not answer"))
    talk = Talk("hello", backends=[SimBackend(), broken], both=BOTH)
    assert "error: Ollama does not answer" in talk.err
    assert talk.chat.turns == []


def test_a_backend_that_is_not_among_them() -> None:
    talk = Talk("hello", backends=[SimBackend()], both=BOTH)
    assert "ollama is not among the backends" in talk.err


def test_nobody_answers_in_vain_when_the_other_one_is_not_there() -> None:
    gone = SimBackend("ollama", fails=PrerequisiteError("no Ollama", next_step="start it"))
    talk = Talk("hello", backends=[SimBackend(), gone], both=("llamacpp", "ollama"))
    assert talk.backends[0].asked == []
    assert "error: no Ollama" in talk.err
    assert "next: start it" in talk.err
