"""What goes wrong while a model runs: each a clear error or a right answer, never a crash."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from smolpc.errors import PrerequisiteError, SmolpcError, TrustError, UsageError
from smolpc.runtime import Engine, RunSettings, libraries
from smolpc.schema.fit import FitSettings
from tests.integration.conftest import ROOT, environment

pytestmark = pytest.mark.integration
SMALL = RunSettings(memory=FitSettings(context=256), threads=1)
QUESTION = "Say hello."


@pytest.fixture(scope="module")
def engine(real_artifact: Path, real_model: Path) -> Iterator[Engine]:
    with Engine.open(real_model, artifact=real_artifact, settings=SMALL) as opened:
        yield opened


@pytest.fixture(scope="module")
def answer(engine: Engine) -> str:
    return engine.generate(QUESTION, max_tokens=4).result.text


def test_a_model_deleted_while_loaded_goes_on_answering(
    real_artifact: Path, real_model: Path, tmp_path: Path, answer: str
) -> None:
    path = tmp_path / "Größe und Übung 日本.gguf"
    shutil.copyfile(real_model, path)
    with Engine.open(path, artifact=real_artifact, settings=SMALL) as own:
        path.unlink()
        assert own.generate(QUESTION, max_tokens=4).result.text == answer


def test_a_missing_library_is_no_crash(
    real_artifact: Path, real_model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(real_artifact, copy, symlinks=True)
    libraries.find(copy / "lib", "llama").unlink()
    with pytest.raises(TrustError):
        Engine.open(real_model, artifact=copy, settings=SMALL)


def test_a_small_context_says_by_how_much(real_artifact: Path, real_model: Path) -> None:
    tiny = RunSettings(memory=FitSettings(context=16), threads=1)
    with (
        Engine.open(real_model, artifact=real_artifact, settings=tiny) as own,
        pytest.raises(UsageError, match=r"too many"),
    ):
        own.generate("word " * 400)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
@pytest.mark.parametrize("room", [60_000_000, 160_000_000])
def test_no_memory_is_an_error_with_an_exit_code(
    real_artifact: Path, real_model: Path, room: int
) -> None:
    child = ROOT / "tests" / "integration" / "runtime_child.py"
    done = subprocess.run(
        [sys.executable, str(child), str(real_artifact), str(real_model), "8192", str(room)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == PrerequisiteError.code, done
    assert "memory" in done.stdout


def test_two_engines_in_one_process(
    engine: Engine, real_artifact: Path, real_model: Path, answer: str
) -> None:
    with Engine.open(real_model, artifact=real_artifact, settings=SMALL) as second:
        for one in (engine, second, engine):
            assert one.generate(QUESTION, max_tokens=4).result.text == answer


def test_eight_threads_all_get_their_answer(engine: Engine, answer: str) -> None:
    texts: dict[int, str] = {}

    def ask(number: int) -> None:
        prompt = QUESTION if number % 2 else f"Say {number}."
        texts[number] = engine.generate(prompt, max_tokens=4).result.text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {texts[number] for number in (1, 3, 5, 7)} == {answer}
    for number in (0, 2):
        again = engine.generate(f"Say {number}.", max_tokens=4).result.text
        assert texts[number] == again


def test_cancelling_a_hundred_times_leaks_nothing(engine: Engine, answer: str) -> None:
    def cancel(times: int) -> int:
        for number in range(times):
            stream = engine.generate("One", raw=True, temperature=float(number % 2))
            next(stream)
            stream.cancel()
            assert stream.result.stop == "interrupted"
        return psutil.Process().memory_info().rss

    before = cancel(20)
    assert cancel(100) - before < 8_000_000
    assert engine.generate(QUESTION, max_tokens=4).result.text == answer


def test_leaving_the_loop_frees_the_model(engine: Engine, answer: str) -> None:
    for _ in engine.generate(QUESTION):
        break
    assert engine.generate(QUESTION, max_tokens=4).result.text == answer


def test_closing_while_another_thread_reads_ends_it_cleanly(
    real_artifact: Path, real_model: Path
) -> None:
    own = Engine.open(real_model, artifact=real_artifact, settings=SMALL)
    begun, errors = threading.Event(), []

    def read() -> None:
        try:
            for _ in own.generate("Count to a hundred."):
                begun.set()
        except SmolpcError as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(60)
    own.close()
    thread.join(60)
    assert not thread.is_alive()
    assert len(errors) <= 1


def test_asyncio_gets_the_same_and_a_cancelled_task_frees_the_model(
    engine: Engine, answer: str
) -> None:
    async def ask() -> str:
        stream = engine.agenerate(QUESTION, max_tokens=4)
        text = "".join([piece.text async for piece in stream])
        assert (await stream.result()).text == text
        return text

    async def scenario() -> tuple[str, str]:
        both = await asyncio.gather(ask(), ask())
        assert both == [answer, answer]
        endless = engine.agenerate("Count.", max_tokens=200)
        task = asyncio.create_task(anext(endless))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await endless.aclose()
        return both[0], await ask()

    assert asyncio.run(scenario()) == (answer, answer)


def test_shifting_goes_on_past_the_end_of_the_context_and_says_so(engine: Engine) -> None:
    result = engine.complete(
        [30] * 250, ignore_end=True, overflow="shift", max_tokens=12, temperature=1, seed=1
    ).result
    assert (result.generated_tokens, result.stop) == (12, "length")
    assert "were forgotten" in result.notes[-1]


def test_shifting_leaves_out_the_middle_of_a_long_prompt(engine: Engine) -> None:
    result = engine.complete([30] * 300, overflow="shift", max_tokens=2).result
    assert result.prompt_tokens < 256
    assert "45 tokens too long" in result.notes[0]


def test_a_stop_string_is_not_in_the_text(engine: Engine, answer: str) -> None:
    stop = answer[2:4]
    result = engine.generate(QUESTION, max_tokens=8, stop=stop).result
    assert (result.text, result.stop, result.stop_string) == (answer[:2], "stop", stop)


def test_the_model_used_longest_ago_leaves_a_full_budget(
    real_artifact: Path, real_model: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.gguf" for name in "abc"]
    for path in paths:
        path.symlink_to(real_model)
    with Engine.open(
        paths[0], artifact=real_artifact, settings=SMALL, memory_budget=450_000_000
    ) as own:
        own.load(paths[1], settings=SMALL)
        assert set(own.models) == {"a", "b"}
        busy = own.generate(QUESTION, model="a", max_tokens=50)
        next(busy)
        own.load(paths[2], settings=SMALL)
        assert set(own.models) == {"a", "c"}
        busy.close()
        with pytest.raises(UsageError, match="not loaded"):
            own.generate(QUESTION, model="b")
    with pytest.raises(PrerequisiteError, match="memory budget"):
        Engine.open(paths[0], artifact=real_artifact, settings=SMALL, memory_budget=10_000_000)


def test_two_files_of_one_name_are_two_models(
    real_artifact: Path, real_model: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / folder / "model.gguf" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.symlink_to(real_model)
    with Engine.open(paths[0], artifact=real_artifact, settings=SMALL) as own:
        assert own.load(paths[1], settings=SMALL) == "model-2"
        assert own.load(paths[1], settings=SMALL) == "model-2"
        result = own.generate(QUESTION, model=paths[1], max_tokens=1).result
        assert (own.models, result.model) == (("model", "model-2"), "model-2")
        own.unload(paths[0])
        with pytest.raises(UsageError, match="not loaded"):
            own.generate(QUESTION, model=paths[0])
        own.unload("model-2")
        assert own.load(paths[1], settings=SMALL) == "model"


def test_closing_while_others_wait_for_their_turn_is_no_crash(
    real_artifact: Path, real_model: Path
) -> None:
    own = Engine.open(real_model, artifact=real_artifact, settings=SMALL)
    begun, other = threading.Event(), []

    def ask(number: int) -> None:
        try:
            for _ in own.generate(
                QUESTION,
                temperature=float(number % 2),
                grammar="root ::= [a-z ]+" if number % 3 == 0 else "",
                files=("text " * 100,),
            ):
                begun.set()
        except UsageError:
            pass
        except BaseException as error:  # noqa: BLE001 - shown by the test
            other.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    own.close()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert other == []
