"""Setup under fire, with a small real CMake project standing in for the engine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smolpc.store import Store, artifacts, generations
from tests.integration import toy
from tests.integration.conftest import Smolpc, environment, run_smolpc

pytestmark = pytest.mark.integration
KILLS = 20
SETUP = (sys.executable, "-m", "smolpc", "setup")


def start(env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        SETUP,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def assert_valid(store: Store) -> None:
    """Whatever the store shows as complete is sound."""
    for key in artifacts.keys(store):
        artifacts.open_verified(store.artifact(key))
    now = generations.current(store)
    if now is not None:
        artifacts.open_verified(store.artifact(now.artifact))
        assert next(store.models.glob(f"{now.model}/record.json"))


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.lay(tmp_path_factory.mktemp("toy ü"))


@pytest.fixture
def env(overlay: Path, tmp_path: Path) -> dict[str, str]:
    return toy.environment(overlay, tmp_path / "store with ü and space")


def store_of(env: dict[str, str]) -> Store:
    return Store(Path(env["SMOLPC_STORE"]))


def compiles(store: Store) -> int:
    """How many times a compile was started, from the kept logs."""
    return sum(text.read_text().count(" -j ") for text in store.logs.glob("build-*.log"))


def test_kill_9_at_random_moments(env: dict[str, str]) -> None:
    """A setup is killed at 20 moments spread over its length: each time what the store shows
    is sound, and the next run completes."""
    whole = time.monotonic()
    first = run_smolpc("setup", env=env)
    whole = time.monotonic() - whole
    assert first.returncode == 0, first.stderr
    chosen = random.Random(20261123)
    store = store_of(env)
    killed = 0
    while killed < KILLS:
        shutil.rmtree(store.root)
        begun = time.monotonic()
        process = start(env)
        try:
            process.wait(chosen.uniform(0.02, 0.95) * whole)
            whole = min(whole, time.monotonic() - begun)  # it was faster than the first one
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
        assert_valid(store)
        done = run_smolpc("setup", env=env)
        assert done.returncode == 0, done.stderr
        assert_valid(store)
        assert generations.current(store) is not None
    assert "Nothing to do" in run_smolpc("setup", env=env).stdout


def test_ctrl_c_keeps_what_was_finished(env: dict[str, str]) -> None:
    process = start(env)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Compile"):
            break
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0]
    assert process.returncode == 130, output
    assert "smolpc setup" in output
    assert_valid(store_of(env))
    assert run_smolpc("setup", env=env).returncode == 0


def test_two_setups_at_once_compile_once(env: dict[str, str]) -> None:
    both = [start(env) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert compiles(store_of(env)) == 1
    assert sum("Nothing to do" in text for text in outputs) == 1


def test_the_same_inputs_give_the_same_bytes_in_another_folder(
    env: dict[str, str], tmp_path: Path
) -> None:
    digests = set()
    for name in ("one", "two/deeper ü"):
        here = {**env, "SMOLPC_STORE": str(tmp_path / name)}
        assert run_smolpc("build", env=here).returncode == 0
        store = store_of(here)
        [key] = artifacts.keys(store)
        digests.add((key, artifacts.read(store.artifact(key)).content_digest))
    assert len(digests) == 1


def test_cmake_and_ninja_are_fetched_where_there_are_none(
    env: dict[str, str], smolpc: Smolpc, tmp_path: Path
) -> None:
    compiler = path_of(tmp_path / "bin", "gcc", "g++", "as", "ld", "ar", "ranlib", "uname")
    here = {**env, **compiler, "SMOLPC_OFFLINE": "false"}
    done = smolpc("setup", env=here)
    assert done.returncode == 0, done.stderr
    tools = {path.name.partition("-")[0] for path in store_of(env).tools.glob("*.sha256")}
    assert tools == {"cmake", "ninja"}
    assert "Nothing to do" in smolpc("setup", env=here).stdout


def test_setup_repairs_what_was_damaged(env: dict[str, str], smolpc: Smolpc) -> None:
    store = store_of(env)
    assert smolpc("setup", env=env).returncode == 0
    library = next(store.artifacts.glob("*/lib/*"))
    library.write_bytes(library.read_bytes()[:-1] + b"!")
    assert smolpc("artifacts.verify", env=env).returncode == 5
    assert smolpc("setup", env=env).returncode == 0
    assert smolpc("artifacts.verify", env=env).returncode == 0
    next(store.models.glob("*/tiny.gguf")).unlink()
    assert smolpc("setup", env=env).returncode == 0
    assert smolpc("models.verify", env=env).returncode == 0


def test_a_changed_source_is_not_built(env: dict[str, str], smolpc: Smolpc) -> None:
    store = store_of(env)
    assert smolpc("setup", env=env).returncode == 0
    shutil.rmtree(store.artifacts)
    with next(store.sources.glob("*/engine/toy.c")).open("a") as source:
        source.write("int added;\n")
    assert smolpc("setup", env=env).returncode == 5
    assert smolpc("setup", env=env).returncode == 0
    assert "added" not in next(store.sources.glob("*/engine/toy.c")).read_text()


def test_modules_in_the_current_folder_are_not_imported(
    env: dict[str, str], tmp_path: Path
) -> None:
    """A student's own json.py must not end up in the self-check."""
    folder = tmp_path / "homework"
    folder.mkdir()
    (folder / "json.py").write_text("raise SystemExit('homework was imported')\n")
    script = f"import os, sys; os.chdir({str(folder)!r}); from smolpc.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, "setup"],
        env=environment(env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_library_path_of_the_user_does_not_replace_ours(
    env: dict[str, str], smolpc: Smolpc, tmp_path: Path
) -> None:
    assert smolpc("setup", env=env).returncode == 0
    program = next(store_of(env).artifacts.glob("*/bin/toy-bench"))
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "toy.c").write_text('const char *toy_where(void) { return "EVIL"; }\n')
    subprocess.run(["gcc", "-shared", "-o", evil / "libtoy.so", evil / "toy.c"], check=True)
    said = subprocess.run(
        [program],
        env={**os.environ, "LD_LIBRARY_PATH": str(evil)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "EVIL" not in said


# -- what goes wrong, and what is said --------------------------------------------------


def expect(done: subprocess.CompletedProcess[str], code: int, store: Store) -> str:
    """The exit code, one clear message with a next step, and nothing half-written."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert "next:" in done.stderr
    assert artifacts.keys(store) == []
    assert not list(store.tmp.glob("*"))
    assert generations.current(store) is None
    return done.stderr


def path_of(folder: Path, *names: str) -> dict[str, str]:
    """A PATH with only these programs, and a memory of the machine of its own."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return {"PATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}


def test_no_compiler(env: dict[str, str], smolpc: Smolpc, tmp_path: Path) -> None:
    bare = path_of(tmp_path / "bin", "git", "uname")
    said = expect(smolpc("setup", env={**env, **bare}), 3, store_of(env))
    assert "apt-get install build-essential" in said or "install" in said


def test_no_network(overlay: Path, env: dict[str, str], smolpc: Smolpc, tmp_path: Path) -> None:
    """The real recipe, with an index where nobody listens."""
    dead = {
        **env,
        "SMOLPC_ENGINE": "llama.cpp",
        "SMOLPC_OFFLINE": "false",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.http://127.0.0.1:9/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    said = expect(smolpc("setup", env=dead), 4, store_of(env))
    assert "127.0.0.1" in said


def test_offline_is_said(env: dict[str, str], smolpc: Smolpc) -> None:
    said = expect(smolpc("setup", env={**env, "SMOLPC_ENGINE": "llama.cpp"}), 4, store_of(env))
    assert "offline" in said


def mounted(options: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`smolpc setup` with a tmpfs of its own on `folder`."""
    folder.mkdir(parents=True)
    script = 'mount -t tmpfs -o "$1" smolpc "$2" && shift 2 && exec "$@"'
    spaces = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user", "--user"])]
    return subprocess.run(
        [*spaces, "sh", "-c", script, "sh", options, str(folder), *SETUP],
        env=environment(env),
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_space(env: dict[str, str]) -> None:
    store = store_of(env)
    said = expect(mounted("size=5m", store.root, env), 6, store)
    assert "missing" in said or "filled up" in said


def test_an_unwritable_store(env: dict[str, str]) -> None:
    store = store_of(env)
    expect(mounted("size=50m,ro", store.root, env), 3, store)


def test_a_store_below_a_file(env: dict[str, str], smolpc: Smolpc, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    below = {**env, "SMOLPC_STORE": str(tmp_path / "file" / "store")}
    expect(smolpc("setup", env=below), 3, store_of(below))


def test_a_wrong_sha256_in_the_recipe(
    overlay: Path, env: dict[str, str], smolpc: Smolpc, tmp_path: Path
) -> None:
    text = (overlay / "engines" / "toy.yaml").read_text()
    wrong = tmp_path / "wrong"
    (wrong / "engines").mkdir(parents=True)
    start_of = text.index("sha256:", text.index("sources:")) + len("sha256: ")
    flipped = "0" if text[start_of] != "0" else "1"
    (wrong / "engines" / "toy.yaml").write_text(text[:start_of] + flipped + text[start_of + 1 :])
    both = {**env, "SMOLPC_RECIPES": os.pathsep.join([str(overlay), str(wrong)])}
    said = expect(smolpc("setup", env=both), 5, store_of(env))
    assert "sha256" in said


def test_a_pin_without_a_hash_does_not_load(
    overlay: Path, env: dict[str, str], smolpc: Smolpc, tmp_path: Path
) -> None:
    text = (overlay / "models" / "tiny.yaml").read_text()
    (tmp_path / "models").mkdir()
    kept = [line for line in text.splitlines() if "sha256" not in line]
    (tmp_path / "models" / "tiny.yaml").write_text("\n".join(kept))
    both = {**env, "SMOLPC_RECIPES": os.pathsep.join([str(overlay), str(tmp_path)])}
    assert "sha256" in expect(smolpc("setup", env=both), 2, store_of(env))


def test_a_profile_with_an_unknown_key(env: dict[str, str], smolpc: Smolpc, tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "mine.yaml").write_text("name: mine\nsummary: x\nmatc:\n  os: [linux]\n")
    said = expect(smolpc("setup", env={**env, "SMOLPC_PROFILES": str(folder)}), 2, store_of(env))
    assert "mine.yaml:3" in said
    assert "did you mean 'match'" in said


def test_a_wrong_command_line(smolpc: Smolpc) -> None:
    for arguments in (("nosuch",), ("setup", "--nosuch"), ("setup", "--profile", "nosuch")):
        done = smolpc(*arguments)
        assert done.returncode == 2, arguments
        assert "next:" in done.stderr
