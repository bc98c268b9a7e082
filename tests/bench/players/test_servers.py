"""Servers over HTTP: the figures agree with what the server itself reports."""

from __future__ import annotations

import pytest

from smolpc.bench.players.protocol import Question
from smolpc.bench.players.servers import Ollama, OpenAi, model_at
from smolpc.bench.scenarios import request
from smolpc.catalog import load_catalog
from smolpc.errors import NetworkError, PrerequisiteError, SmolpcError, UsageError
from smolpc.schema.bench import Variant
from tests.sim.llama_server import SimLlamaServer
from tests.sim.ollama import Say, SimOllama, Status

pytest_plugins = ["tests.sim.fixtures", "tests.sim.fixtures_models"]
KNOWN = load_catalog().scenarios
CHAT = Question(request=request(KNOWN["short-chat"], 1000))
RAW = Question(request=request(KNOWN["code-completion"], 1000))


def ollama(server: SimOllama) -> Ollama:
    variant = Variant(
        name="Ollama", player="ollama", model="smollm2:135m", model_sha256="", url=server.url
    )
    return Ollama(variant, context=2048)


def openai(server: SimLlamaServer, key: str = "") -> OpenAi:
    variant = Variant(
        name="a server", player="openai", model="smollm2", model_sha256="", url=f"{server.url}/v1"
    )
    return OpenAi(variant, key)


@pytest.mark.parametrize("question", [CHAT, RAW], ids=["chat", "raw"])
def test_ollamas_counts_are_taken_from_its_last_line(
    sim_ollama: SimOllama, question: Question
) -> None:
    heard = ollama(sim_ollama).answer(question)
    assert heard.answer_tokens == len(sim_ollama.reply(text(question)))
    assert heard.prompt_tokens == max(1, len(text(question).encode()) // 4)
    assert heard.first_token is not None and heard.prompt is not None
    assert heard.prompt == pytest.approx(heard.prompt_tokens / heard.first_token)
    assert 0 < heard.first_token <= heard.total
    body = sim_ollama.log[-1][1]
    assert body["options"]["num_ctx"] == 2048
    assert body["options"]["num_predict"] == question.request.max_tokens


@pytest.mark.parametrize("question", [CHAT, RAW], ids=["chat", "raw"])
def test_any_server_gets_what_the_protocol_knows_and_nothing_else(
    sim_llama_server: SimLlamaServer, question: Question
) -> None:
    heard = openai(sim_llama_server).answer(question)
    assert heard.answer_tokens == len(sim_llama_server.reply(text(question)))
    assert heard.prompt_tokens == len(text(question).split())
    assert heard.first_token is not None and heard.total is not None
    assert 0 < heard.first_token <= heard.total
    path, body = sim_llama_server.log[-1]
    assert path == ("/v1/completions" if question.request.raw else "/v1/chat/completions")
    assert body.keys() <= {
        "model",
        "messages",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
    }


def test_a_wrong_key_and_a_dead_server_are_errors(sim_llama_server: SimLlamaServer) -> None:
    sim_llama_server.api_key = "geheim"
    with pytest.raises(NetworkError, match="401"):
        openai(sim_llama_server, "falsch").answer(CHAT)
    assert openai(sim_llama_server, "geheim").answer(CHAT).answer_tokens > 2
    gone = Variant(name="x", player="openai", model="m", model_sha256="", url="http://127.0.0.1:9")
    with pytest.raises(NetworkError, match="did not answer"):
        OpenAi(gone).answer(CHAT)


def test_an_error_of_ollama_is_one(sim_ollama: SimOllama) -> None:
    sim_ollama.fail(Status(500, "out of memory"))
    with pytest.raises(NetworkError, match="HTTP 500"):
        ollama(sim_ollama).answer(CHAT)


def test_an_error_in_the_middle_of_ollamas_answer_is_one_in_its_words(
    sim_ollama: SimOllama,
) -> None:
    sim_ollama.fail(Say("llama runner process has terminated", after=1))
    with pytest.raises(SmolpcError) as caught:
        ollama(sim_ollama).answer(CHAT)
    assert "llama runner process has terminated" in str(caught.value) + caught.value.why


def test_guesses_are_counted_where_the_server_tells_them(sim_llama_server: SimLlamaServer) -> None:
    sim_llama_server.drafts = {"draft_n": 10, "draft_n_accepted": 7}
    heard = openai(sim_llama_server).answer(CHAT)
    assert (heard.drafted_tokens, heard.accepted_tokens) == (10, 7)


def test_a_server_is_asked_for_a_model_that_it_has(sim_llama_server: SimLlamaServer) -> None:
    url = f"{sim_llama_server.url}/v1"
    assert model_at(url, "", "qwen") == "smollm2"
    sim_llama_server.names = ("tiny", "qwen")
    assert model_at(url, "", "qwen") == "qwen"
    with pytest.raises(UsageError, match="called 'mistral'") as caught:
        model_at(url, "", "mistral")
    assert "tiny, qwen" in caught.value.why and "?model=tiny" in caught.value.next_step
    sim_llama_server.api_key = "geheim"
    for key in ("", "falsch"):
        with pytest.raises(PrerequisiteError, match="API key"):
            model_at(url, key, "qwen")
    assert model_at(url, "geheim", "qwen") == "qwen"
    with pytest.raises(PrerequisiteError, match="nobody answers"):
        model_at("http://127.0.0.1:9", "", "qwen")


def text(question: Question) -> str:
    asked = question.request
    return asked.prompt or "\n".join(message["content"] for message in asked.messages)
