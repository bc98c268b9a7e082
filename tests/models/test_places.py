"""Where a model is asked for: mirrors first, and only for what has a digest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.catalog import load_catalog, resolve_model
from smolpc.errors import UsageError
from smolpc.models import places
from smolpc.models.places import HUB, Mirrors
from smolpc.net import NetSettings
from smolpc.schema.model import HttpsSource, HubSource
from smolpc.settings import Settings
from tests.models.manifests import SHA, manifest

SOURCE = HubSource(repo="o/r", revision="refs/pr/1", file="sub/a b.gguf")
ORIGINAL = f"{HUB}/o/r/resolve/refs%2Fpr%2F1/sub/a%20b.gguf"
FILE = manifest(SOURCE).file
UNPINNED = msgspec.structs.replace(FILE, sha256=None, unverified="new")
SCHOOL = Mirrors(
    bases=("http://nas/models/", "/media/usb stick", "https://m/{repo}/{revision}/{file}"),
    endpoint="https://hub.school",
)


def test_the_order_is_mirrors_endpoint_original():
    assert places.of(SOURCE, FILE, SCHOOL) == (
        "http://nas/models/tiny.gguf",
        str(Path("/media/usb stick/tiny.gguf")),
        "https://m/o/r/refs/pr/1/sub/a%20b.gguf",
        "https://hub.school/o/r/resolve/refs%2Fpr%2F1/sub/a%20b.gguf",
        ORIGINAL,
    )


def test_without_mirrors_it_is_the_original():
    assert places.of(SOURCE) == places.of(SOURCE, FILE, Mirrors()) == (ORIGINAL,)
    web = HttpsSource(url="https://x.example/a.gguf")
    assert places.of(web, FILE, Mirrors(endpoint="https://hub.school")) == (web.url,)


def test_a_mirror_never_decides_what_is_trusted():
    asked = places.of(SOURCE, UNPINNED, SCHOOL)
    assert asked == ("https://hub.school/o/r/resolve/refs%2Fpr%2F1/sub/a%20b.gguf", ORIGINAL)
    assert places.of_mirrors(UNPINNED, SCHOOL, SOURCE) == ()
    model = msgspec.structs.replace(manifest(SOURCE), file=UNPINNED)
    assert places.of_manifest(model, SCHOOL) == asked


def test_placeholders_that_a_source_cannot_fill_leave_the_mirror_out():
    web = HttpsSource(url="https://x.example/a.gguf")
    known = Mirrors(bases=("https://m/{repo}/{file}", "https://m/{sha256}/{filename}"))
    assert places.of(web, FILE, known) == (f"https://m/{SHA}/tiny.gguf", web.url)


def test_a_model_in_a_wheel_can_come_from_a_mirror_too():
    small = resolve_model(load_catalog(), "smollm2")
    assert places.of_manifest(small, Mirrors()) == ()
    assert places.of_manifest(small, Mirrors(bases=("http://nas/m",))) == (
        "http://nas/m/SmolLM2-135M-Instruct.Q4_1.gguf",
    )


def test_all_mirrors_come_before_all_originals():
    two = manifest(SOURCE, HttpsSource(url="https://x.example/a.gguf"))
    assert places.of_manifest(two, Mirrors(bases=("http://nas/m",))) == (
        "http://nas/m/tiny.gguf",
        ORIGINAL,
        "https://x.example/a.gguf",
    )


def test_settings_and_environment():
    chosen = Settings(model_mirrors="http://nas/m  D:\\models", hf_endpoint="")
    assert places.mirrors(chosen, {}) == Mirrors(bases=("http://nas/m", "D:\\models"))
    env = {"HF_ENDPOINT": "https://mirror.example/"}
    assert places.mirrors(chosen, env).endpoint == "https://mirror.example"
    own = Settings(hf_endpoint="http://hub.school/api/hf/")
    assert places.mirrors(own, env).endpoint == "http://hub.school/api/hf"


def test_mirrors_of_every_system():
    text = (
        '"/mnt/my folder"  http://x/ "D:\\Modelle ü\\a" \\\\nas\\share'
        " file:///m/x HTTPS://m/{file} ~/m"
    )
    assert places.mirrors(Settings(model_mirrors=text), {}).bases == (
        "/mnt/my folder",
        "http://x/",
        "D:\\Modelle ü\\a",
        "\\\\nas\\share",
        "file:///m/x",
        "HTTPS://m/{file}",
        "~/m",
    )


@pytest.mark.parametrize(
    "base", ["models", "./models", "ftp://nas/m", "nas/models", "C:models", "http://", '"a b"']
)
def test_a_mirror_that_is_no_place_is_refused(base: str):
    with pytest.raises(UsageError, match="mirror 2 in the setting model_mirrors is neither"):
        places.mirrors(Settings(model_mirrors=f"http://ok {base}"), {})


def test_a_quote_without_its_other_half_is_refused():
    with pytest.raises(UsageError, match="model_mirrors has a double quote"):
        places.mirrors(Settings(model_mirrors='"/mnt/my folder http://x/'), {})


@pytest.mark.parametrize(
    "endpoint", ["hub.school", "ftp://x", "https://", "https://me:geheim@x", "https://x?t=geheim"]
)
def test_a_wrong_endpoint_is_named_but_not_shown(endpoint: str):
    with pytest.raises(UsageError, match="HF_ENDPOINT is not the address") as caught:
        places.mirrors(Settings(), {"HF_ENDPOINT": endpoint})
    assert "geheim" not in f"{caught.value.what}{caught.value.why}{caught.value.next_step}"


@pytest.mark.parametrize(
    "base", ["http://m/{name}", "http://m/{file.__class__}", "http://m/{", "m{}"]
)
def test_a_wrong_placeholder_is_explained(base: str):
    with pytest.raises(UsageError, match="mirror 2 in the setting model_mirrors") as caught:
        places.mirrors(Settings(model_mirrors=f"http://ok {base}"), {})
    assert "{filename}" in caught.value.why


@given(st.text(min_size=1, max_size=30))
def test_a_hostile_file_name_stays_inside_the_mirrors_layout(name: str):
    source = HubSource(repo="o/r", file=f"{name}.gguf")
    (place, *_) = places.of(source, FILE, Mirrors(bases=("https://m/x/{file}",)))
    assert place.startswith("https://m/x/")
    assert not {"?", "#", " ", "\\"} & set(place)


# --- tokens -------------------------------------------------------------------------------

TOKEN = "hf_geheim"


def test_the_token_goes_to_the_hub_and_to_the_own_endpoint_only():
    env = {"HF_TOKEN": f" {TOKEN}\n"}
    assert places.tokens(Mirrors(), env) == (("https://huggingface.co", TOKEN),)
    assert places.tokens(SCHOOL, env) == (
        ("https://hub.school", TOKEN),
        ("https://huggingface.co", TOKEN),
    )


def test_the_token_is_not_sent_in_the_clear():
    env = {"HF_TOKEN": TOKEN}
    plain = places.tokens(Mirrors(endpoint="http://hub.school"), env)
    assert plain == (("https://huggingface.co", TOKEN),)
    local = places.tokens(Mirrors(endpoint="http://127.0.0.1:8000"), env)
    assert local[0] == ("http://127.0.0.1:8000", TOKEN)


def test_a_port_keeps_its_scheme():
    known = places.tokens(Mirrors(endpoint="https://hub.school:8443"), {"HF_TOKEN": TOKEN})
    settings = NetSettings(tokens=known)
    assert settings.token_for("https://hub.school:8443/x") == TOKEN
    assert settings.token_for("http://hub.school:8443/x") == ""


def test_the_token_from_a_file(tmp_path: Path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    for env in (
        {"HF_TOKEN_PATH": str(tmp_path / "token")},
        {"HF_HOME": str(tmp_path)},
    ):
        assert places.tokens(Mirrors(), env) == (("https://huggingface.co", TOKEN),)
    kept = tmp_path / ".cache" / "huggingface"
    kept.mkdir(parents=True)
    (kept / "token").write_text(TOKEN)
    assert places.tokens(Mirrors(), {"HOME": str(tmp_path)}) == (("https://huggingface.co", TOKEN),)
    assert places.tokens(Mirrors(), {"HOME": str(tmp_path / "other")}) == ()


@pytest.mark.parametrize("token", ["hf_geheim x", "hf_geheim\r\nX-Evil: 1", "hf_geheimü"])
def test_what_is_no_token_is_refused_and_not_shown(token: str):
    with pytest.raises(UsageError) as caught:
        places.tokens(Mirrors(), {"HF_TOKEN": token})
    assert "geheim" not in f"{caught.value.what}{caught.value.why}{caught.value.next_step}"
