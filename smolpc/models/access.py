"""How this machine gets models: package indexes, mirrors, tokens, limits, the shared folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from smolpc import net, pypi
from smolpc.models import places
from smolpc.settings import Settings


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
    reach = replace(index.net, tokens=places.tokens(mirrors))
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
