"""A conversation: what is asked, remembered, said, and what goes wrong."""

from __future__ import annotations

import pytest

from smolpc.chat.options import Options
from smolpc.errors import NetworkError, PrerequisiteError, TrustError, UsageError
from smolpc.schema.running import Sampling
from tests.chat.talk import CTRL_C, Talk
from tests.sim.backend import SimBackend


def test_an_answer_streams_and_its_figures_follow() -> None:
    talk = Talk("hello")
    assert talk.out == "You said: hello\n"
    assert "[llamacpp: 2 tokens, 100.0 tokens/s, first after 0.50 s]" in talk.err


def test_the_model_sees_the_whole_conversation() -> None:
    talk = Talk("one", "two", "three", system="Be brief.")
    assert talk.contents == ["Be brief.", "one", "You said: one", "two", "You said: two", "three"]


def test_several_lines_are_one_message() -> None:
    assert Talk("first \\", "second").contents == ["first \nsecond"]
    assert Talk('"""', "def f():", "    return 1", '"""').contents == ["def f():\n    return 1"]
    assert Talk('"""one line"""').contents == ["one line"]
    assert Talk('"""never closed', "two").contents == ["never closed\ntwo"]
    assert Talk("//path is a message").contents == ["/path is a message"]


def test_empty_lines_ask_nothing() -> None:
    assert Talk("", "   ", "").out == ""


def test_ctrl_c_at_the_prompt_stays() -> None:
    talk = Talk(CTRL_C, "hello")
    assert "Ctrl-D" in talk.err
    assert "You said: hello" in talk.out


def test_ctrl_c_in_an_answer_stops_it_and_keeps_what_was_said() -> None:
    def press() -> None:
        raise KeyboardInterrupt

    stopping = SimBackend(reply=lambda _: ["Once ", "upon ", "a time"], hands_on=press)
    talk = Talk("a story", "/exit", backends=[stopping])
    assert talk.out == "Once \n"
    assert [turn["content"] for turn in talk.chat.turns] == ["a story", "Once "]
    assert "stopped" in talk.err


def test_ctrl_c_before_the_first_word_forgets_the_question_but_retry_asks_it() -> None:
    backend = SimBackend(fails=KeyboardInterrupt())

    def mend() -> str:
        backend.fails = None
        return "/retry"

    talk = Talk("hello", mend, backends=[backend])
    assert "/retry" in talk.err
    assert talk.contents == ["hello"]
    assert "You said: hello" in talk.out


def test_an_error_is_said_and_the_chat_goes_on() -> None:
    backend = SimBackend(fails=PrerequisiteError("no memory", why="2 GB", next_step="close tabs"))

    def mend() -> str:
        backend.fails = None
        return "second"

    talk = Talk("first", mend, backends=[backend])
    assert "error: no memory" in talk.err
    assert "close tabs" in talk.err
    assert talk.contents == ["second"]


def test_an_answer_that_breaks_off_is_not_remembered() -> None:
    talk = Talk("hello", backends=[SimBackend(breaks=NetworkError("it broke"))])
    assert talk.chat.turns == []
    assert talk.out.endswith("\n")
    assert "it broke" in talk.err


def test_a_fallback_is_said_when_it_happens() -> None:
    broken = SimBackend(fails=TrustError("libllama.so was changed"))
    talk = Talk("hello", backends=[broken, SimBackend("ollama")])
    assert "note: llamacpp did not answer: libllama.so was changed" in talk.err
    assert "[ollama:" in talk.err


def test_a_full_context_says_what_to_do() -> None:
    full = UsageError("the prompt has 5000 tokens, the context holds 4096")
    talk = Talk("hello", backends=[SimBackend(fails=full)])
    assert "/clear" in talk.err
    assert "/settings context 8192" in talk.err


def test_leaving_and_commands_without_a_meaning() -> None:
    talk = Talk("/hlep", "/exit", "never asked")
    assert "did you mean '/help'" in talk.err
    assert talk.out == ""


@pytest.mark.parametrize("word", ["/exit", "/quit", "/EXIT"])
def test_the_words_for_leaving(word: str) -> None:
    assert Talk(word, "hello").out == ""


def test_help_names_every_command() -> None:
    out = Talk("/help").out
    for name in (
        *("/help", "/model", "/settings", "/stats", "/save", "/load", "/backend", "/system"),
        *("/clear", "/retry", "/exit"),
    ):
        assert name in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_clear_begins_anew_but_keeps_the_system_prompt() -> None:
    assert Talk("one", "/clear", "two", system="Be brief.").contents == ["Be brief.", "two"]


