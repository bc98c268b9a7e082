"""Where settings, data and caches lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from smolpc import files

PROJECT_FILE = ".smolpc.yaml"
ROOT_MARKS = (".git", ".hg", ".svn")  # a folder with one of these is where a project begins


def checkout() -> Path | None:
    """The folder of the source checkout smolpc runs from, or None when installed."""
    root = Path(__file__).resolve().parent.parent.parent
    return root if (root / "tasks.py").is_file() and (root / "profiles").is_dir() else None


def default_store() -> Path:
    """`artifacts/` of a checkout, else the user's data folder."""
    root = checkout()
    if root is not None:
        return root / "artifacts"
    from platformdirs import user_data_path

    return user_data_path("smolpc", appauthor=False)


def cache_dir() -> Path:
    """Where facts about this machine are remembered; safe to delete."""
    from platformdirs import user_cache_path

    return user_cache_path("smolpc", appauthor=False)


def own_recipes() -> Path:
    """The user's own recipes folder; `models.add` writes into its `models`. It may not exist."""
    from platformdirs import user_config_path

    return user_config_path("smolpc", appauthor=False) / "recipes"


def machine_file() -> Path:
    """The settings of all users of this PC. It may not exist."""
    from platformdirs import site_config_path

    return site_config_path("smolpc", appauthor=False) / "config.yaml"


def user_file() -> Path:
    """The user's settings; SMOLPC_CONFIG names another file. It may not exist."""
    from platformdirs import user_config_path

    own = os.environ.get("SMOLPC_CONFIG")
    if own:
        return files.user_path(own)
    return user_config_path("smolpc", appauthor=False) / "config.yaml"


def project_folders(start: Path | None = None) -> list[Path]:
    """`start` (default: the current folder) and its parents, up to the first that is the top of
    a version control checkout, the home folder or the top of the disk."""
    try:
        folder = start or Path.cwd()
        folder = folder.absolute()
        home = Path.home()
    except (OSError, RuntimeError):  # the current folder was deleted; nobody's home
        return []
    found = []
    for one in (folder, *folder.parents):
        found.append(one)
        if one == home or any((one / mark).exists() for mark in ROOT_MARKS):
            break
    return found


def project_file(start: Path | None = None) -> Path | None:
    """The nearest `.smolpc.yaml` of the current project, or None."""
    files = (folder / PROJECT_FILE for folder in project_folders(start))
    return next((path for path in files if path.is_file()), None)


def config_files() -> tuple[Path, ...]:
    """Setting files, weakest first; the project's only where there is one."""
    project = project_file()
    return (machine_file(), user_file(), *([project] if project else []))
