"""Settings: the later layer wins, and every value says where it came from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smolpc import settings
from smolpc.errors import UsageError


def origin(report: tuple[settings.Setting, ...], name: str) -> str:
    return next(item.origin for item in report if item.name == name)


def user_file(text: str) -> Path:
    path = settings.config_files()[-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_name_themselves() -> None:
    chosen, report = settings.load(environ={})
    assert chosen.jobs == 0
    assert origin(report, "jobs") == "default"
    assert chosen.store_path == settings.default_store()


def test_later_layers_win() -> None:
    path = user_file("jobs: 1\ncontext: 2048\nprofile: from-file\n")
    chosen, report = settings.load(
        {"profile": "from-command"}, {"SMOLPC_CONTEXT": "1024", "SMOLPC_PROFILE": "from-env"}
    )
    assert (chosen.jobs, chosen.context, chosen.profile) == (1, 1024, "from-command")
    assert origin(report, "jobs") == str(path)
    assert "SMOLPC_CONTEXT" in origin(report, "context")
    assert origin(report, "profile") == "command line"


@pytest.mark.parametrize("text", ["1", "true", "True"])
def test_booleans_come_as_people_write_them(text: str) -> None:
    assert settings.load(environ={"SMOLPC_OFFLINE": text})[0].offline


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SMOLPC_JOBS": "many"}, "SMOLPC_JOBS"),
        ({"SMOLPC_OFFLINE": "perhaps"}, "SMOLPC_OFFLINE"),
        ({"SMOLPC_PROFIL": "x"}, "did you mean 'profile'"),
        ({"SMOLPC_KEEP_GENERATIONS": "-1"}, "SMOLPC_KEEP_GENERATIONS"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        settings.load(environ=environ)
    assert caught.value.code == 2


@pytest.mark.parametrize("text", ["jobs: [", "- a list", "jobs: x", "job: 1", "jobs: 1\n  x: 2"])
def test_a_wrong_file_is_named(text: str) -> None:
    path = user_file(text)
    with pytest.raises(UsageError) as caught:
        settings.load(environ={})
    assert str(path) in caught.value.what


def test_a_file_in_another_encoding_is_read_or_named() -> None:
    path = settings.config_files()[-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("jobs: 3".encode("utf-16"))  # what PowerShell's > writes
    assert settings.load(environ={})[0].jobs == 3
    path.write_bytes("profile: für".encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        settings.load(environ={})
    assert str(path) in caught.value.what


def test_folders_are_split_like_path(tmp_path: Path) -> None:
    two = os.pathsep.join([str(tmp_path / "a b"), str(tmp_path / "ü")])
    chosen, _ = settings.load(environ={"SMOLPC_PROFILES": two})
    assert chosen.profile_dirs == (tmp_path / "a b", tmp_path / "ü")


@pytest.mark.parametrize(
    ("text", "size"),
    [("1G", 10**9), ("1.5g", 1_500_000_000), ("800 MB", 800_000_000), ("0", 0), ("12", 12)],
)
def test_the_limit_of_the_prompt_cache_is_written_as_people_do(text: str, size: int) -> None:
    chosen, _ = settings.load(environ={"SMOLPC_PROMPT_CACHE_LIMIT": text})
    assert chosen.prompt_cache_bytes == size


def test_a_limit_that_is_no_size_is_said() -> None:
    with pytest.raises(UsageError, match="prompt_cache_limit"):
        settings.load(environ={"SMOLPC_PROMPT_CACHE_LIMIT": "much"})


def test_the_prompt_cache_can_be_switched_off() -> None:
    assert settings.load(environ={"SMOLPC_PROMPT_CACHE": "off"})[0].prompt_cache == "off"
    with pytest.raises(UsageError, match="SMOLPC_PROMPT_CACHE"):
        settings.load(environ={"SMOLPC_PROMPT_CACHE": "sometimes"})


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(UsageError, match="SMOLPC_STORE") as caught:
        settings.load(environ={"SMOLPC_STORE": "/disk/\udcff"})
    assert "UTF-8" in caught.value.why
