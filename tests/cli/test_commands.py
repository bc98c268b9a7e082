"""The command line: what it prints, what it exits with, and that its reference is current."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path

import msgspec
import pytest

from smolpc import detect
from smolpc.cli import main, reference
from smolpc.cli.main import SmolpcProgram, program, spelled_out
from smolpc.errors import EXIT_CODES
from smolpc.schema import report
from smolpc.schema.config_report import ConfigReport
from smolpc.schema.host import Host
from tests.machines import hosts

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Commands see a recorded machine."""
    recorded = hosts()["cloud-xeon-icelake-debian12"]
    monkeypatch.setattr(detect, "host", lambda **_: recorded)
    return recorded


def run(*argv: str) -> int:
    """The exit code of `smolpc ARGV`, in this process."""
    fresh = SmolpcProgram(name="smolpc", binary="smolpc", namespace=program.namespace)
    try:
        fresh.run(["smolpc", *spelled_out(list(argv))])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


REPORTS: list[tuple[tuple[str, ...], type]] = [
    (("version",), report.VersionReport),
    (("config.show",), ConfigReport),
    (("profiles.list",), report.ProfilesReport),
    (("profiles.why", "linux-x86_64-zen4"), report.WhyReport),
    (("profiles.show", "linux-x86_64-avx2"), report.ProfileReport),
    (("profiles.render", "linux-x86_64-avx2"), report.FilesReport),
    (("artifacts.list",), report.ArtifactsReport),
    (("artifacts.verify",), report.VerifyReport),
    (("artifacts.gc", "--dry-run"), report.GcReport),
    (("models.list",), report.ModelsReport),
    (("models.verify",), report.VerifyReport),
    (("plan",), report.Plan),
    (("setup", "--dry-run"), report.Plan),
    (("detect",), Host),
]


