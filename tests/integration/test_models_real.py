"""The commands about models, as users run them, with the real model and the real index."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from smolpc.store import Store
from tests.integration.conftest import Provisioned, Smolpc
from tests.sim.server import Redirect, SimServer

pytest_plugins = ["tests.sim.fixtures"]
pytestmark = pytest.mark.integration


def held(*folders: Path) -> dict[tuple[int, int], int]:
    """Model files on the disk: each once, however many names it has."""
    found = [path.stat() for folder in folders for path in folder.rglob("*.gguf")]
    return {(state.st_dev, state.st_ino): state.st_size for state in found}


def user(home: Path, machine: Path) -> dict[str, str]:
    """The environment of a user with a home folder, on a PC whose administrator has set a
    store for all users."""
    site = machine.parent / "xdg"
    (site / "smolpc").mkdir(parents=True, exist_ok=True)
    (site / "smolpc" / "config.yaml").write_text(f"machine_store: {machine}\n", encoding="utf-8")
    return {
        "HOME": str(home),
        "XDG_CONFIG_DIRS": str(site),
        "XDG_CONFIG_HOME": str(home / "config"),
        "SMOLPC_STORE": str(home / "own store"),
    }


def test_two_users_of_one_pc_have_one_copy(smolpc: Smolpc, tmp_path: Path) -> None:
    machine = tmp_path / "für alle"
    ada, bob = user(tmp_path / "ada", machine), user(tmp_path / "bøb", machine)
    first = smolpc("models.pull", "smollm2", env=ada)
    assert first.returncode == 0, first.stderr
    second = smolpc("models.pull", "smollm2", "--json", env={**bob, "PIP_NO_INDEX": "1"})
    assert second.returncode == 0, second.stderr
    path = Path(json.loads(second.stdout)["path"])
    assert path.is_relative_to(tmp_path / "bøb")
    assert path.read_bytes()[:4] == b"GGUF"
    everything = held(machine, tmp_path / "ada", tmp_path / "bøb")
    assert list(everything.values()) == [98_362_432]
    removed = smolpc("models.remove", "smollm2", "--json", env=ada)
    assert json.loads(removed.stdout)["bytes"] == 0  # only a name of the shared file
    verified = smolpc("models.verify", env=bob)
    assert verified.returncode == 0, verified.stderr


def test_progress_events_are_json_lines(smolpc: Smolpc, tmp_path: Path) -> None:
    done = smolpc("models.pull", "--json", env={"SMOLPC_STORE": str(tmp_path / "store")})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["record"]["size"] == 98_362_432
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"start", "done"} <= {event["event"] for event in events}
    sizes = [event["done"] for event in events if event["event"] == "done"]
    assert 92_871_040 in sizes  # the wheel


def test_what_is_here_is_known(smolpc: Smolpc, provisioned: Provisioned) -> None:
    storage = json.loads(smolpc("models.storage", "--json", env=provisioned.env).stdout)
    assert [model["used"] for model in storage["models"]] == ["the current setup"]
    estimate = json.loads(
        smolpc("models.estimate", "smollm2", "--ctx", "2048", "--json", env=provisioned.env).stdout
    )
    assert estimate["sized_from"] == "file"
    assert estimate["choice"]["verdict"] == "fits"
    best = json.loads(smolpc("models.recommend", "--json", env=provisioned.env).stdout)
    assert best["measured_bandwidth"] > 1e8
    assert best["best"] == best["models"][0]["model"]
    refused = smolpc("models.remove", "smollm2", env=provisioned.env)
    assert refused.returncode == 2
    assert "in use" in refused.stderr


def test_a_file_of_the_hub_is_trusted_once_and_runs(
    smolpc: Smolpc, provisioned: Provisioned, tmp_path: Path, sim_server: SimServer
) -> None:
    """With a hub that wants a token and sends to another host for the bytes, as the real one."""
    store = copied(provisioned.store, tmp_path / "store")
    name = "hf:someone/small-models:tiny.gguf"
    page = "/someone/small-models/resolve/main/tiny.gguf"
    with SimServer() as storage:
        sim_server.add(page, b"").fail(Redirect(storage.url("/blob?sig=secret")), times=9)
        storage.add("/blob", provisioned.model.read_bytes())
        env = {
            "SMOLPC_STORE": str(store),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "HF_ENDPOINT": sim_server.url(""),
            "HF_TOKEN": "hf_secret",
        }
        refused = smolpc("models.pull", name, env=env)
        assert refused.returncode == 2
        assert "--allow-unpinned" in refused.stderr
        done = smolpc("models.pull", name, "--allow-unpinned", env=env)
        assert done.returncode == 0, done.stderr
        asked = [request.headers.get("authorization") for request in sim_server.requests(page)]
        assert set(asked) == {"Bearer hf_secret"}
        assert {request.headers.get("authorization") for request in storage.log} == {None}
    answer = smolpc("run", "--model", name, "--max-tokens", "8", "Say hello.", env=env)
    assert answer.returncode == 0, answer.stderr
    kept = [
        path for path in store.rglob("*") if path.is_file() and path.suffix in (".json", ".log")
    ]
    text = done.stdout + done.stderr + "".join(path.read_text() for path in kept)
    assert "secret" not in text


def copied(store: Store, target: Path) -> Path:
    """A store of its own with the same engine and model, by hard links."""
    shutil.copytree(store.root, target, copy_function=os.link, ignore=lambda *_: ["downloads"])
    shutil.rmtree(target / "models" / next((target / "models").glob("?" * 64)).name)
    return target
