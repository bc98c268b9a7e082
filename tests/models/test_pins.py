"""Trust on first use: recorded once, enforced from then on, forgotten only on purpose."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc.errors import TrustError, UsageError
from smolpc.models import pins
from smolpc.schema.model import ModelManifest
from smolpc.store import Store
from tests.models.manifests import GGUF, SHA, manifest

OTHER = "f" * 64
SOURCE = "https://me:geheim@x.example/a.gguf?sig=geheim"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "Speicher ü")


def unsure(sha256: str | None, unverified: str = "one source") -> ModelManifest:
    sure = manifest()
    file = msgspec.structs.replace(sure.file, sha256=sha256, unverified=unverified, size=0)
    return msgspec.structs.replace(sure, file=file, aliases=("tiny:1b",))


def test_a_confirmed_digest_needs_nothing(store: Store):
    assert pins.pinned(manifest(), store) == manifest()
    assert not store.root.exists()


@pytest.mark.parametrize("sha256", [None, SHA], ids=["no digest", "unconfirmed"])
def test_without_a_pin_the_user_must_say_so(store: Store, sha256: str | None):
    with pytest.raises(UsageError, match="the model tiny:1b is not pinned") as caught:
        pins.pinned(unsure(sha256), store)
    assert "smolpc models.pull tiny:1b --allow-unpinned" in caught.value.next_step
    assert pins.pinned(unsure(sha256), store, allow=True).file.sha256 == sha256


@pytest.mark.parametrize("sha256", [None, SHA], ids=["no digest", "unconfirmed"])
def test_the_first_download_is_what_is_trusted(store: Store, sha256: str | None):
    pin = pins.record(store, unsure(sha256), SHA, len(GGUF), SOURCE)
    known = pins.pinned(unsure(sha256), store)
    assert (known.sha256, known.file.size) == (SHA, len(GGUF))
    assert pins.record(store, unsure(sha256), SHA, len(GGUF), "elsewhere") == pin
    assert "geheim" not in pins.path_of(store, "tiny").read_text()
    assert pin.source == "https://x.example/a.gguf"


def test_other_bytes_are_refused_until_the_pin_is_forgotten(store: Store):
    pins.record(store, unsure(None), SHA, 5, SOURCE)
    with pytest.raises(TrustError, match="not the one that was trusted first") as caught:
        pins.record(store, unsure(None), OTHER, 5, SOURCE)
    assert caught.value.next_step.startswith("smolpc models.unpin tiny:1b")
    assert pins.pinned(unsure(None), store).sha256 == SHA
    assert pins.forget(store, "tiny")
    assert not pins.forget(store, "tiny")
    pins.record(store, unsure(None), OTHER, 5, SOURCE)
    assert pins.pinned(unsure(None), store).sha256 == OTHER


def test_a_given_digest_is_enforced_at_the_first_download(store: Store):
    with pytest.raises(TrustError, match="is not the file of its manifest"):
        pins.record(store, unsure(SHA), OTHER, 5, SOURCE)
    assert pins.find(store, "tiny") is None


def test_a_manifest_that_contradicts_the_pin_is_not_followed(store: Store):
    pins.record(store, unsure(None), OTHER, 5, SOURCE)
    for later in (unsure(SHA), manifest()):
        with pytest.raises(TrustError, match="not the one that was trusted"):
            pins.pinned(later, store, allow=True)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"name": "tiny"}', b"\xff"])
def test_a_damaged_pin_is_not_forgotten_silently(store: Store, damage: bytes):
    pins.record(store, unsure(None), SHA, 5, SOURCE)
    pins.path_of(store, "tiny").write_bytes(damage)
    with pytest.raises(TrustError, match="damaged") as caught:
        pins.pinned(unsure(None), store, allow=True)
    assert caught.value.next_step == "smolpc models.unpin tiny"
    assert pins.forget(store, "tiny")


def test_a_path_is_not_a_pin(store: Store):
    pins.record(store, unsure(None), SHA, 5, SOURCE)
    assert pins.is_pinned(store, "tiny")
    assert not pins.is_pinned(store, "../pins/tiny")
    assert not pins.is_pinned(store, "..\\pins\\tiny")
