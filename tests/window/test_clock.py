"""Times in words: languages, digits and calendars as the person chose them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.settings import Settings

NOW = datetime(2026, 11, 25, 9, 5, tzinfo=UTC)


def at(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 9, 5, tzinfo=UTC).timestamp() * 1000)


def times(*choice: str) -> Times:
    return Times(Words(*choice), lambda: NOW)


@pytest.mark.parametrize(
    ("day", "short", "full"),
    [
        (date(2025, 3, 20), "۱۴۰۳/۱۲/۳۰", "۳۰ اسفند ۱۴۰۳"),  # a leap year's last day
        (date(2025, 3, 21), "۱۴۰۴/۰۱/۰۱", "۱ فروردین ۱۴۰۴"),
        (date(1979, 2, 11), "۱۳۵۷/۱۱/۲۲", "۲۲ بهمن ۱۳۵۷"),
    ],
)
def test_persian_days_are_those_of_the_jalali_calendar(day: date, short: str, full: str) -> None:
    """Persian counts days by the Jalali calendar and in Persian digits, unless told otherwise."""
    assert times("fa").short(at(day)) == short
    assert full in times("fa").full(at(day))


def test_digits_and_calendar_are_the_persons_choice() -> None:
    """Each language goes with either calendar and either digits."""
    moment = at(date(2026, 3, 21))
    assert times("fa", "latin", "gregorian").short(moment) == "2026-03-21"
    assert times("fa", "latin").short(moment) == "1405/01/01"
    assert times("en", "auto", "jalali").full(moment) == "1 Farvardin 1405 at 09:05"
    assert times("en", "persian").full(moment) == "۲۱ March ۲۰۲۶ at ۰۹:۰۵"
    assert times("en").short(moment) == "2026-03-21"


@given(st.dates(date(1970, 1, 2), date(9999, 12, 30)))
def test_no_date_fails_in_any_calendar(day: date) -> None:
    """A claimed time may be any at all: it is shown, in the calendar's last year at the latest."""
    assert times("fa").full(at(day))
    assert times("fa").short(at(day))


@given(st.dates(date(1970, 1, 2), date(2150, 1, 1)))
def test_jalali_days_follow_one_another(day: date) -> None:
    """The next day is the next number, or the first of a month; Nowruz is at the equinox."""
    words = times("en", "latin", "jalali")
    first, second = (
        tuple(map(int, words.short(at(one)).split("/"))) for one in (day, day + timedelta(days=1))
    )
    assert second[2] in {first[2] + 1, 1}
    assert second > first
    if second[1:] == (1, 1):
        assert (day + timedelta(days=1)).strftime("%m-%d") in {"03-19", "03-20", "03-21", "03-22"}


def test_what_is_remembered_is_believed_only_if_it_can_be(tmp_path: Path) -> None:
    """Settings survive a restart; nonsense in the file is the default."""
    path = tmp_path / "window.json"
    Settings("fa", "dark", "latin", "gregorian", path=path).save()
    loaded = Settings.load(path, language="en")
    assert (loaded.language, loaded.digits, loaded.calendar) == ("fa", "latin", "gregorian")
    path.write_text('{"digits": ["latin"], "calendar": 3, "theme": {}, "panel_open": "no"}')
    loaded = Settings.load(path, language="en")
    assert (loaded.digits, loaded.calendar, loaded.theme) == ("auto", "auto", "light")
    assert loaded.panel_open is True
