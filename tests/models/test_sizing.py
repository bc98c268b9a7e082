"""Where the shape of a model comes from, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc.errors import NetworkError, UsageError
from smolpc.models import sizing, storage
from smolpc.models.sizing import Wishes
from smolpc.net import NetSettings
from smolpc.plan import fit
from smolpc.schema.fit import Device
from smolpc.schema.model import Architecture, FileSource, HttpsSource, ModelManifest
from smolpc.store import Store
from tests.models.manifests import manifest
from tests.plan.fit import shapes
from tests.plan.fit.residuals import synthetic
from tests.sim.server import SimServer

pytest_plugins = ["tests.sim.fixtures"]

MODEL = shapes.dense("tiny", "qwen2", shapes.Dims(3, 256, 4, 2, 512, 1000, 64), "Q4_0")
NUMBERS = Architecture(
    name="qwen2",
    layers=3,
    embedding=256,
    heads=4,
    kv_heads=2,
    key_length=64,
    value_length=64,
    feed_forward=512,
    vocabulary=1000,
)
GB = 10**9


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store ü")
    made.prepare()
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return shapes.write(MODEL, tmp_path / "tiny.gguf")


def numbered(one: ModelManifest) -> ModelManifest:
    return msgspec.structs.replace(one, architecture=NUMBERS)


def test_the_file_on_this_machine_is_asked_first(store: Store, file: Path) -> None:
    one = manifest(data=file.read_bytes())
    folder = storage.folder_of(store.models, one.sha256)
    folder.mkdir(parents=True)
    file.rename(folder / one.file.filename)
    storage.write_record(folder, one, "here")
    sized = sizing.shape_for(one, store, offline=True)
    assert (sized.source, sized.shape.exact) == ("file", True)
    assert sized.shape.trained_context == one.context_length, "the manifest knows better"


def test_a_path_needs_no_store(store: Store, file: Path) -> None:
    one = manifest(FileSource(path=str(file)))
    assert sizing.shape_for(one, store, offline=True).source == "file"


def test_the_header_on_the_web_is_read_without_the_rest(
    sim_server: SimServer, quick: NetSettings, store: Store, file: Path
) -> None:
    sim_server.add("/tiny.gguf", file.read_bytes())
    one = manifest(HttpsSource(url=sim_server.url("/tiny.gguf")))
    assert sizing.shape_for(one, store, net=quick).source == "web"


def test_the_manifest_serves_when_the_web_does_not(
    sim_server: SimServer, quick: NetSettings, store: Store
) -> None:
    one = numbered(manifest(HttpsSource(url=sim_server.url("/nothing.gguf"))))
    sized = sizing.shape_for(one, store, net=quick)
    assert (sized.source, sized.shape.exact) == ("manifest", False)
    assert any("could not be read" in note for note in sized.notes)


def test_offline_nothing_is_asked(store: Store) -> None:
    one = numbered(manifest(HttpsSource(url="https://never.example/m.gguf")))
    sized = sizing.shape_for(one, store, offline=True)
    assert (sized.source, sized.notes) == ("manifest", ())


def test_a_model_of_unknown_size_is_an_error(
    sim_server: SimServer, quick: NetSettings, store: Store
) -> None:
    plain = manifest(HttpsSource(url=sim_server.url("/nothing.gguf")))
    one = msgspec.structs.replace(plain, file=msgspec.structs.replace(plain.file, size=0))
    with pytest.raises(NetworkError):
        sizing.shape_for(one, store, net=quick)
    with pytest.raises(UsageError):
        sizing.shape_for(one, store, offline=True)


def machine(*gpus: int) -> list[Device]:
    free = [Device(name="CPU", kind="cpu", free=16 * GB, total=16 * GB)]
    return free + [
        Device(name=f"CUDA{n}", kind="cuda", free=x, total=x) for n, x in enumerate(gpus)
    ]


def test_what_the_user_fixes_is_kept() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    wishes = Wishes(context=8192, kv_type="q8_0", gpu_layers=10, batch=128)
    used = sizing.decide(shape, machine(24 * GB), wishes).estimate.settings
    assert (used.context, used.kv_type, used.gpu_layers, used.ubatch) == (8192, "q8_0", 10, 128)


def test_nothing_fixed_is_the_best_choice() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    devices = machine(8 * GB)
    assert sizing.decide(shape, devices, Wishes()) == fit.best(shape, devices)


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(context=10**6),
        Wishes(batch=10**6),
        Wishes(gpu_layers=4),
        Wishes(kv_type="nonsense"),
    ],
)
def test_wishes_that_cannot_be_are_explained(wishes: Wishes) -> None:
    shape = synthetic()["qwen2-14b-q4_k_m"]
    with pytest.raises(UsageError) as caught:
        sizing.decide(shape, machine(), wishes)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("numbers", "says", "why"),
    [
        ((-1, "", -1, 0), "--ctx cannot be -1", "number of tokens"),
        ((0, "", -1, -512), "--batch cannot be -512", "number of tokens"),
        ((0, "", -2, 0), "--gpu-layers cannot be -2", "-1: as many as fit"),
    ],
)
def test_numbers_below_zero_are_explained(
    numbers: tuple[int, str, int, int], says: str, why: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        sizing.wishes(*numbers)
    assert why in caught.value.why


def test_what_is_left_open_is_chosen() -> None:
    assert sizing.wishes(0, "", -1, 0) == Wishes()
    assert sizing.wishes(8192, "q8_0", 0, 64).gpu_layers == 0


def test_the_report_says_where_the_numbers_come_from(store: Store, file: Path) -> None:
    one = manifest(FileSource(path=str(file)))
    sized = sizing.shape_for(one, store, offline=True)
    report = sizing.report(one, sized, machine(), Wishes())
    assert (report.sized_from, report.architecture) == ("file", "qwen2")
    assert report.total == sum(need.needs for need in report.choice.needs)
