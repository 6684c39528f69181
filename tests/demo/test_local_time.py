"""What is shown is this computer's own time."""

import time

import pytest

from demo import people_view
from demo.local_time import day, minute


@pytest.fixture
def tokyo(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("Windows takes its time zone from the system alone")
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_local(tokyo):
    assert day("2026-11-30T23:30:00+00:00") == "2026-12-01"
    assert minute("2026-11-30T23:30:00+00:00") == "2026-12-01 08:30"
    assert minute("2026-11-30T23:30:00") == "2026-12-01 08:30"  # UTC is meant
    assert (day(""), day("long ago"), day("0001-01-01T00:00:00+23:00")) == ("", "long ago", "0001-01-01")


def test_the_list_of_people_shows_them(tokyo, people):
    with people.store.database.change() as db:
        db.execute("UPDATE speakers SET created_at = '2026-11-30T23:30:00+00:00'")
    assert "2026-12-01" in people_view.people(people.store.profiles(), {}, ())
