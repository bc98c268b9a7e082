"""Conversations as files: plain JSON that every backend can go on with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smolpc import files
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.schema.conversation import Conversation

ROLES = ("system", "user", "assistant")
LARGEST = 64 << 20  # bytes


def save(path: Path, conversation: Conversation) -> None:
    """Write it, whole or not at all, for its owner only. An older conversation is replaced.
    Raises SmolpcError where that is not possible, and for a file that holds something else."""
    text = msgspec.json.format(msgspec.json.encode(conversation), indent=2)
    try:
        if path.exists():
            _require_conversation(path)
        files.write_atomic(path, text + b"\n", mode=0o600)
    except OSError as error:
        known = files.explained(error, path, "save the conversation")
        kind = PrerequisiteError if known is None else type(known)
        raise kind(
            f"the conversation cannot be saved as {path}",
            why=error.strerror or str(error),
            next_step="/save ~/my-chat.json   (or another place that you may write to)",
        ) from error


def _require_conversation(path: Path) -> None:
    """Raise UsageError for a file that must not be replaced by a conversation."""
    try:
        load(path)
    except UsageError as error:
        raise UsageError(
            f"{path} is there already, and is no conversation",
            why=f"/save would replace it ({error.why})",
            next_step=f"/save {path.stem}-chat.json",
        ) from error


def load(path: Path) -> Conversation:
    """Read a saved conversation. Raises UsageError when the file holds none."""
    try:
        if path.stat().st_size > LARGEST:
            raise _wrong(path, "it is too large")
        found = msgspec.json.decode(path.read_bytes(), type=Conversation)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}", why=error.strerror or str(error), next_step="check the path"
        ) from error
    except msgspec.MsgspecError as error:
        raise _wrong(path, str(error)) from error
    if found.format != 1:
        raise _wrong(path, f"its format is {found.format}, this version reads 1")
    for message in found.messages:
        if message["role"] not in ROLES:
            raise _wrong(path, f"'{message['role']}' is no role: {', '.join(ROLES)}")
    return found


def _wrong(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path.name} is not a saved conversation",
        why=why,
        next_step='it looks like {"format": 1, "model": "...", "messages": [{"role": "user",'
        ' "content": "..."}]}   (docs/chat.md)',
    )
