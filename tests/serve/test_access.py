"""API keys and addresses."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from smolpc.errors import UsageError
from smolpc.serve import access

KEY = "a-good-key-1234"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_no_key_anywhere() -> None:
    assert access.api_keys("", {}) == ()


def test_the_key_of_the_environment() -> None:
    assert access.api_keys("", {"SMOLPC_API_KEY": f"{KEY}\n"}) == (KEY,)


def test_keys_of_a_file_win_and_comments_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path / "Schlüssel.txt", f"# class 7b\n{KEY}\n\n other-key-5678 \n")
    assert access.api_keys(str(path), {"SMOLPC_API_KEY": "x" * 9}) == (KEY, "other-key-5678")


def test_a_new_file_gets_a_new_private_key(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.txt"
    (key,) = access.api_keys(str(path), {})
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert access.api_keys(str(path), {}) == (key,)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "key.txt", KEY, 0o644)
    with pytest.raises(UsageError) as caught:
        access.api_keys(str(path), {})
    assert "chmod 600" in caught.value.next_step


@pytest.mark.parametrize(
    "bad", ["abc123!", "two words", "a,b-separated", "schlüssel-1234", '"quoted"1']
)
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(tmp_path: Path, bad: str) -> None:
    path = write(tmp_path / "key.txt", bad)
    for file, environ in ((str(path), {}), ("", {"SMOLPC_API_KEY": bad})):
        with pytest.raises(UsageError) as caught:
            access.api_keys(file, environ)
        error = caught.value
        assert bad not in error.what + error.why + error.next_step


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n"])
def test_a_file_without_a_key(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="no API key"):
        access.api_keys(str(write(tmp_path / "key.txt", text)), {})


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "key.bin"
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="no text file"):
        access.api_keys(str(path), {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    assert access.require(host, (), insecure=False) == ""


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.20", "pc7.school.example", "127.evil.example"]
)
def test_other_machines_need_a_key_or_the_users_word(host: str) -> None:
    with pytest.raises(UsageError, match="without an API key"):
        access.require(host, (), insecure=False)
    assert access.require(host, (KEY,), insecure=False) == ""
    assert "no API key" in access.require(host, (), insecure=True)


def test_a_folder_is_no_file_of_keys(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder") as caught:
        access.api_keys(str(tmp_path), {})
    assert "chmod" not in caught.value.next_step