def test_system_is_set_shown_and_taken_away() -> None:
    talk = Talk("/system Be brief.", "/system", "one", "/system none", "/system")
    assert talk.out.splitlines()[:2] == ["Be brief.", "Be brief."]
    assert talk.contents == ["Be brief.", "one"]
    assert talk.out.splitlines()[-1] == "no system prompt"


def test_retry_replaces_the_last_answer() -> None:
    talk = Talk("one", "two", "/retry")
    assert talk.contents == ["one", "You said: one", "two"]
    assert [turn["content"] for turn in talk.chat.turns][-2:] == ["two", "You said: two"]
    assert len(talk.chat.turns) == 4


def test_a_retry_that_fails_keeps_the_old_answer() -> None:
    backend = SimBackend()

    def broken() -> str:
        backend.fails = NetworkError("gone")
        return "/retry"

    talk = Talk("one", broken, backends=[backend])
    assert "error: gone" in talk.err
    assert [turn["content"] for turn in talk.chat.turns] == ["one", "You said: one"]


def test_retry_of_the_same_words_after_a_failure_keeps_the_older_answer() -> None:
    backend = SimBackend()

    def broken() -> str:
        backend.fails = NetworkError("gone")
        return "more"

    def mend() -> str:
        backend.fails = None
        return "/retry"

    talk = Talk("one", broken, mend, backends=[backend])
    assert talk.contents == ["one", "You said: one", "more"]
    assert "there is no question yet" in Talk("/retry").err


def test_the_backend_can_be_changed_at_any_time_with_the_same_conversation() -> None:
    talk = Talk("one", "/backend ollama", "two", "/backend llama.cpp", "three", "/backend auto")
    first, second = talk.backends
    assert [len(request.messages) for _, request in first.asked] == [1, 5]
    assert [len(request.messages) for _, request in second.asked] == [3]
    assert "answers come from ollama" in talk.out
    assert "answers come from llamacpp, else from ollama" in talk.out


def test_a_chosen_backend_is_not_passed_over() -> None:
    broken = SimBackend(fails=TrustError("changed"))
    talk = Talk("/backend llamacpp", "hello", backends=[broken, SimBackend("ollama")])
    assert "error: changed" in talk.err
    assert talk.backends[1].asked == []


def test_backends_are_listed_with_what_is_wrong() -> None:
    broken = SimBackend(fails=TrustError("changed"))
    talk = Talk("/backend", "/backend olama", backends=[broken, SimBackend("ollama")])
    assert talk.out == "* llamacpp: changed\n* ollama: ready\n"
    assert "did you mean 'ollama'" in talk.err


def test_the_model_can_be_changed_and_an_unknown_one_is_refused() -> None:
    two = SimBackend(digests={"small": "a" * 64, "large": "b" * 64})
    talk = Talk("one", "/model large", "two", "/model huge", "three", "/model", backends=[two])
    assert [model for model, _ in two.asked] == ["", "large", "large"]
    assert "error: no model huge" in talk.err
    assert "* large" in talk.out


def test_another_model_brings_its_sampling_but_what_was_changed_stays() -> None:
    known = {"": Sampling(top_k=10), "large": Sampling(top_k=70, min_p=0.2)}
    two = SimBackend(digests={"large": "b" * 64})
    talk = Talk(
        *("one", "/settings temperature 0.9", "/model large", "two"),
        backends=[two],
        usual=lambda model: (known[model], ("a note",) if model else ()),
        options=Options(sampling=known[""]),
    )
    first, second = (request.sampling for _, request in two.asked)
    assert (first.top_k, second.top_k) == (10, 70)
    assert (second.min_p, second.temperature) == (0.2, 0.9)
    assert "note: a note" in talk.err


def test_settings_are_shown_changed_and_refused() -> None:
    talk = Talk(
        "/settings temperature 0.1",
        "/settings top_k=5",
        "/settings seed 7",
        "/settings max-tokens 10",
        "/settings seed none",
        "/settings temprature 1",
        "/settings top_p 2",
        "hello",
        "/settings",
    )
    ((_, request),) = talk.backends[0].asked
    assert (request.sampling.temperature, request.sampling.top_k) == (0.1, 5)
    assert (request.sampling.seed, request.max_tokens) == (None, 10)
    assert "did you mean 'temperature'" in talk.err
    assert "top_p cannot be '2'" in talk.err
    assert all(len(line) <= 100 for line in talk.out.splitlines())


def test_another_context_opens_the_backends_again() -> None:
    talk = Talk("one", "/settings context 8192", "two")
    assert talk.contexts == [0, 8192]
    assert talk.backends[0].closed
    assert talk.contents == ["one", "You said: one", "two"]


def test_stats() -> None:
    assert Talk("/stats").out == "no answer yet\n"
    out = Talk("one", "two", "/stats").out
    assert "answered by llamacpp on cpu" in out
    assert "2 answers, 4 tokens" in out
