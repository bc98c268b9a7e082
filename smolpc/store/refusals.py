"""Keys whose engine failed its self-check on this machine, so that no setup builds it again."""

from __future__ import annotations

from smolpc import files
from smolpc.store.layout import Store


def refuse(store: Store, key: str, why: str) -> None:
    """Remember that the engine `key` does not work here."""
    files.write_atomic(store.refused / f"{key}.txt", why.encode())


def refusal(store: Store, key: str) -> str:
    """Why the engine `key` was refused here, or "" when it was not."""
    try:
        return (store.refused / f"{key}.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def forget(store: Store) -> None:
    """Give every refused engine another chance: the driver or the machine may have changed."""
    files.remove_tree(store.refused)
