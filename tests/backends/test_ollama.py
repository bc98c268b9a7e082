"""Ollama as a backend, against a simulator of its HTTP API."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from smolpc.backends.answer import PieceStream
from smolpc.backends.chain import Chain
from smolpc.backends.ollama import Ollama
from smolpc.backends.protocol import NotHere
from smolpc.console import Silent
from smolpc.errors import BusyError, NetworkError, PrerequisiteError, SmolpcError, UsageError
from smolpc.schema.result import RunResult
from smolpc.schema.running import Message, Piece, Request, Sampling
from tests.sim.backend import SimBackend
from tests.sim.ollama import Cut, Redirect, Say, SimModel, SimOllama, Status
from tests.sim.proxy import SimProxy

pytest_plugins = ["tests.sim.fixtures", "tests.sim.fixtures_models"]

MODEL = "smollm2:135m"
SAID = ("You", "said:", "hello", "there")
HELLO = Request(prompt="hello there")


@pytest.fixture
def ollama(sim_ollama: SimOllama) -> Ollama:
    return Ollama(patience=0)


def finish(answer: PieceStream) -> RunResult:
    return answer.result


def sent(sim: SimOllama) -> dict[str, Any]:
    """The body of the last question."""
    return [body for path, body in sim.log if path in ("/api/generate", "/api/chat")][-1]


def test_an_answer_comes_piece_by_piece_with_its_figures(ollama: Ollama) -> None:
    answer = ollama.generate(MODEL, HELLO)
    pieces = list(answer)
    assert pieces == [
        Piece(text=f"{word} ", tokens=1) for word in ["You", "said:", "hello", "there"]
    ]
    result = answer.result
    assert result.text == "You said: hello there "
    assert (result.stop, result.provider, result.model) == ("end", "ollama", MODEL)
    assert (result.prompt_tokens, result.generated_tokens) == (2, 4)
    assert result.decode_rate == pytest.approx(100)  # 10 ms a token in the simulator
    assert result.prompt_rate == pytest.approx(1000)
    assert result.model_sha256 == "a" * 64
    assert result.time_to_first_token > 0
    assert result.notes == ()


def test_loading_time_is_reported(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama.load_seconds = 0.05
    assert ollama.generate(MODEL, HELLO).result.load_seconds == pytest.approx(0.05)
    assert ollama.generate(MODEL, HELLO).result.load_seconds == 0


def test_a_conversation_goes_to_chat(sim_ollama: SimOllama, ollama: Ollama) -> None:
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="What now?"),
    )
    result = ollama.generate(MODEL, Request(messages=messages)).result
    assert result.text == "You said: What now? "
    assert sim_ollama.asked("/api/chat")[0]["messages"] == list(messages)


def test_every_sampling_option_has_its_name_in_ollama(
    sim_ollama: SimOllama, ollama: Ollama
) -> None:
    sampling = Sampling(
        temperature=0.5,
        top_k=7,
        top_p=0.8,
        min_p=0.1,
        repeat_penalty=1.2,
        repeat_last=32,
        seed=42,
    )
    request = Request(prompt="x", sampling=sampling, max_tokens=9, stop=("END",), raw=True)
    result = ollama.generate(MODEL, request).result
    body = sent(sim_ollama)
    assert body["options"] == {
        "temperature": 0.5,
        "top_k": 7,
        "top_p": 0.8,
        "min_p": 0.1,
        "repeat_penalty": 1.2,
        "repeat_last_n": 32,
        "seed": 42,
        "num_ctx": 4096,
        "num_predict": 9,
        "stop": ["END"],
    }
    assert body["raw"] is True
    assert (result.seed, result.temperature, result.context) == (42, 0.5, 4096)


def test_a_seed_is_chosen_and_told(sim_ollama: SimOllama, ollama: Ollama) -> None:
    first, second = (ollama.generate(MODEL, HELLO).result.seed for _ in range(2))
    assert first != second
    assert sent(sim_ollama)["options"]["seed"] == second


def test_own_stop_strings_do_not_replace_those_of_the_model(
    sim_ollama: SimOllama, ollama: Ollama
) -> None:
    sim_ollama.models[MODEL].stops = ("<|im_end|>", "two words")
    finish(ollama.generate(MODEL, Request(prompt="x", stop=("END",))))
    assert sent(sim_ollama)["options"]["stop"] == ["END", "<|im_end|>", "two words"]


def test_a_json_schema_is_the_format(sim_ollama: SimOllama, ollama: Ollama) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    finish(ollama.generate(MODEL, Request(prompt="x", json_schema=schema)))
    assert sent(sim_ollama)["format"] == schema


def test_a_grammar_is_refused_and_another_backend_may_try(ollama: Ollama) -> None:
    with pytest.raises(NotHere, match="grammar") as caught:
        ollama.generate(MODEL, Request(prompt="x", grammar='root ::= "a"'))
    assert "--backend" in caught.value.next_step


def test_the_end_by_length_is_said(ollama: Ollama) -> None:
    result = ollama.generate(MODEL, Request(prompt="a b c d", max_tokens=3)).result
    assert (result.stop, result.generated_tokens) == ("length", 3)


def test_the_answer_is_bounded_even_without_a_limit(sim_ollama: SimOllama, ollama: Ollama) -> None:
    finish(ollama.generate(MODEL, HELLO))
    assert sent(sim_ollama)["options"]["num_predict"] == 4096


def test_keep_alive_is_passed_on_only_when_given(sim_ollama: SimOllama, ollama: Ollama) -> None:
    finish(ollama.generate(MODEL, HELLO))
    assert "keep_alive" not in sent(sim_ollama)
    finish(Ollama(keep_alive="30m", patience=0).generate(MODEL, HELLO))
    assert sent(sim_ollama)["keep_alive"] == "30m"


@pytest.mark.parametrize(
    ("context", "trained", "got", "noted"),
    [
        (0, 8192, 4096, False),
        (0, 2048, 2048, False),
        (6000, 8192, 6000, False),
        (9000, 8192, 8192, True),
    ],
)
def test_the_context_is_asked_for_and_never_above_the_trained_one(
    sim_ollama: SimOllama, context: int, trained: int, got: int, noted: bool
) -> None:
    sim_ollama.models[MODEL].trained_context = trained
    result = Ollama(context=context, patience=0).generate(MODEL, HELLO).result
    assert sent(sim_ollama)["options"]["num_ctx"] == result.context == got
    assert any("trained for" in note for note in result.notes) is noted


def test_a_prompt_that_cannot_fit_is_refused_before_ollama_cuts_it(
    sim_ollama: SimOllama, ollama: Ollama
) -> None:
    with pytest.raises(UsageError, match="does not fit the context of 4096") as caught:
        ollama.generate(MODEL, Request(prompt="word " * 10_000))
    assert not isinstance(caught.value, NotHere)
    assert "SMOLPC_CONTEXT" in caught.value.next_step
    assert sim_ollama.asked("/api/generate") == []


LONG = "word " * 4000 + "\nend"  # 5000 tokens: over 4096, but not by a factor of two


def test_a_silent_cut_is_noticed(ollama: Ollama) -> None:
    result = ollama.generate(MODEL, Request(prompt=LONG)).result
    assert any("the beginning was cut" in note for note in result.notes)


def test_a_newer_ollama_is_told_not_to_cut(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama.modern = True
    with pytest.raises(UsageError, match="does not fit the context") as caught:
        finish(ollama.generate(MODEL, Request(prompt=LONG)))
    assert not isinstance(caught.value, NotHere)
    result = ollama.generate(MODEL, Request(prompt=LONG, overflow="shift")).result
    assert any("the beginning was cut" in note for note in result.notes)


def test_a_prompt_that_fits_has_no_note(ollama: Ollama) -> None:
    assert ollama.generate(MODEL, Request(prompt="word " * 3000 + "\nend")).result.notes == ()


def test_where_the_model_runs_is_told(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama.modern = True
    assert ollama.generate(MODEL, HELLO).result.backend == "cpu"
    sim_ollama.models[MODEL].on_gpu = 0.6
    result = ollama.generate(MODEL, HELLO).result
    assert result.backend == "gpu"
    assert result.notes == ("Ollama holds 60 % of the model on the GPU",)


def test_what_a_model_thinks_is_not_its_answer_but_is_noted(
    sim_ollama: SimOllama, ollama: Ollama
) -> None:
    sim_ollama.models[MODEL].thinks = ("Hm", "m...")
    for request in (HELLO, Request(messages=(Message(role="user", content="hello there"),))):
        result = ollama.generate(MODEL, request).result
        assert result.text == "You said: hello there "
        assert result.notes == ("the model thought before its answer; 6 characters are not shown",)


@pytest.mark.parametrize(
    ("typed", "other"),
    [
        (MODEL, ()),
        ("SmolLM2:135M", ()),
        ("smollm2-135m", ()),
        ("smollm2-135m-instruct-q4_1", ("smollm2", MODEL)),
    ],
)
def test_names_of_smolpc_find_the_model(
    sim_ollama: SimOllama, typed: str, other: tuple[str, ...]
) -> None:
    sim_ollama.models["other:latest"] = SimModel(sha256="b" * 64)
    ollama = Ollama(other_names=lambda _: other, patience=0)
    assert ollama.generate(typed, HELLO).result.model == MODEL
    assert ollama.resolve(typed).sha256 == "a" * 64


def test_the_tag_latest_may_be_left_out(sim_ollama: SimOllama) -> None:
    sim_ollama.models["phi:latest"] = SimModel()
    assert Ollama(patience=0).generate("phi", HELLO).result.model == "phi:latest"


def test_an_unknown_model_is_said_with_what_there_is(ollama: Ollama) -> None:
    with pytest.raises(NotHere, match="no model nosuch") as caught:
        ollama.generate("nosuch", HELLO)
    assert MODEL in caught.value.why
    assert caught.value.next_step == "smolpc backends.pull-ollama nosuch"


def test_without_a_name_the_default_answers_or_the_newest_with_a_note(
    sim_ollama: SimOllama,
) -> None:
    sim_ollama.models = {"new:latest": SimModel(), MODEL: SimModel()}
    default = Ollama(other_names=lambda _: ["smollm2-135m"], patience=0).generate("", HELLO).result
    assert (default.model, default.notes) == (MODEL, ())
    newest = Ollama(other_names=lambda _: ["gone"], patience=0).generate("", HELLO).result
    assert newest.model == "new:latest"
    assert "newest" in newest.notes[0]


def test_no_models_at_all(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama.models = {}
    assert ollama.models() == ()
    with pytest.raises(NotHere, match="no models"):
        ollama.generate("", HELLO)


def test_models_are_listed(sim_ollama: SimOllama, ollama: Ollama) -> None:
    (one,) = ollama.models()
    assert (one.name, one.size, one.quantization) == (MODEL, 98_362_432, "Q4_1")
    assert ollama.version == sim_ollama.version
    assert ollama.available() is None


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (Status(500, "model requires more system memory (5.6 GiB) than is available"),
         PrerequisiteError, "5.6 GiB"),
        (Status(503, "server busy, please try again"), BusyError, "busy"),
        (Status(400, '"x" does not support chat'), NotHere, "cannot do that"),
        (Status(404, "model 'x' not found"), NotHere, "no model"),
        (Redirect("http://elsewhere.example/api/generate"), PrerequisiteError, "elsewhere.example"),
        (Say("llama runner process has terminated"), PrerequisiteError, "terminated"),
        (Say("model requires more memory", after=2), PrerequisiteError, "middle of the answer"),
        (Cut(), NetworkError, "broke off"),
        (Cut(2), NetworkError, "broke off"),
        (Cut(2, clean=True), NetworkError, "broke off"),
    ],
    ids=str,
)  # fmt: skip
def test_failures_are_said(
    sim_ollama: SimOllama, ollama: Ollama, fault: Any, kind: type[SmolpcError], says: str
) -> None:
    sim_ollama.fail(fault)
    with pytest.raises(kind) as caught:
        finish(ollama.generate(MODEL, HELLO))
    assert says in f"{caught.value}"
    assert caught.value.next_step
    assert ollama.generate(MODEL, HELLO).result.text  # the next one works again


def test_an_error_after_some_pieces_comes_after_them(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama.fail(Say("out of memory", after=2))
    answer = ollama.generate(MODEL, HELLO)
    assert [next(answer).text, next(answer).text] == ["You ", "said: "]
    with pytest.raises(PrerequisiteError):
        next(answer)


def test_nobody_there_is_explained(
    loopback: None, plain_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimOllama() as gone:
        monkeypatch.setenv("OLLAMA_HOST", gone.url)
    problem = Ollama(patience=0).available()
    assert problem is not None
    assert gone.url in problem.what
    assert "refused" in problem.why.lower()
    assert "ollama" in problem.next.lower()
    with pytest.raises(PrerequisiteError):
        Ollama(patience=0).generate(MODEL, HELLO)


def test_a_slow_start_is_waited_for(
    loopback: None, plain_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimOllama(start_after=0.3) as slow:
        monkeypatch.setenv("OLLAMA_HOST", slow.url)
        assert Ollama(patience=0).available() is not None
        assert Ollama(patience=30).generate(MODEL, HELLO).result.text


def test_something_else_at_the_address(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama._tags = lambda call: call.json({"models": "many"})  # type: ignore[method-assign]
    with pytest.raises(NetworkError, match="is not Ollama"):
        ollama.models()


def test_a_proxy_is_never_asked_for_a_local_server(
    sim_ollama: SimOllama, ollama: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimProxy(("127.0.0.1", sim_ollama.port)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert ollama.generate(MODEL, HELLO).result.text
        assert proxy.seen == []


def test_cancel_from_another_thread_ends_the_wait(sim_ollama: SimOllama, ollama: Ollama) -> None:
    """The server says nothing for a minute: only the cancel can end the answer in time."""
    sim_ollama.pause = 60
    answer = ollama.generate(MODEL, HELLO)
    threading.Timer(0.1, answer.cancel).start()
    began = time.monotonic()
    pieces = list(answer)
    assert time.monotonic() - began < 30
    assert [piece.text for piece in pieces] == ["You "]
    assert (answer.result.stop, answer.result.text) == ("interrupted", "You ")


def test_leaving_early_closes_the_connection(sim_ollama: SimOllama, ollama: Ollama) -> None:
    sim_ollama.reply = lambda _: ["x" * 100_000] * 2000
    with ollama.generate(MODEL, HELLO) as answer:
        next(answer)
    for _ in range(500):
        before = sim_ollama.sent
        time.sleep(0.02)
        if sim_ollama.sent == before:
            break
    assert sim_ollama.sent < 2000


def test_pull_reports_its_progress_and_the_model_is_there(
    sim_ollama: SimOllama, ollama: Ollama
) -> None:
    seen: list[tuple[float, float | None]] = []

    class Watching(Silent):
        def task(self, title: str, **_: Any) -> Any:
            inner = super().task(title)

            class Noted:
                def __enter__(self) -> Any:
                    inner.__enter__()
                    return self

                def __exit__(self, *error: Any) -> None:
                    inner.__exit__(*error)

                def update(self, done: float, total: float | None = None) -> None:
                    seen.append((done, total))

            return Noted()

    ollama.pull("llama3.2:1b", Watching())
    assert seen == [(0, 1_300_000), (650_000, 1_300_000), (1_300_000, 1_300_000)]
    assert "llama3.2:1b" in [one.name for one in ollama.models()]


@pytest.mark.parametrize(
    ("name", "fault", "kind"),
    [
        ("nosuch", None, NotHere),
        ("llama3.2:1b", Say("max retries exceeded: EOF", after=2), NetworkError),
        ("llama3.2:1b", Cut(2, clean=True), NetworkError),
        ("llama3.2:1b", Cut(2), NetworkError),
    ],
)
def test_a_pull_that_fails(
    sim_ollama: SimOllama, ollama: Ollama, name: str, fault: Any, kind: type[SmolpcError]
) -> None:
    if fault:
        sim_ollama.fail(fault)
    with pytest.raises(kind) as caught:
        ollama.pull(name, Silent())
    assert caught.value.next_step


@pytest.mark.parametrize("host", ["localhost:abc", "tcp://localhost", "me:s3cr3t@localhost"])
def test_a_wrong_address_is_said_when_ollama_is_asked(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    ollama = Ollama(patience=0)
    problem = ollama.available()
    assert problem is not None
    assert "OLLAMA_HOST" in problem.what and problem.next
    assert (ollama.address, ollama.version) == ("", "")
    for ask in (lambda: ollama.generate(MODEL, HELLO), lambda: ollama.pull(MODEL, Silent())):
        with pytest.raises(NotHere, match="OLLAMA_HOST"):
            ask()
    second = SimBackend("llamacpp", digests={MODEL: ""})
    result = Chain([ollama, second]).generate(MODEL, HELLO).result
    assert result.provider == "llamacpp"
    assert "s3cr3t" not in f"{problem}{result.notes}"
