"""`smolpc bench` with the real engine: everybody answers the same question to the same length."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from smolpc import detect
from smolpc.bench import conduct, lineup, wishes
from smolpc.catalog import load_catalog
from smolpc.console import Silent
from smolpc.errors import GateFailed
from smolpc.schema.bench import BenchResult
from smolpc.schema.bench_many import TrendsReport
from smolpc.schema.bench_report import CompareReport
from smolpc.schema.model import Fill
from tests.integration import window_model
from tests.integration.conftest import Provisioned, Smolpc, run_smolpc
from tests.sim.ollama import SimModel, SimOllama

pytestmark = pytest.mark.integration

PLAYERS = "llama-bench, llamacpp:speculation=off+threads=1, llama-server:speculation=off+threads=1"


@pytest.fixture(scope="module")
def result(
    provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BenchResult, Path]:
    path = tmp_path_factory.mktemp("results ü") / "one.json"
    done = run_smolpc(
        "bench",
        "--players",
        PLAYERS,
        "--scenarios",
        "short-chat,system-prompt",
        "--minutes",
        "0.3",
        "--seed",
        "1",
        "--save",
        str(path),
        "--json",
        env=provisioned.env,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=BenchResult)
    assert msgspec.json.decode(path.read_bytes(), type=BenchResult) == found
    return found, path


def test_everybody_answered_every_scenario_in_every_block(
    result: tuple[BenchResult, Path],
) -> None:
    found, _ = result
    blocks = {one.block for one in found.answers}
    assert blocks == set(range(len(blocks)))
    turns = {(one.block, one.scenario, one.variant) for one in found.answers}
    assert len(turns) == len(found.answers) == len(blocks) * 2 * 3
    assert {anchor.block for anchor in found.anchors} == blocks
    own = {one.model_sha256 for one in found.variants}
    assert len(own) == 1 and own != {""}  # the same file everywhere
    assert all(one.artifact and one.settings["threads"] for one in found.variants)


def test_prompts_and_answers_have_the_same_length_for_all(
    result: tuple[BenchResult, Path],
) -> None:
    found, _ = result
    for scenario in found.scenarios:
        answers = [one for one in found.answers if one.scenario == scenario.name]
        assert {one.answer_tokens for one in answers} == {scenario.answer}
        assert len({one.prompt_tokens for one in answers}) == 1
        for one in answers:
            assert one.decode and one.decode > 0
            if one.variant != "llama-bench":
                assert one.first_token and one.memory and one.cpu
    cold = [one for one in found.answers if one.scenario == "short-chat" and one.first_token]
    assert not any(one.reused_tokens for one in cold)
    warm = [one for one in found.answers if one.scenario == "system-prompt" and one.first_token]
    assert all(one.reused_tokens > one.prompt_tokens / 2 for one in warm)


def test_a_result_compared_with_itself_passes_its_gates_or_says_why_not(
    smolpc: Smolpc, provisioned: Provisioned, result: tuple[BenchResult, Path]
) -> None:
    found, path = result
    counted = any(not one.flags for one in found.answers)
    if not counted:  # every block was disturbed: nothing may be compared, and that is said
        assert any("nothing can be said" in note for note in found.notes)
        return
    same = (str(path), found.id)
    passed = smolpc("bench.compare", *same, "--fail-if", "decode < 0.97", env=provisioned.env)
    assert passed.returncode == 0, passed.stderr
    strict = ("--strict", "--fail-if", "decode > 0.5")
    failed = smolpc("bench.compare", *same, *strict, "--json", env=provisioned.env)
    assert failed.returncode == GateFailed.code
    report = msgspec.json.decode(failed.stdout, type=CompareReport)
    assert report.failed and all(one.ratio.median == 1 for one in report.comparisons)


def test_history_lists_it(
    smolpc: Smolpc, provisioned: Provisioned, result: tuple[BenchResult, Path]
) -> None:
    done = smolpc("bench.history", "--json", env=provisioned.env)
    assert done.returncode == 0, done.stderr
    trends = msgspec.json.decode(done.stdout, type=TrendsReport).trends
    assert result[0].id in {point.run for trend in trends for point in trend.points}


def test_reports_are_written(
    smolpc: Smolpc, provisioned: Provisioned, result: tuple[BenchResult, Path], tmp_path: Path
) -> None:
    _, path = result
    for ending, begin in ((".html", "<!doctype html>"), (".md", "# "), (".csv", "run,model")):
        out = tmp_path / f"bericht ü{ending}"
        done = smolpc("bench.report", str(path), "--out", str(out), env=provisioned.env)
        assert done.returncode == 0, done.stderr
        assert out.read_text(encoding="utf-8").lower().startswith(begin)


def test_a_run_once_more_with_the_same_inputs(
    smolpc: Smolpc, provisioned: Provisioned, result: tuple[BenchResult, Path], tmp_path: Path
) -> None:
    old, path = result
    done = smolpc("bench.rerun", str(path), "--minutes", "0.2", "--json", env=provisioned.env)
    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout, type=CompareReport)
    assert report.base == old.id != report.new
    assert not [note for note in report.notes if "other settings" in note]
    shown = smolpc("bench.compare", report.base, report.new, "--json", env=provisioned.env)
    compared = msgspec.json.decode(shown.stdout, type=CompareReport).comparisons
    assert compared == report.comparisons
    other = tuple(msgspec.structs.replace(one, model_sha256="f" * 64) for one in old.variants)
    changed = msgspec.structs.replace(old, variants=other)
    copy = tmp_path / "other model.json"
    copy.write_bytes(msgspec.json.encode(changed))
    refused = smolpc("bench.rerun", str(copy), env=provisioned.env)
    assert refused.returncode == 5 and "another file" in refused.stderr
    gone = tuple(msgspec.structs.replace(one, artifact="f" * 64) for one in old.variants)
    copy.write_bytes(msgspec.json.encode(msgspec.structs.replace(old, variants=gone)))
    refused = smolpc("bench.rerun", str(copy), env=provisioned.env)
    assert refused.returncode == 2 and "not in the store" in refused.stderr


def test_a_run_once_more_fetches_the_model_that_is_missing(
    smolpc: Smolpc, provisioned: Provisioned, result: tuple[BenchResult, Path]
) -> None:
    _, path = result
    model = result[0].variants[0].model
    gone = smolpc("models.remove", model, "--force", env=provisioned.env)
    assert gone.returncode == 0, gone.stderr
    done = smolpc("bench.rerun", str(path), "--minutes", "0.1", env=provisioned.env)
    assert done.returncode == 0, done.stderr
    assert "eproduced" in done.stdout


def test_against_ollama_the_same_bytes_answer_or_nobody_does(
    smolpc: Smolpc, provisioned: Provisioned, result: tuple[BenchResult, Path]
) -> None:
    """Its API is simulated; what it says about its counts is what the result holds."""
    digest = result[0].variants[0].model_sha256
    short = ("--vs", "ollama", "--scenarios", "short-chat", "--minutes", "0.1", "--json")
    with SimOllama(models={"smollm2:135m": SimModel(sha256=digest)}) as server:
        env = {**provisioned.env, "OLLAMA_HOST": server.url}
        done = smolpc("bench", *short, env=env)
        assert done.returncode == 0, done.stderr
        found = msgspec.json.decode(done.stdout, type=BenchResult)
        assert [one.name for one in found.variants] == ["Ollama", "in process"]
        assert {one.model_sha256 for one in found.variants} == {digest}
        assert found.variants[0].engine == server.version
        theirs = [one for one in found.answers if one.variant == "Ollama"]
        assert theirs and all(one.answer_tokens > 2 and one.first_token for one in theirs)
        server.models["smollm2:135m"] = SimModel(sha256="b" * 64)
        refused = smolpc("bench", *short, env=env)
        assert refused.returncode == 5
        assert "another file" in refused.stdout
    gone = smolpc("bench", *short, env={**provisioned.env, "OLLAMA_HOST": "127.0.0.1:9"})
    assert gone.returncode == 3


SERVER = "llama-server:speculation=off+threads=1"
PROCESS = "llamacpp:speculation=off+threads=1"


def test_four_at_once_ask_a_server_and_gaps_need_a_model_for_them(
    smolpc: Smolpc, provisioned: Provisioned
) -> None:
    asked = ("--scenarios", "four-at-once,fill-in-the-middle", "--minutes", "0.2")
    players = ("--players", f"{SERVER}, {PROCESS}")
    done = smolpc("bench", *asked, *players, "--json", env=provisioned.env, timeout=600)
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=BenchResult)
    server, process = found.variants
    assert (server.settings["sequences"], server.settings["context"]) == (4, 4 * 4096)
    assert process.settings["sequences"] == 1
    assert {one.variant for one in found.answers} == {server.name}
    assert {one.answer_tokens for one in found.answers} == {4 * 48}
    assert not any(one.reused_tokens for one in found.answers)
    assert found.limits == ()  # one reading of the weights serves all four
    notes = " ".join(found.notes)
    assert "Four at once is not asked of in process" in notes
    assert "Fill in the middle is not asked of" in notes
    nobody = smolpc("bench", "--scenarios", "fill-in-the-middle", *players, env=provisioned.env)
    assert nobody.returncode == 2
    assert "no marks are known" in nobody.stderr


def test_a_gap_is_filled_by_all_players(
    provisioned: Provisioned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The small model knows no such marks; any that are single tokens show the same way."""
    marks = Fill(prefix="<|im_start|>", suffix="<|im_end|>", middle="<|endoftext|>")
    gap = load_catalog().scenarios["fill-in-the-middle"]
    texts = [SERVER, PROCESS, "llama-bench:threads=1"]
    for name, value in provisioned.env.items():
        monkeypatch.setenv(name, value)
    line = lineup.Lineup("", detect.host(store=provisioned.artifact, cache_dir=tmp_path))
    monkeypatch.setattr(line, "fills", lambda all_: {one.variant.name: marks for one in all_})
    wanted = wishes.wishes(texts)
    found = conduct.bench(line, wanted, [gap], seconds=1, blocks=1, reporter=Silent())
    assert len(found.answers) == 3
    assert len({one.prompt_tokens for one in found.answers}) == 1
    assert {one.answer_tokens for one in found.answers} == {gap.answer}


