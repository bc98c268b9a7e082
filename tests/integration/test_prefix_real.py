"""Prompt reuse with a real engine and model: the text stays the same, less is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smolpc.runtime.bindings import bind
from smolpc.runtime.loaded import Loaded, Model
from smolpc.runtime.prefix.opening import FOLDER, key_of
from smolpc.runtime.prefix.warming import warm
from smolpc.schema.fit import FitSettings
from smolpc.schema.result import RunResult
from smolpc.schema.running import Message, Request, Reuse, RunSettings, Sampling
from smolpc.settings import cache_dir
from smolpc.store import artifacts
from tests.integration import window_model

pytestmark = pytest.mark.integration

Opened = Callable[..., Loaded]
SOURCE = Path(__file__).read_text(encoding="utf-8")
SYSTEM = "You help with this file:\n" + SOURCE[:1000]  # about 300 tokens
SHA = "5" * 64  # nobody compares it with the file here


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder on every system."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache ü"))
    return cache_dir() / FOLDER


@pytest.fixture
def opened(real_artifact: Path, real_model: Path, own_cache: Path) -> Iterator[Opened]:
    """Loads the model again and again, as new processes would."""
    manifest = artifacts.read(real_artifact)
    bound = bind(real_artifact, manifest.lib_dir)
    everything: list[Loaded] = []

    def load(
        *,
        path: Path = real_model,
        limit: int = 1_000_000_000,
        sha256: str = SHA,
        kv_type: str = "f16",
        full_window: bool = False,
    ) -> Loaded:
        memory = FitSettings(context=2048, kv_type=kv_type, full_window=full_window)
        settings = RunSettings(memory=memory, threads=1, prompt_cache_limit=limit)
        model = Model(path=path, name="m", sha256=sha256)
        everything.append(Loaded(bound, manifest, model, settings))
        return everything[-1]

    yield load
    for one in everything:
        one.close()


def ask(
    loaded: Loaded,
    messages: list[Message],
    reuse: Reuse | None = None,
    tokens: int = 12,
    sampling: Sampling | None = None,
) -> RunResult:
    request = Request(
        messages=tuple(messages),
        max_tokens=tokens,
        reuse=reuse,
        sampling=sampling or Sampling(),
    )
    return loaded.generate(request).result


def asked(question: str, system: str = SYSTEM) -> list[Message]:
    return [Message(role="system", content=system), Message(role="user", content=question)]


def test_any_sequence_of_prompts_gives_the_same_text_with_and_without(opened: Opened) -> None:
    """New questions, one asked again, conversations that go on, and one that is quite short."""
    reusing, plain = opened(limit=0), opened(limit=0)
    talk = asked("Which functions are there?")
    reused = 0
    for step, question in enumerate(["And tests?", "Thank you."]):
        for messages in (talk, talk, asked(f"Explain line {step}."), asked("Hi.", "Be short.")):
            got, wanted = ask(reusing, messages), ask(plain, messages, "off")
            assert got.text == wanted.text
            assert wanted.reused_tokens == 0
            reused += got.reused_tokens
        answer = ask(plain, talk, "off").text
        talk = [
            *talk,
            Message(role="assistant", content=answer),
            Message(role="user", content=question),
        ]
    assert reused > 500


def test_a_seed_repeats_whatever_was_said_before(opened: Opened) -> None:
    loaded = opened(limit=0)
    sampling = Sampling(temperature=1.0, seed=7)
    first = ask(loaded, asked("Tell a story."), sampling=sampling)
    again = ask(loaded, asked("Tell a story."), sampling=sampling)
    ask(loaded, asked("Something else."), "fast")
    third = ask(loaded, asked("Tell a story."), sampling=sampling)
    assert first.text == again.text == third.text
    assert again.reused_tokens > 0


def test_without_a_seed_a_conversation_goes_on_at_its_end(opened: Opened) -> None:
    loaded = opened(limit=0)
    free = Sampling(temperature=0.7)
    talk = asked("Which functions are there?")
    first = ask(loaded, talk, sampling=free)
    talk = [
        *talk,
        Message(role="assistant", content=first.text),
        Message(role="user", content="Go on."),
    ]
    then = ask(loaded, talk, sampling=free)
    assert then.reused_tokens >= first.prompt_tokens


def test_the_next_process_finds_the_prompt_on_the_disk(opened: Opened, own_cache: Path) -> None:
    first = opened()
    cold = ask(first, asked("Which functions are there?"))
    first.close()
    stored = list(own_cache.rglob("*.kv"))
    assert len(stored) == 1
    second = opened()
    same = ask(second, asked("Which functions are there?"))
    assert same.text == cold.text
    assert same.reused_tokens > cold.prompt_tokens - 128
    other = ask(second, asked("Name one test."))
    assert other.text == ask(second, asked("Name one test."), "off").text
    assert list(own_cache.rglob("*.kv")) == stored  # nothing worth a file was computed


def test_a_damaged_file_is_computed_again_and_said(opened: Opened, own_cache: Path) -> None:
    first = opened()
    cold = ask(first, asked("Which functions are there?"))
    first.close()
    (path,) = own_cache.rglob("*.kv")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    second = opened()
    again = ask(second, asked("Which functions are there?"))
    assert (again.text, again.reused_tokens) == (cold.text, 0)
    assert any("deleted" in note for note in again.notes)


def test_another_model_or_setting_never_gets_it(opened: Opened, own_cache: Path) -> None:
    first = opened()
    ask(first, asked("Which functions are there?"))
    first.close()
    for other in (opened(sha256="6" * 64), opened(kv_type="q8_0")):
        assert ask(other, asked("Which functions are there?"), tokens=1).reused_tokens == 0
        other.close()
    assert len(list(own_cache.glob("*/*.kv"))) == 1  # one token was asked for: nothing stored


def test_a_file_that_the_engine_refuses_is_no_harm(opened: Opened, own_cache: Path) -> None:
    """Its digest is right: it says what another kind of engine would write."""
    loaded = opened()
    wanted = ask(loaded, asked("Which functions are there?"), "off")
    tokens = loaded.decoder.cache.held[: wanted.prompt_tokens]
    from smolpc.runtime.prefix.shelf import Shelf

    Shelf(own_cache, key_of(loaded).digest, 10**9).put(tokens, len(tokens) // 64 * 64, b"x" * 999)
    got = ask(opened(), asked("Which functions are there?"))
    assert (got.text, got.reused_tokens) == (wanted.text, 0)
    assert any("refused" in note for note in got.notes)


def test_warm_stores_what_every_conversation_begins_with(opened: Opened, own_cache: Path) -> None:
    first = opened()
    done = warm(first, SYSTEM)
    assert done.seconds > 0
    assert warm(first, SYSTEM).seconds == 0
    first.close()
    assert done.bytes == next(own_cache.rglob("*.kv")).stat().st_size
    second = opened()
    result = ask(second, asked("Name one test."), "fast")
    assert result.reused_tokens == done.tokens


@pytest.mark.parametrize("full_window", [True, False])
def test_a_sliding_window_goes_on_where_it_holds_what_is_needed(
    opened: Opened, tmp_path: Path, real_model: Path, full_window: bool
) -> None:
    """Stored with the whole window it can be cut at any token; else only its end is there."""
    path = window_model.write(tmp_path / "window.gguf", real_model)
    first = opened(path=path, full_window=full_window)
    tokens = first.vocabulary.tokens(SOURCE)[:700]
    request = Request(max_tokens=1, reuse="off")
    first.complete(tokens, request).result  # noqa: B018
    assert first.prefix.store_now(first.decoder.cache, tokens) > 0
    first.close()
    longer, shorter = [*tokens, *tokens[:40]], [*tokens[:400], *tokens[:70]]
    for prompt, there in ((longer, 640), (shorter, 384)):
        plain = opened(path=path, limit=0, full_window=full_window)
        second = opened(path=path, full_window=full_window)
        wanted = plain.complete(prompt, Request(max_tokens=24)).result
        got = second.complete(prompt, Request(max_tokens=24, reuse="exact")).result
        assert got.text == wanted.text
        assert got.reused_tokens == (there if full_window else 0)
        fast = opened(path=path, full_window=full_window).complete(
            longer, Request(max_tokens=1, reuse="fast")
        )
        assert fast.result.reused_tokens == len(tokens)


def test_nothing_is_written_when_it_is_off(opened: Opened, own_cache: Path) -> None:
    loaded = opened()
    ask(loaded, asked("Which functions are there?"), "off")
    opened(limit=0).generate(Request(prompt="x " * 400, max_tokens=2)).result  # noqa: B018
    loaded.close()
    assert not own_cache.exists()
