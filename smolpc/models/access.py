"""How this machine gets models: package indexes, mirrors, tokens, limits, the shared folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from smolpc import net, pypi
from smolpc.errors import UsageError
from smolpc.models import places
from smolpc.settings import Settings

LONGEST_SILENCE = 20.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Access:
    """`index` is pip's configuration (wheels come through it) and the network's settings;
    `options` are those of the download manager."""

    index: pypi.Settings
    mirrors: places.Mirrors = field(default_factory=places.Mirrors)
    options: net.Options = field(default_factory=net.Options)


def load(settings: Settings) -> Access:
    """The access of this user. Asks pip for its configuration (half a second), so it is made
    when something must be fetched. Raises UsageError for a setting that is wrong."""
    index = pypi.load(offline=settings.offline)
    mirrors = places.mirrors(settings)
    # pip's time limit may be minutes; a model's download goes on from where it stalled.
    patience = min(index.net.stall_timeout, LONGEST_SILENCE)
    reach = replace(index.net, tokens=places.tokens(mirrors), stall_timeout=patience)
    return Access(
        index=replace(index, net=reach),
        mirrors=mirrors,
        options=net.Options(
            limit=net.parse_rate(settings.download_limit),
            streams=settings.download_streams,
            quiet_hours=net.QuietHours.parse(settings.quiet_hours),
        ),
    )


def machine_models(settings: Settings) -> Path | None:
    """The models folder that all users of this PC share; None where there is none, or where
    it is this user's own store."""
    folder = settings.machine_store_path
    if folder is None or folder.resolve() == settings.store_path.resolve():
        return None
    return folder / "models"


def require_machine_store(settings: Settings) -> Path:
    """The store that all users of this PC share. Raises UsageError when there is none."""
    folder = settings.machine_store_path
    if folder is None:
        raise UsageError(
            "this PC has no store that all users share",
            why="the setting 'machine_store' names none",
            next_step="smolpc config.show",
        )
    return folder
