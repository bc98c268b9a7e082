"""`serve` with the real engine, the real model and the OpenAI client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import openai
import psutil
import pytest

from smolpc.errors import ServerError
from smolpc.models import storage
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings
from smolpc.schema.serve_report import ServeReport
from smolpc.serve import arguments
from smolpc.serve.arguments import ServedModel
from smolpc.serve.running import open_server, program
from smolpc.serve.server import LlamaServer
from smolpc.store import Store
from tests.integration.conftest import Provisioned, environment
from tests.models.manifests import manifest

pytestmark = pytest.mark.integration
KEY = "a-key-for-class-7b"
HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def store(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of its own, by hard links, with a second model: the same one with a byte more."""
    root = tmp_path_factory.mktemp("Schüler") / "C# store"
    unwanted = shutil.ignore_patterns("downloads", "sources", "work", "logs", "tmp", "in-use")
    shutil.copytree(provisioned.store.root, root, copy_function=os.link, ignore=unwanted)
    store = Store(root)
    data = provisioned.model.read_bytes() + b"\0"
    twin = manifest(name="twin", data=data)
    folder = storage.folder_of(store.models, twin.sha256)
    folder.mkdir()
    (folder / twin.file.filename).write_bytes(data)
    storage.write_record(folder, twin, "a test")
    return store


class Served:
    """`smolpc serve` as a user runs it, in a process of its own."""

    def __init__(self, store: Store, folder: Path, *options: str, **env: str) -> None:
        self.notes = folder / "stderr"
        with self.notes.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "smolpc", "serve", "--port=0", "--json", *options],
                env=environment({"SMOLPC_STORE": str(store.root), **env}),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline()
            assert line, text + self.notes.read_text()
            text += line
        self.report = msgspec.json.decode(text, type=ServeReport)
        self.port = int(self.report.url.rpartition(":")[2].removesuffix("/v1"))

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=self.report.url, api_key=key)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def servers(self) -> list[psutil.Process]:
        """The processes of llama-server; the one that clients talk to first."""
        return [one for one in self.family() if one.name().startswith("llama-server")]

    def end(self, number: int) -> int:
        """Send the signal; the exit code, once no process is left."""
        family = self.family()
        assert len(family) >= 2
        self.process.send_signal(number)
        code = self.process.wait(20)
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive
        return code