@pytest.mark.parametrize(("argv", "kind"), REPORTS, ids=lambda value: str(value))
def test_json_is_one_object_of_the_documented_kind(
    argv: tuple[str, ...], kind: type, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv, "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out)["format"] == 1
    msgspec.json.decode(out, type=kind)


@pytest.mark.parametrize("argv", [argv for argv, _ in REPORTS], ids=str)
def test_text_has_no_escape_codes_when_it_is_not_a_terminal(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert said.out.strip()


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("run", "--prompt", "hi", "--backend", "llamacpp"), 3),
        (("run", "--prompt", "hi", "--backend", "lama"), 2),
        (("chat", "--backend", "lama"), 2),
        (("chat", "--load", "nothing.json"), 2),
        (("chat", "--max-tokens", "-1"), 2),
        (("backends.pull-ollama",), 2),
        (("artifacts.show",), 3),
        (("artifacts.show", "abc"), 2),
        (("models.pull", "smollm"), 2),
        (("profiles.why", "linux-x86_64-avx3"), 2),
        (("setup", "--profile", "macos-arm64"), 8),
        (("plan", "--format", "png"), 2),
        (("plan", "--nosuch"), 2),
        (("nosuch",), 2),
        (("profiles.why",), 2),
        (("artifacts.gc", "--keep", "abc"), 2),
        (("run", "--prompt", "hi", "--temperature", "warm"), 2),
        (("run", "--prompt", "hi", "--temperature", "-1"), 2),
        (("run", "--prompt", "hi", "--max-tokens", "0"), 2),
        (("run", "--prompt", "hi", "--threads", "-1"), 2),
        (("run", "--prompt", " "), 2),
        (("serve",), 3),
        (("bench.limit",), 3),
        (("serve", "--host", "0.0.0.0"), 2),
        (("serve", "--context", "many"), 2),
        (("setup", "--profile", "cross-linux-aarch64"), 2),
    ],
    ids=str,
)
def test_errors_have_their_exit_code_and_a_next_step(
    argv: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "<Argument" not in said
    assert "next: " in said


@pytest.mark.parametrize(
    ("argv", "what", "next_step"),
    [
        (("benhc",), "did you mean 'bench'?", "smolpc --help bench"),
        (("models.pul",), "did you mean 'models.pull'?", "smolpc --help models.pull"),
        (("pull", "smollm2"), "did you mean 'models.pull'?", "smolpc --help models.pull"),
        (("models.list", "models.shw"), "did you mean 'models.show'?", "smolpc --help models.show"),
        (("--help", "models.pul"), "did you mean 'models.pull'?", "smolpc --help models.pull"),
        (("models",), "a group of them", "smolpc --list models"),
        (("xyzzy",), "there is no command 'xyzzy'", "smolpc --list"),
        (("--xyzzy",), "smolpc has no option '--xyzzy'", "smolpc --help"),
        (("models.list", "xyzzy"), "know what to do with 'xyzzy'", "smolpc --help models.list"),
        (("models.list", "--purpos", "x"), "mean '--purpose'?", "smolpc --help models.list"),
        (("models.pull", "x", "--alow-unpinned"), "--allow-unpinned", "smolpc --help models.pull"),
        (("models.add",), "a value is missing: 'what'", "smolpc --help models.add"),
        (("models.estimate", "x", "--ctx", "y"), "whole number", "smolpc --help models.estimate"),
        (("models.estimate", "x", "--kv-type"), "--kv-type needs", "smolpc --help models.estimate"),
    ],
    ids=str,
)
def test_a_mistyped_command_line_is_answered_with_what_to_type(
    argv: tuple[str, ...], what: str, next_step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv) == 2
    error, why, then = (line.strip() for line in capsys.readouterr().err.splitlines())
    assert error.startswith("error: ")
    assert what in error
    assert "--console" not in why
    assert why.partition(": ")[0] == "why"
    assert then == f"next: {next_step}"
    assert run(*then.split()[2:]) == 0


def test_every_option_of_every_models_command_is_explained() -> None:
    tasks = [name for name in program.namespace.task_names if name.startswith("models.")]
    assert len(tasks) > 10
    for name in tasks:
        body = program.namespace[name].body
        _, *options = inspect.signature(body).parameters  # the first is the console
        lacking = [one for one in options if len(getattr(body, "options", {}).get(one, "")) < 5]
        assert (name, lacking) == (name, [])
        assert set(body.options) == set(options), name


def test_an_error_in_json_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("artifacts.show", "--json") == 3
    said = msgspec.json.decode(capsys.readouterr().out, type=report.ErrorReport)
    assert (said.error.code, said.error.next) == (3, "smolpc setup")


@pytest.mark.parametrize("kind", ["mermaid", "dot"])
def test_the_plan_as_a_graph(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--format", kind) == 0
    assert "Compile llama.cpp" in capsys.readouterr().out


def test_files_are_rendered_into_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ü folder"
    assert run("profiles.render", "linux-x86_64-avx2", "--out", str(out)) == 0
    presets = json.loads((out / "CMakePresets.json").read_text(encoding="utf-8"))
    assert presets["configurePresets"][0]["cacheVariables"]["GGML_AVX2"] == "ON"


def test_a_plan_touches_nothing(own_home: Path) -> None:
    assert run("plan") == 0
    assert not Path(os.environ["SMOLPC_STORE"]).exists()


def test_a_first_argument_needs_no_flag() -> None:
    assert spelled_out(["models.pull", "x"]) == ["models.pull", "--name", "x"]
    assert spelled_out(["models.pull", "--json"]) == ["models.pull", "--json"]
    two = ["bench.compare", "--strict", "a", "--fail-if", "x", "b"]
    spelled = ["bench.compare", "--strict", "--base", "a", "--fail-if", "x", "--new", "b"]
    assert spelled_out(two) == spelled
    assert spelled_out(["bench.compare", "--base=a", "b"])[-2:] == ["--new", "b"]
    assert spelled_out(["bench", "x", "--full"]) == ["bench", "--model", "x", "--full"]
    assert spelled_out(["bench", "--help"]) == ["--help", "bench"]
    assert spelled_out(["models.verify", "models.list"]) == ["models.verify", "models.list"]
    assert spelled_out(["run", "--prompt", "x"]) == ["run", "--prompt", "x"]
    assert spelled_out(["run", "what?"]) == ["run", "--prompt", "what?"]
    assert spelled_out(["run", "--seed", "1", "--raw", "what?"]) == [
        *["run", "--seed", "1", "--raw", "--prompt", "what?"]
    ]
    assert spelled_out(["run", "--prompt=x", "y"]) == ["run", "--prompt=x", "y"]
    assert spelled_out(["models.pull", "a", "b"]) == ["models.pull", "--name", "a", "b"]


def test_help_behind_a_command_is_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--help") == 0
    said = capsys.readouterr().out
    assert "--max-tokens" in said
    assert "stop after this many tokens" in said


def test_a_partly_done_store_can_be_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A built engine without a model: what is cached has no time of its own."""
    from smolpc.plan.graph import Known
    from smolpc.provision.steps import FetchSource

    monkeypatch.setattr(FetchSource, "known", lambda *_: Known(done=True))
    assert run("plan") == 0
    assert run("setup", "--dry-run") == 0


def test_exit_codes_are_distinct_and_documented() -> None:
    assert set(EXIT_CODES) >= {0, 2, 3, 4, 5, 6, 7, 8, 9, 130}
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


def test_the_reference_is_current() -> None:
    kept = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert reference.text() == kept, "python -m smolpc.cli.reference docs/reference.md"


@pytest.mark.parametrize("where", ["parse_core", "parse_tasks", "execute"])
def test_ctrl_c_between_commands_has_its_exit_code_too(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, where, pressed)
    monkeypatch.setattr("sys.argv", ["smolpc", "version"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 130
