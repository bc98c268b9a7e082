"""Servers over HTTP: the figures agree with what the server itself reports."""

from __future__ import annotations

import pytest

from smolpc.bench.players.protocol import Question
from smolpc.bench.players.servers import Ollama, OpenAi
from smolpc.bench.scenarios import request
from smolpc.catalog import load_catalog
from smolpc.errors import NetworkError
from smolpc.schema.bench import Variant
from tests.sim.llama_server import SimLlamaServer
from tests.sim.ollama import SimOllama, Status

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


def test_any_server_gets_what_the_protocol_knows_and_nothing_else(
    sim_llama_server: SimLlamaServer,
) -> None:
    heard = openai(sim_llama_server).answer(CHAT)
    assert heard.answer_tokens > 2
    assert heard.prompt_tokens == len(text(CHAT).split())
    body = sim_llama_server.log[-1][1]
    assert body.keys() <= {
        "model",
        "messages",
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


def text(question: Question) -> str:
    asked = question.request
    return asked.prompt or "\n".join(message["content"] for message in asked.messages)