def test_two_models_answer_in_turns(
    smolpc: Smolpc, provisioned: Provisioned, tmp_path: Path
) -> None:
    path = window_model.write(tmp_path / "window.gguf", provisioned.model)
    env = {**provisioned.env, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert smolpc("models.add", str(path), env=env).returncode == 0
    assert smolpc("models.pull", "window", env=env).returncode == 0
    players = f"{PROCESS}, {PROCESS}+model=window, {SERVER}+model=window"
    asked = ("--scenarios", "short-chat", "--players", players, "--minutes", "0.2")
    saved = tmp_path / "two.json"
    done = smolpc("bench", *asked, "--save", str(saved), "--json", env=env, timeout=600)
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=BenchResult)
    small, window, served = found.variants
    assert (window.model, window.player) == ("window", "llamacpp")
    assert window.model_sha256 != small.model_sha256
    everybody = {small.name, window.name, served.name}
    assert {one.variant for one in found.answers} == everybody
    assert {one.variant for one in found.limits} == everybody
    # The model has no chat template; all programs read the same in spite of that.
    read = {one.variant: one.prompt_tokens for one in found.answers}
    assert read[window.name] == read[served.name]
    assert any("window has no chat template" in note for note in found.notes)
    again = smolpc("bench.rerun", str(saved), "--minutes", "0.1", env=env)
    assert again.returncode == 0, again.stderr
    assert smolpc("models.remove", "window", "--force", env=env).returncode == 0


