"""What a machine should have, and what happens when it cannot."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc import detect, files, pypi
from smolpc.build import toolbox
from smolpc.errors import NoProfileError, PrerequisiteError, UsageError
from smolpc.models import pins
from smolpc.provision import target as targets
from smolpc.schema.host import Host
from smolpc.settings import Settings
from smolpc.store import Store, artifacts, refusals
from tests.machines import hosts
from tests.store.test_artifacts import make

BEST, NEXT = "linux-x86_64-icelake", "linux-x86_64-sapphirerapids"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    on(monkeypatch, hosts()["cloud-xeon-icelake-debian12"])
    return Settings(store=str(tmp_path / "store"))


def on(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    monkeypatch.setattr(detect, "host", lambda **_: host)


def test_the_best_profile_and_the_default_model(settings: Settings) -> None:
    target = targets.choose_target(settings)
    assert target.profile.name == BEST
    assert target.model is not None
    assert target.model.default


def test_a_model_whose_digest_is_not_sure_is_not_set_up_unasked(settings: Settings) -> None:
    unsure = msgspec.structs.replace(settings, model="qwen2.5-coder:7b-q8_0")
    with pytest.raises(UsageError, match="is not pinned") as caught:
        targets.choose_target(unsure)
    assert "models.pull qwen2.5-coder:7b-q8_0 --allow-unpinned" in caught.value.next_step
    store = Store(settings.store_path)
    model = targets.model_for(targets.catalog_for(unsure), unsure)
    pins.record(store, model, model.sha256, model.file.size, "a test")
    assert targets.choose_target(unsure).model == model


def test_a_refused_engine_is_passed_over_and_said(settings: Settings) -> None:
    store = Store(settings.store_path)
    refusals.refuse(store, targets.choose_target(settings).key, "illegal instruction")
    target = targets.choose_target(settings)
    assert target.profile.name == NEXT
    assert any(BEST in note and "illegal instruction" in note for note in target.notes)
    named = msgspec.structs.replace(settings, profile=BEST)
    assert targets.choose_target(named).profile.name == BEST


def without_compiler(host: Host) -> Host:
    return msgspec.structs.replace(
        host, tools=tuple(tool for tool in host.tools if tool.name in ("cmake", "ninja", "git"))
    )


def test_no_compiler_is_a_prerequisite(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, without_compiler(hosts()["cloud-xeon-icelake-debian12"]))
    with pytest.raises(PrerequisiteError) as caught:
        targets.choose_target(settings)
    assert caught.value.next_step.startswith("sudo apt-get install build-essential")


@pytest.mark.parametrize("stored", [BEST, "linux-x86_64-avx2"])
def test_without_a_compiler_the_best_stored_engine_that_fits_is_reused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    whole = targets.choose_target(msgspec.structs.replace(settings, profile=stored))
    folder = Store(settings.store_path).artifact(whole.key)
    changes = {"key": whole.key, "spec": whole.spec, "profile": stored}
    artifacts.seal(folder, msgspec.structs.replace(make(folder), **changes))
    on(monkeypatch, without_compiler(hosts()["cloud-xeon-icelake-debian12"]))
    target = targets.choose_target(settings)
    assert (target.key, target.profile.name, target.toolchain) == (whole.key, stored, None)
    assert any("reused" in note for note in target.notes)


def with_new_driver(host: Host) -> Host:
    """A PC whose NVIDIA driver is new enough for the compiler that can be fetched."""
    gpus = tuple(msgspec.structs.replace(gpu, driver="580.95.05") for gpu in host.gpus)
    tools = tuple(tool for tool in host.tools if tool.name not in ("nvcc", "vulkan-sdk"))
    return msgspec.structs.replace(host, gpus=gpus, tools=tools)


GPU_PROFILE = "linux-x86_64-cuda-ada"


@pytest.fixture
def gpu_pc(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    on(monkeypatch, with_new_driver(hosts()["zen4-7950x-rtx4090-ubuntu24"]))
    return settings


def test_whose_terms_apply_is_said_before_anything_is_fetched(gpu_pc: Settings) -> None:
    target = targets.choose_target(gpu_pc)
    assert target.profile.name == GPU_PROFILE
    (note,) = (note for note in target.notes if "nvcc" in note)
    assert "in place of" not in note
    assert "573.2 MB" in note
    assert "https://docs.nvidia.com/cuda/eula/" in note
    (part,) = target.parts
    assert target.cost.artifact_bytes >= target.recipe.artifact_bytes + part.runtime_bytes > 600e6


def test_offline_a_compiler_that_is_not_here_does_not_count(
    gpu_pc: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi, "load", lambda **_: pypi.Settings(indexes=()))
    offline = msgspec.structs.replace(gpu_pc, offline=True)
    target = targets.choose_target(offline)
    assert target.profile.name != GPU_PROFILE
    assert any("offline is set" in note for note in target.notes)
    folder = toolbox.folder_of(Store(gpu_pc.store_path), target.tools["nvcc"])
    folder.mkdir(parents=True)
    files.seal(folder)
    target = targets.choose_target(offline)
    assert target.profile.name == GPU_PROFILE
    assert not any("nvcc" in note for note in target.notes)


def test_offline_wheels_in_a_folder_count(
    gpu_pc: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    index = pypi.Settings(indexes=(), find_links=(str(tmp_path / "stick"),))
    monkeypatch.setattr(pypi, "load", lambda **_: index)
    (tmp_path / "stick").mkdir()
    recipe = targets.catalog_for(gpu_pc).tools["nvcc"]
    offline = msgspec.structs.replace(gpu_pc, offline=True)
    for wheel in recipe.wheels:
        assert targets.choose_target(offline).profile.name != GPU_PROFILE
        (tmp_path / "stick" / wheel.filename).write_bytes(b"")
    assert targets.choose_target(offline).profile.name == GPU_PROFILE


def test_a_compiler_that_no_place_has_is_done_without(gpu_pc: Settings) -> None:
    target = targets.choose_target(gpu_pc, without=frozenset({"nvcc"}))
    assert target.profile.name != GPU_PROFILE
    assert any("nvcc could not be fetched" in note for note in target.notes)
    assert not any("terms" in note for note in target.notes)


def test_an_older_driver_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    host = with_new_driver(hosts()["zen4-7950x-rtx4090-ubuntu24"])
    gpus = tuple(msgspec.structs.replace(gpu, driver="550.120") for gpu in host.gpus)
    on(monkeypatch, msgspec.structs.replace(host, gpus=gpus))
    target = targets.choose_target(settings)
    assert target.profile.name != GPU_PROFILE
    assert any("driver 580.65.06 or newer (this is 550.120)" in note for note in target.notes)
    old_card = (msgspec.structs.replace(gpu, compute_capability="6.1") for gpu in gpus)
    on(monkeypatch, msgspec.structs.replace(host, gpus=tuple(old_card)))
    assert not any("580.65.06" in note for note in targets.choose_target(settings).notes)


def test_offline_an_engine_that_is_here_stays_without_its_compiler(gpu_pc: Settings) -> None:
    whole = targets.choose_target(gpu_pc)
    make(Store(gpu_pc.store_path).artifact(whole.key))
    offline = msgspec.structs.replace(gpu_pc, offline=True)
    target = targets.choose_target(offline)
    assert target.key == whole.key
    assert not any("fetch" in note for note in target.notes)


def test_a_cross_profile_is_only_rendered(settings: Settings) -> None:
    named = msgspec.structs.replace(settings, profile="cross-linux-aarch64")
    with pytest.raises(UsageError) as caught:
        targets.choose_target(named)
    assert "profiles.render" in caught.value.next_step


def test_when_everything_was_refused_the_way_out_is_said(settings: Settings) -> None:
    store = Store(settings.store_path)
    for _ in range(50):
        try:
            refusals.refuse(store, targets.choose_target(settings).key, "illegal instruction")
        except NoProfileError as error:
            assert error.next_step == "smolpc setup --refresh"
            assert "illegal instruction" in error.why
            break
    else:
        pytest.fail("profiles never ran out")
    refusals.forget(store)
    assert targets.choose_target(settings).profile.name == BEST
