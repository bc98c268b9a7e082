"""How long a command may measure, as people type it."""

from __future__ import annotations

from smolpc.errors import UsageError

LONGEST = 24 * 60  # minutes


def seconds_of(minutes: str, default: float, command: str) -> float:
    """Seconds for a number of minutes ("": `default` minutes). Raises UsageError."""
    try:
        wanted = float(minutes or default)
    except ValueError:
        wanted = 0
    if not 0 < wanted <= LONGEST:
        raise UsageError(
            f"'{minutes}' is no number of minutes",
            why="it is more than 0, such as 0.5 or 10",
            next_step=f"{command} --minutes {default:g}",
        )
    return wanted * 60
