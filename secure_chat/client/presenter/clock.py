"""Times as a conversation shows them. Milliseconds since 1970 come in, local words go out."""

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from secure_chat.client.i18n import N_, Words

Clock = Callable[[], datetime]
"""The local time now, with its zone."""

_WEEKDAYS = (
    N_("Monday"), N_("Tuesday"), N_("Wednesday"), N_("Thursday"),
    N_("Friday"), N_("Saturday"), N_("Sunday"),
)  # fmt: skip
_MONTHS = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"),
    N_("August"), N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip
_JALALI_MONTHS = (
    N_("Farvardin"), N_("Ordibehesht"), N_("Khordad"), N_("Tir"), N_("Mordad"), N_("Shahrivar"),
    N_("Mehr"), N_("Aban"), N_("Azar"), N_("Dey"), N_("Bahman"), N_("Esfand"),
)  # fmt: skip
_THIS_WEEK = 7
_UNITS = (
    (7 * 86_400, N_("{number} w")),
    (86_400, N_("{number} d")),
    (3_600, N_("{number} h")),
    (60, N_("{number} min")),
)
_EARLIEST, _LATEST = 0, 32_503_500_000_000  # 1970 to 2999: Windows knows no later local time


def system_clock() -> datetime:
    """The local time now."""
    return datetime.now().astimezone()


class _Day(NamedTuple):
    """A day in the person's calendar."""

    year: int
    month: int
    day: int


class Times:
    """Words for times in one language."""

    def __init__(self, words: Words, clock: Clock = system_clock) -> None:
        self._words = words
        self._clock = clock
        # None: each moment in the zone's rules of its own season, as the system knows them
        self._zone = None if clock is system_clock else clock().tzinfo

    @property
    def now_ms(self) -> int:
        """The present moment."""
        return round(self._clock().timestamp() * 1000)

    def local(self, milliseconds: int) -> datetime:
        """A moment in the clock's zone; nonsense is moved to the nearest date there is."""
        bounded = min(max(milliseconds, _EARLIEST), _LATEST)
        return datetime.fromtimestamp(bounded / 1000, self._zone)

    def day_of(self, milliseconds: int) -> date:
        """The day of a moment."""
        return self.local(milliseconds).date()

    def of_day(self, milliseconds: int) -> str:
        """``14:05``."""
        return self._words.digits(f"{self.local(milliseconds):%H:%M}")

    def day(self, milliseconds: int) -> str:
        """Today, Yesterday, a weekday within the week, else the date."""
        return self._day(self.local(milliseconds).date())

    def short(self, milliseconds: int) -> str:
        """For a list: the time today, else the day in few letters."""
        day = self.local(milliseconds).date()
        if day == self._clock().date():
            return self.of_day(milliseconds)
        if self._days_ago(day) in range(1, _THIS_WEEK):
            return self._day(day)
        shown = self._in_calendar(day)
        parts = f"{shown.year:04}", f"{shown.month:02}", f"{shown.day:02}"
        return self._words.digits(("/" if self._words.jalali else "-").join(parts))

    def full(self, milliseconds: int) -> str:
        """Date and time, for facts such as when a key was first seen."""
        moment = self.local(milliseconds)
        return self._words(
            "{date} at {time}", date=self._date(moment.date()), time=self.of_day(milliseconds)
        )

    def left(self, until: int) -> str:
        """How long it is until a moment, in one unit, rounded up: what counts down."""
        now = self._clock().timestamp()
        return self.span(max(1, math.ceil(until / 1000 - now)))

    def span(self, seconds: int) -> str:
        """So many seconds in few letters, in the largest unit that has come full."""
        for size, unit in _UNITS:
            if seconds >= size:
                return self._words(unit, number=self._words.digits(seconds // size))
        return self._words("{number} s", number=self._words.digits(seconds))

    def _day(self, day: date) -> str:
        ago = self._days_ago(day)
        if ago == 0:
            return self._words("Today")
        if ago == 1:
            return self._words("Yesterday")
        if 1 < ago < _THIS_WEEK:
            return self._words(_WEEKDAYS[day.weekday()])
        return self._date(day)

    def _date(self, day: date) -> str:
        shown = self._in_calendar(day)
        names = _JALALI_MONTHS if self._words.jalali else _MONTHS
        return self._words(
            "{day} {month} {year}",
            day=self._words.digits(shown.day),
            month=self._words(names[shown.month - 1]),
            year=self._words.digits(shown.year),
        )

    def _in_calendar(self, day: date) -> "_Day":
        if not self._words.jalali:
            return _Day(day.year, day.month, day.day)
        from persiantools.jdatetime import JalaliDate  # only for those who count so

        jalali = JalaliDate.to_jalali(day)  # type: ignore[no-untyped-call]
        return _Day(jalali.year, jalali.month, jalali.day)

    def _days_ago(self, day: date) -> int:
        return (self._clock().date() - day) // timedelta(days=1)