def wait_for(what: str, notes: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while what not in notes.read_text():
        assert time.monotonic() < end, notes.read_text()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def two(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("two")
    served = Served(
        store,
        folder,
        *("--model=smollm2", "--model=twin", "--context=512", "--threads=1"),
        SMOLPC_API_KEY=KEY,
        LLAMA_ARG_HF_REPO="evil/model",
        HF_TOKEN="hf_secret",
    )
    yield served
    served.process.kill()


def say(client: openai.OpenAI, model: str) -> str:
    answer = client.chat.completions.create(
        model=model, messages=HELLO, max_tokens=8, temperature=0
    )
    return answer.choices[0].message.content or ""


def test_the_openai_client_lists_chats_and_streams(two: Served) -> None:
    client = two.client(KEY)
    assert {one.id for one in client.models.list()} == {"smollm2", "twin"}
    answers = {say(client, name) for name in ("smollm2", "smollm2:135m", "twin")}
    assert len(answers) == 1  # the same weights
    stream = client.chat.completions.create(
        model="twin", messages=HELLO, max_tokens=8, temperature=0, stream=True
    )
    pieces = [part.choices[0].delta.content or "" for part in stream if part.choices]
    assert len([piece for piece in pieces if piece]) > 2
    assert {"".join(pieces)} == answers


@pytest.mark.parametrize("key", ["wrong-key", "none"])
def test_a_wrong_key_is_refused(two: Served, key: str) -> None:
    for ask in (lambda: list(two.client(key).models.list()), lambda: say(two.client(key), "twin")):
        with pytest.raises(openai.AuthenticationError):
            ask()


def test_the_process_of_each_model_asks_for_the_key_too(two: Served) -> None:
    ports = {
        place.laddr.port
        for one in two.servers()
        for place in one.net_connections("tcp")
        if place.status == psutil.CONN_LISTEN
    }
    assert len(ports) == 3
    for port in ports:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5)
        assert caught.value.code == 401


def test_the_key_is_in_no_command_line_and_in_no_log(two: Served) -> None:
    for one in [psutil.Process(two.process.pid), *two.family()]:
        assert KEY not in " ".join(one.cmdline())
    log = Path(two.report.log)
    assert log.stat().st_mode & 0o077 == 0
    assert KEY not in log.read_text() + two.notes.read_text()


def test_an_unknown_model_is_an_error_and_nothing_is_fetched(two: Served) -> None:
    client = two.client(KEY)
    with pytest.raises(openai.BadRequestError, match="not found"):
        say(client, "gpt-4")
    request = urllib.request.Request(
        f"http://127.0.0.1:{two.port}/models",
        data=json.dumps({"model": "ggml-org/gemma-3-270m-it-GGUF"}).encode(),
        headers={"Authorization": f"Bearer {KEY}"},
    )
    urllib.request.urlopen(request, timeout=10).close()  # the engine says yes to this
    wait_for("download completed", Path(two.report.log))
    assert {one.id for one in client.models.list()} == {"smollm2", "twin"}


def test_the_process_of_a_model_comes_back_when_it_is_killed(two: Served) -> None:
    client = two.client(KEY)
    before = say(client, "twin")
    for one in two.servers()[1:]:
        one.kill()
        one.wait(10)
    end = time.monotonic() + 30
    while True:  # the engine may take a moment to notice
        try:
            assert say(client, "twin") == before
            break
        except openai.APIError:
            assert time.monotonic() < end
            time.sleep(0.2)


def test_the_server_comes_back_when_it_is_killed(two: Served) -> None:
    before = say(two.client(KEY), "twin")
    old = two.servers()
    old[0].kill()
    wait_for("the server is back", two.notes)
    assert not {one.pid for one in old} & {one.pid for one in two.servers()}
    assert say(two.client(KEY), "twin") == before
    assert "the server ended with code 137; it is started again in 1 s" in two.notes.read_text()


def test_ctrl_c_leaves_no_process_behind(two: Served) -> None:
    assert two.end(signal.SIGINT) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_one_model_for_this_machine_and_its_end(
    store: Store, tmp_path: Path, number: signal.Signals
) -> None:
    served = Served(store, tmp_path, "--context=512", "--threads=1")
    assert not served.report.api_key
    (model,) = served.client().models.list()
    assert model.id == served.report.models[0].name == "smollm2:135m"
    assert say(served.client(), "smollm2:135m")
    assert served.end(number) == (-number if number == signal.SIGKILL else 0)


def test_an_app_has_a_server_of_its_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLPC_STORE", str(store.root))
    with open_server("twin", context="512", threads="1", parallel=2) as server:
        family = psutil.Process(server.pid).children(recursive=True)
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.api_key)
        (model,) = client.models.list()
        assert model.id == "twin"
        assert model.model_dump()["meta"]["n_ctx"] == 512  # of one answer
        assert say(client, "twin")
    _, alive = psutil.wait_procs(family, timeout=10)
    assert family and not alive


def test_a_server_that_cannot_start_shows_its_log(provisioned: Provisioned, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(provisioned.model.read_bytes()[:1_000_000])
    settings = RunSettings(memory=FitSettings(context=512), threads=1)
    model = ServedModel(name="broken", path=broken, settings=settings)
    for words, preset in (
        (arguments.for_one(model), ""),
        (arguments.for_several([model], loaded=1), arguments.preset([model], loaded=1)),
    ):
        log = tmp_path / "log"
        with pytest.raises(ServerError) as caught:
            LlamaServer(program(provisioned.artifact), words, preset=preset, log=log).__enter__()
        assert "broken.gguf" in caught.value.why
        assert str(log) in caught.value.why
