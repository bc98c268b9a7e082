"""llama-server as a backend, against a simulator of its streaming endpoints."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from smolpc.backends.llama_server import LlamaServerBackend, Place
from smolpc.backends.protocol import NotHere
from smolpc.errors import NetworkError, PrerequisiteError, SmolpcError, UsageError
from smolpc.schema.running import Message, Request, Sampling
from tests.sim.llama_server import Cut, Redirect, Say, SimLlamaServer, Status

pytest_plugins = ["tests.sim.fixtures", "tests.sim.fixtures_models"]

HELLO = Request(prompt="hello there")


@pytest.fixture
def backend(sim_llama_server: SimLlamaServer) -> LlamaServerBackend:
    return LlamaServerBackend.at(sim_llama_server.url)


@pytest.mark.parametrize("raw", [True, False])
def test_an_answer_with_its_figures(
    sim_llama_server: SimLlamaServer, backend: LlamaServerBackend, raw: bool
) -> None:
    sim_llama_server.drafts = {"draft_n": 10, "draft_n_accepted": 7}
    answer = backend.generate("smollm2", Request(prompt="hello there", raw=raw))
    assert [piece.text for piece in answer] == ["You ", "said: ", "hello ", "there "]
    result = answer.result
    assert (result.stop, result.provider, result.model) == ("end", "llama-server", "smollm2")
    assert (result.prompt_tokens, result.generated_tokens, result.context) == (2, 4, 2048)
    assert (result.model_sha256, backend.version) == ("a" * 64, "b11312-sim")
    assert result.decode_rate == pytest.approx(100)
    assert result.prompt_rate == pytest.approx(1000)
    assert (result.drafted_tokens, result.accepted_tokens) == (10, 7)


@pytest.mark.parametrize("raw", [True, False])
def test_every_option_has_its_name(
    sim_llama_server: SimLlamaServer, backend: LlamaServerBackend, raw: bool
) -> None:
    sampling = Sampling(
        temperature=0.5, top_k=7, top_p=0.8, min_p=0.1, repeat_penalty=1.2, repeat_last=32, seed=42
    )
    request = Request(
        prompt="a b", sampling=sampling, max_tokens=3, stop=("END",), grammar="root ::= x", raw=raw
    )
    result = backend.generate("", request).result
    assert (result.stop, result.generated_tokens, result.seed) == ("length", 3, 42)
    (body,) = sim_llama_server.asked("/completion" if raw else "/v1/chat/completions")
    expected = {
        "temperature": 0.5,
        "top_k": 7,
        "top_p": 0.8,
        "min_p": 0.1,
        "repeat_penalty": 1.2,
        "repeat_last_n": 32,
        "seed": 42,
        "stop": ["END"],
        "grammar": "root ::= x",
        "n_predict" if raw else "max_tokens": 3,
    }
    assert {name: body[name] for name in expected} == expected


def test_a_conversation_and_a_schema(
    sim_llama_server: SimLlamaServer, backend: LlamaServerBackend
) -> None:
    messages = (Message(role="system", content="Brief."), Message(role="user", content="hi you"))
    request = Request(messages=messages, json_schema={"type": "object"})
    assert backend.generate("", request).result.text == "You said: hi you "
    (body,) = sim_llama_server.asked("/v1/chat/completions")
    assert (body["messages"], body["json_schema"]) == (list(messages), {"type": "object"})


def test_a_prompt_over_the_context_is_the_users_to_mend(
    sim_llama_server: SimLlamaServer, backend: LlamaServerBackend
) -> None:
    sim_llama_server.context = 10
    with pytest.raises(UsageError, match="has 20 tokens, the context holds 10") as caught:
        backend.generate("", Request(prompt="word " * 20))
    assert not isinstance(caught.value, NotHere)


def test_the_end_of_the_context_is_said(
    sim_llama_server: SimLlamaServer, backend: LlamaServerBackend
) -> None:
    sim_llama_server.context = 6
    result = backend.generate("", Request(prompt="a b c", max_tokens=3)).result
    assert result.notes == ("the answer stopped because the context of 6 tokens is full",)


def test_another_model_than_the_servers(backend: LlamaServerBackend) -> None:
    with pytest.raises(NotHere, match="no model qwen") as caught:
        backend.generate("qwen", HELLO)
    assert "smollm2" in caught.value.why


def test_a_key_is_sent_and_a_wrong_one_explained(sim_llama_server: SimLlamaServer) -> None:
    sim_llama_server.api_key = "secret"
    good = LlamaServerBackend.at(sim_llama_server.url, "secret")
    assert good.generate("", HELLO).result.text
    bad = LlamaServerBackend.at(sim_llama_server.url, "guess")
    with pytest.raises(PrerequisiteError, match="another API key") as caught:
        bad.generate("", HELLO)
    assert "secret" not in str(caught.value) + caught.value.next_step


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (Status(500, "out of memory"), PrerequisiteError, "out of memory"),
        (Redirect("http://elsewhere.example/"), PrerequisiteError, "elsewhere.example"),
        (Say("slot failed"), PrerequisiteError, "slot failed"),
        (Say("slot failed", after=2), PrerequisiteError, "slot failed"),
        (Cut(2), NetworkError, "broke off"),
        (Cut(2, clean=True), NetworkError, "broke off"),
    ],
    ids=str,
)
def test_failures_are_said(
    sim_llama_server: SimLlamaServer,
    backend: LlamaServerBackend,
    fault: Any,
    kind: type[SmolpcError],
    says: str,
) -> None:
    sim_llama_server.fail(fault)
    with pytest.raises(kind, match=says) as caught:
        list(backend.generate("", HELLO))
    assert caught.value.next_step


def test_cancel_from_another_thread(
    sim_llama_server: SimLlamaServer, backend: LlamaServerBackend
) -> None:
    sim_llama_server.pause = 60
    answer = backend.generate("", HELLO)
    threading.Timer(0.1, answer.cancel).start()
    assert answer.result.stop == "interrupted"


def test_a_server_is_started_once_for_each_model_and_ended(
    sim_llama_server: SimLlamaServer,
) -> None:
    events: list[str] = []

    def start(model: str) -> Place:
        events.append(f"start {model}")
        sim_llama_server.model = model
        return Place(sim_llama_server.url, close=lambda: events.append(f"stop {model}"))

    backend = LlamaServerBackend(start)
    assert backend.models() == ()  # nothing is started to look around
    for model in ("one", "one", "two", ""):
        assert backend.generate(model, HELLO).result.model == (model or "two")
    backend.close()
    assert events == ["start one", "stop one", "start two", "stop two"]


def test_a_server_that_died_is_started_again(sim_llama_server: SimLlamaServer) -> None:
    events: list[str] = []
    dead: set[str] = set()

    def start(model: str) -> Place:
        name = f"{model} {len(events)}"
        events.append(f"start {name}")
        sim_llama_server.model = model
        return Place(
            sim_llama_server.url,
            close=lambda: events.append(f"stop {name}"),
            lives=lambda: name not in dead,
        )

    backend = LlamaServerBackend(start)
    for model in ("one", "", "one"):
        assert backend.generate(model, HELLO).result.model == "one"
        dead.add("one 0")
    assert events == ["start one 0", "stop one 0", "start one 2"]


def test_nobody_there(loopback: None, plain_network: None) -> None:
    with SimLlamaServer() as gone:
        backend = LlamaServerBackend.at(gone.url + "/v1/")
    problem = backend.available()
    assert problem is not None
    assert problem.next == "smolpc serve"
