"""The runtime against a real engine and a real model."""

from __future__ import annotations

import _thread
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from smolpc.errors import PrerequisiteError, TrustError, UsageError
from smolpc.runtime import abi, trust
from smolpc.runtime.bindings import bind
from smolpc.runtime.engine import Engine, Message
from smolpc.runtime.loaded import Loaded, Model
from smolpc.runtime.loading import create_context
from smolpc.schema.artifact import Artifact
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import Request, RunSettings
from smolpc.store import artifacts

pytestmark = pytest.mark.integration


def with_context(tokens: int, **more: int) -> RunSettings:
    return RunSettings(memory=FitSettings(context=tokens, **more), threads=1)


@pytest.fixture(scope="module")
def manifest(real_artifact: Path) -> Artifact:
    return artifacts.read(real_artifact)


@pytest.fixture(scope="module")
def engine(real_artifact: Path, real_model: Path) -> Iterator[Engine]:
    with Engine.open(real_model, artifact=real_artifact, settings=with_context(1024)) as opened:
        yield opened


def test_it_answers_and_reports(engine: Engine, manifest: Artifact) -> None:
    stream = engine.generate("Say hello.", max_tokens=16)
    shown = [piece.text for piece in stream]
    result = stream.result
    assert result.text == "".join(shown)
    assert result.text.strip()
    assert 1 <= result.generated_tokens <= 16
    assert result.prompt_tokens > 10  # the chat template is around the question
    assert result.decode_rate > 0
    assert result.prompt_rate > 0
    assert result.time_to_first_token > 0
    assert (result.threads, result.context) == (1, 1024)
    assert result.artifact == manifest.key
    assert result.backend == "cpu"
    assert result.notes == ()


def test_temperature_zero_repeats_and_a_seed_repeats(engine: Engine) -> None:
    def texts(temperature: float, *seeds: int) -> list[str]:
        return [
            engine.generate(
                "Tell me a story.", max_tokens=24, temperature=temperature, seed=seed
            ).result.text
            for seed in seeds
        ]

    assert len(set(texts(0.0, 1, 2))) == 1
    assert len(set(texts(1.0, 7, 7))) == 1
    assert len(set(texts(1.0, 1, 2, 3))) > 1


def test_a_conversation_and_a_prompt_are_the_same_thing(engine: Engine) -> None:
    messages = [Message(role="user", content="What is 2+2?")]
    first = engine.generate("What is 2+2?", max_tokens=8).result
    assert first.text == engine.generate(messages, max_tokens=8).result.text


def test_raw_goes_in_as_it_is(engine: Engine) -> None:
    result = engine.generate("Once upon a time", max_tokens=4, raw=True).result
    assert result.prompt_tokens < 8
    assert result.stop == "length"


def test_the_model_ends_its_turn(engine: Engine) -> None:
    result = engine.generate(
        "What is the capital of France? Answer in one word.", max_tokens=200
    ).result
    assert result.stop == "end"
    assert "Paris" in result.text
    assert "<|im_end|>" not in result.text


def test_non_ascii_text_comes_out_whole(engine: Engine) -> None:
    vocabulary = engine.loaded().vocabulary
    tokens = vocabulary.tokens("naïve 日本語 ☕ 🎉")
    data = b"".join(vocabulary.piece(token) for token in tokens)
    assert data.decode().strip() == "naïve 日本語 ☕ 🎉"


def test_a_prompt_that_does_not_fit_is_never_cut(engine: Engine) -> None:
    with pytest.raises(UsageError, match=r"\d{4} tokens, the context holds 1024"):
        engine.generate("word " * 3000)


def test_the_end_of_the_context_is_said(engine: Engine) -> None:
    result = engine.complete([30] * 1014, ignore_end=True).result
    assert result.stop == "length"
    assert result.generated_tokens == 10
    assert "1024 tokens is full" in result.notes[-1]


def test_ctrl_c_while_answering_keeps_what_was_said(engine: Engine) -> None:
    shown: list[str] = []

    def press_after_three(text: str) -> None:
        shown.append(text)
        if len(shown) == 3:
            raise KeyboardInterrupt

    result = engine.generate("Tell me a story.", max_tokens=200).write_to(press_after_three)
    assert result.stop == "interrupted"
    assert result.text == "".join(shown)
    assert engine.generate("Say hello.", max_tokens=4).result.generated_tokens > 0


def test_ctrl_c_while_reading_the_prompt_ends_it(engine: Engine) -> None:
    tokens = engine.loaded().vocabulary.tokens("word " * 1000)[:1000]
    timer = threading.Timer(0.05, _thread.interrupt_main)
    timer.start()
    result = engine.complete(tokens, max_tokens=2000).result
    timer.join()
    assert result.stop == "interrupted"
    assert engine.generate("Say hello.", max_tokens=4).result.generated_tokens > 0


def test_it_works_from_another_thread(engine: Engine) -> None:
    results = []
    thread = threading.Thread(
        target=lambda: results.append(engine.generate("Say hello.", max_tokens=4).result)
    )
    thread.start()
    thread.join()
    assert results[0].generated_tokens > 0