BURN = "while True: pass"


def test_a_load_that_starts_in_the_middle_is_flagged(provisioned: Provisioned) -> None:
    """A busy loop on each processor, for a few blocks."""
    done = threading.Event()
    results: list[subprocess.CompletedProcess[str]] = []

    def bench() -> None:
        players = ("--players", f"{PROCESS}, {PROCESS}")
        wanted = (*players, "--scenarios", "short-chat", "--minutes", "0.5", "--json")
        results.append(run_smolpc("bench", *wanted, env=provisioned.env, timeout=600))
        done.set()

    thread = threading.Thread(target=bench)
    thread.start()
    done.wait(15)
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)]
    done.wait(8)
    for burner in burners:
        burner.kill()
        burner.wait()
    thread.join()
    (ended,) = results
    assert ended.returncode == 0, ended.stderr
    found = msgspec.json.decode(ended.stdout, type=BenchResult)
    busy = {one.block for one in found.conditions if one.other_cpu > 0.8}
    assert busy
    assert all("load" in one.flags for one in found.answers if one.block in busy)
    assert any("other programs used the processor" in note for note in found.notes)


def test_a_setting_that_does_not_exist_is_an_error(
    smolpc: Smolpc, provisioned: Provisioned
) -> None:
    done = smolpc("bench", "--players", "llamacpp:thread=1", env=provisioned.env)
    assert done.returncode == 2
    assert "did you mean" in done.stderr
