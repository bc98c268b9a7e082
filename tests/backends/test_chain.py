"""The safety net: when it catches, when it must not, and that it is always said."""

from __future__ import annotations

import pytest

from smolpc.backends.chain import Chain
from smolpc.backends.ollama import Ollama
from smolpc.backends.protocol import NotHere
from smolpc.errors import (
    BusyError,
    Interrupted,
    NetworkError,
    PrerequisiteError,
    SmolpcError,
    TrustError,
    UsageError,
)
from smolpc.schema.running import Request
from tests.sim.backend import SimBackend
from tests.sim.ollama import Say, SimOllama

pytest_plugins = ["tests.sim.fixtures", "tests.sim.fixtures_models"]

HELLO = Request(prompt="hello")


@pytest.mark.parametrize(
    "failure",
    [
        TrustError("libllama.so was changed"),
        PrerequisiteError("nothing is set up yet"),
        NetworkError("nobody answers"),
        BusyError("busy"),
        NotHere("no model of that name"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_backend_that_does_not_work_is_passed_over_and_that_is_said(failure: SmolpcError) -> None:
    said: list[str] = []
    chain = Chain([SimBackend(fails=failure), SimBackend("ollama")], said.append)
    result = chain.generate("smollm2", HELLO).result
    assert result.provider == "ollama"
    assert result.text == "You said: hello"
    assert result.notes == (f"llamacpp did not answer: {failure}",)
    assert str(failure) in said[0]
    assert "ollama answers" in said[1]


@pytest.mark.parametrize(
    "failure", [UsageError("the prompt is empty"), Interrupted("interrupted"), KeyboardInterrupt()]
)
def test_what_no_backend_can_mend_is_not_tried_again(failure: Exception) -> None:
    second = SimBackend("ollama")
    with pytest.raises(type(failure)):
        Chain([SimBackend(fails=failure), second]).generate("smollm2", HELLO)
    assert second.asked == []


def test_after_the_first_piece_nobody_starts_again() -> None:
    second = SimBackend("ollama")
    broken = SimBackend(breaks=NetworkError("the connection broke"))
    answer = Chain([broken, second]).generate("smollm2", HELLO)
    assert next(answer).text == "You said: "
    with pytest.raises(NetworkError):
        next(answer)
    assert second.asked == []


def test_a_failure_that_shows_at_the_first_piece_still_falls_back(sim_ollama: SimOllama) -> None:
    sim_ollama.fail(Say("llama runner process has terminated"))
    second = SimBackend("llamacpp", digests={"smollm2:135m": ""})
    result = Chain([Ollama(patience=0), second]).generate("smollm2:135m", HELLO).result
    assert result.provider == "llamacpp"
    assert "terminated" in result.notes[0]


def test_when_it_works_nothing_is_noted() -> None:
    said: list[str] = []
    second = SimBackend("ollama")
    result = Chain([SimBackend(), second], said.append).generate("", HELLO).result
    assert (result.provider, result.notes, said, second.asked) == ("llamacpp", (), [], [])


def test_an_empty_answer_is_an_answer() -> None:
    result = (
        Chain([SimBackend(reply=lambda _: []), SimBackend("ollama")]).generate("", HELLO).result
    )
    assert (result.provider, result.text) == ("llamacpp", "")


def test_all_fail_with_every_reason_and_the_next_step_of_the_first() -> None:
    chain = Chain(
        [
            SimBackend(fails=TrustError("changed", why="a flipped bit", next_step="smolpc setup")),
            SimBackend("ollama", fails=PrerequisiteError("not running", next_step="ollama serve")),
        ]
    )
    with pytest.raises(TrustError, match="no backend could answer") as caught:
        chain.generate("smollm2", HELLO)
    assert "llamacpp: changed (a flipped bit)" in caught.value.why
    assert "ollama: not running" in caught.value.why
    assert caught.value.next_step == "smolpc setup"


def test_one_backend_alone_fails_as_itself() -> None:
    failure = PrerequisiteError("not running", next_step="ollama serve")
    with pytest.raises(PrerequisiteError, match=r"^not running$"):
        Chain([SimBackend(fails=failure)]).generate("", HELLO)


def test_cancel_reaches_the_backend_that_answers() -> None:
    chain = Chain(
        [SimBackend(fails=BusyError("busy")), SimBackend(reply=lambda _: ["a", "b", "c"])]
    )
    answer = chain.generate("", HELLO)
    assert next(answer).text == "a"
    answer.cancel()
    assert (answer.result.stop, answer.result.text) == ("interrupted", "a")


def test_available_when_any_is() -> None:
    broken = SimBackend(fails=PrerequisiteError("not set up"))
    assert Chain([broken, SimBackend("ollama")]).available() is None
    problem = Chain([broken]).available()
    assert problem is not None
    assert problem.what == "not set up"


def test_close_closes_all() -> None:
    both = SimBackend(), SimBackend("ollama")
    Chain(both).close()
    assert all(backend.closed for backend in both)