def test_an_engine_answers_one_prompt_at_a_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once would share one context: a crash, or another prompt's words. In one thread
    the second could only wait for ever."""
    monkeypatch.setattr("smolpc.runtime.turns.PATIENCE", 0.2)
    first = engine.generate("Count to ten.", max_tokens=8)
    assert next(first).text
    with pytest.raises(UsageError, match="unfinished answer"):
        next(engine.generate("Name a colour.", max_tokens=8))
    first.close()
    assert engine.generate("Name a colour.", max_tokens=4).result.generated_tokens


def test_a_stream_ends_with_its_engine(real_artifact: Path, real_model: Path) -> None:
    with Engine.open(real_model, artifact=real_artifact, settings=with_context(256)) as own:
        pieces = own.generate("Count to ten.", max_tokens=50)
        next(pieces)
    with pytest.raises(UsageError):
        list(pieces)
    with pytest.raises(UsageError):
        own.generate("Again.")


def test_the_context_is_clamped_to_what_the_manifest_knows(
    engine: Engine, manifest: Artifact, real_model: Path
) -> None:
    model = Model(path=real_model, name="small", trained_context=512)
    small = Loaded(engine.bound, manifest, model, with_context(900))
    result = small.generate(Request(prompt="Hi", max_tokens=1)).result
    small.close()
    with pytest.raises(UsageError, match="closed"):
        small.generate(Request(prompt="Hi"))
    assert result.context == 512
    assert "cut from 900 to 512" in result.notes[0]


def test_a_missing_gpu_is_said(
    engine: Engine, real_artifact: Path, real_model: Path, manifest: Artifact
) -> None:
    wanted = msgspec.structs.replace(manifest.requirements, backends=("cpu", "cuda"))
    claims = msgspec.structs.replace(manifest, requirements=wanted)
    model, wanting = Model(path=real_model, name="m"), with_context(256, gpu_layers=-1)
    with pytest.raises(PrerequisiteError, match="cuda registered no device"):
        Loaded(engine.bound, claims, model, wanting)
    loaded = Loaded(engine.bound, claims, model, wanting, allow_cpu_fallback=True)
    assert "cuda registered no device" in loaded.notes[0]
    loaded.close()
    assert trust.prove(real_artifact, claims).verdict == "failed"


@pytest.mark.parametrize("damage", ["missing", "not gguf", "cut", "empty"])
def test_a_bad_model_file_is_an_error_and_no_crash(
    real_artifact: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "modèle cassé.gguf"
    data = (trust.DATA / "selfcheck.gguf").read_bytes()
    if damage != "missing":
        path.write_bytes({"not gguf": b"MZ" + data, "cut": data[:300_000], "empty": b""}[damage])
    with pytest.raises((UsageError, TrustError)) as caught:
        Engine.open(path, artifact=real_artifact, settings=with_context(256))
    assert caught.value.why
    assert "modèle cassé" in caught.value.what


def test_an_impossible_context_is_an_error_and_no_crash(engine: Engine) -> None:
    with pytest.raises(PrerequisiteError, match="cannot create a context"):
        create_context(
            engine.bound, engine.loaded().handle, with_context(1 << 24)
        )  # 400 GB of cache


def test_one_artifact_per_process(engine: Engine, tmp_path: Path) -> None:
    assert bind(engine.bound.folder, "lib") is engine.bound
    with pytest.raises(UsageError, match="one engine artifact"):
        bind(tmp_path, "lib")


def test_loading_leaves_no_trace(engine: Engine, real_artifact: Path) -> None:
    assert "llama_cpp" not in sys.modules
    assert not list(real_artifact.rglob("__pycache__"))


def test_the_import_is_light() -> None:
    heavy = {"requests", "rich", "jinja2", "numpy", "yaml", "smolpc.build", "smolpc.net"}
    code = (
        f"import sys; from smolpc.runtime import Engine;print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_real_artifact_passes_wherever_it_lies(
    real_artifact: Path, manifest: Artifact, tmp_path: Path
) -> None:
    moved = tmp_path / "Größe mit Raum"
    shutil.copytree(real_artifact, moved, symlinks=True)
    result = trust.prove(moved, manifest)
    assert result.verdict == "passed", result


def test_a_wrong_layout_fails(real_artifact: Path, manifest: Artifact) -> None:
    table = abi.table_of(real_artifact, manifest.lib_dir)
    right = msgspec.structs.replace(manifest, abi=table)
    wrong = msgspec.structs.replace(manifest, abi={**table, "llama_context_params.n_threads": 32})
    assert trust.prove(real_artifact, right).verdict == "passed"
    assert "n_threads is 28" in trust.prove(real_artifact, wrong).checks["abi"]


def test_a_wrong_reference_fails(real_artifact: Path, manifest: Artifact, tmp_path: Path) -> None:
    record = json.loads((trust.DATA / "selfcheck.json").read_text())
    record["logits"][3][5] += 1.0
    (tmp_path / "wrong.json").write_text(json.dumps(record))
    result = trust.prove(real_artifact, manifest, reference=tmp_path / "wrong.json")
    assert result.verdict == "failed"
    assert "wrong results" in result.error


@pytest.mark.parametrize("part", [0.2, 0.4, 0.6, 0.8, 0.97])
def test_a_broken_piece_of_a_weight_fails(
    real_artifact: Path, manifest: Artifact, tmp_path: Path, part: float
) -> None:
    """16 KB of zeros (about half of one matrix), wherever they are."""
    data = bytearray((trust.DATA / "selfcheck.gguf").read_bytes())
    begin = int(len(data) * part)
    data[begin : begin + 16384] = bytes(16384)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data)
    assert trust.prove(real_artifact, manifest, model=broken).verdict == "failed"


def test_a_damaged_library_fails(real_artifact: Path, manifest: Artifact, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(real_artifact, copy, symlinks=True)
    library = next((copy / manifest.lib_dir).glob("*ggml-base*")).resolve()
    library.write_bytes(library.read_bytes()[:4096])
    result = trust.prove(copy, manifest)
    assert result.verdict == "failed"
    assert result.error


def test_too_slow_is_inconclusive(real_artifact: Path, manifest: Artifact) -> None:
    assert trust.prove(real_artifact, manifest, timeout=0.01).verdict == "inconclusive"
