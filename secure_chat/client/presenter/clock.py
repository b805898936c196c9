"""Times as a conversation shows them. Milliseconds since 1970 come in, local words go out."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

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
_THIS_WEEK = 7
_EARLIEST, _LATEST = 0, 253_402_000_000_000  # 1970 to the end of 9999


def system_clock() -> datetime:
    """The local time now."""
    return datetime.now().astimezone()


class Times:
    """Words for times in one language."""

    def __init__(self, words: Words, clock: Clock = system_clock) -> None:
        self._words = words
        self._clock = clock

    def local(self, milliseconds: int) -> datetime:
        """A moment in the clock's zone; nonsense is moved to the nearest date there is."""
        bounded = min(max(milliseconds, _EARLIEST), _LATEST)
        return datetime.fromtimestamp(bounded / 1000, self._clock().tzinfo)

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
        return self._words.digits(f"{day:%Y-%m-%d}")

    def full(self, milliseconds: int) -> str:
        """Date and time, for facts such as when a key was first seen."""
        moment = self.local(milliseconds)
        return self._words(
            "{date} at {time}", date=self._date(moment.date()), time=self.of_day(milliseconds)
        )

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
        month = self._words(_MONTHS[day.month - 1])
        number, year = self._words.digits(day.day), self._words.digits(day.year)
        return self._words("{day} {month} {year}", day=number, month=month, year=year)

    def _days_ago(self, day: date) -> int:
        return (self._clock().date() - day) // timedelta(days=1)
