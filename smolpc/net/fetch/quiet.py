"""Hours in which nothing is downloaded, because lessons need the line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from smolpc.errors import UsageError

DAY = 24 * 60  # minutes


@dataclass(frozen=True)
class QuietHours:
    """Spans of the day in minutes after midnight, local time; start > end spans midnight."""

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """From "08:00-15:30" or "22:00-06:00, 12:00-13:00"; "" is none. Raises UsageError."""
        spans = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            found = re.fullmatch(r"(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)", part, re.ASCII)
            numbers = [int(number) for number in found.groups()] if found else []
            if not numbers or max(numbers[1::2]) > 59 or max(numbers[::2]) > 24:
                raise _wrong(text, f"'{part}' is not a span of the day")
            start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
            if max(start, end) > DAY or start % DAY == end % DAY:
                raise _wrong(text, f"'{part}' is empty, or has no end within a day")
            spans.append((start % DAY, end % DAY))
        hours = cls(tuple(spans))
        if all(hours._busy(minute) for minute in range(DAY)) and spans:
            raise _wrong(text, "together they cover the whole day")
        return hours

    def _busy(self, minute: int) -> bool:
        return any(
            start <= minute < end if start < end else minute >= start or minute < end
            for start, end in self.spans
        )

    def until(self, now: datetime) -> datetime | None:
        """When the quiet time that covers `now` ends; None when `now` is free."""
        if not self.spans or not self._busy(now.hour * 60 + now.minute):
            return None
        end = now.replace(second=0, microsecond=0)
        while self._busy(end.hour * 60 + end.minute):
            end += timedelta(minutes=1)
        return end


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(
        f"quiet hours '{text}' cannot be understood",
        why=why,
        next_step="write them like 08:00-15:30 (the setting quiet_hours: smolpc config.show)",
    )
