"""Names of people: any script and emoji; nothing that hides, breaks a line, a path, a page or a spreadsheet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidName
from core.names import clean_name, shortened


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("Amina", "Amina"),
        ("  Jo   van   Dijk ", "Jo van Dijk"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("李小龍", "李小龍"),
        ("محمد", "محمد"),
        ("नरेंद्र", "नरेंद्र"),
        ("👩🏽‍🔬", "👩🏽‍🔬"),
        ("O'Brien & Sons; DROP TABLE", "O'Brien & Sons; DROP TABLE"),
        ("x" * 60, "x" * 60),
        ("Unknown 2", "Unknown 2"),
    ],
)
def test_name_kept(given_name, kept):
    assert clean_name(given_name) == kept


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("\u3000", "empty"),
        ("x" * 300, "300 characters"),
        ("Ada\nBob", "line break"),
        ("Ada\u2028Bob", "line break"),
        ("Ada\x00", "control character"),
        ("Ada\ud800", "control character"),
        ("<b>Ada</b>", "holds < "),
        ("a/b", "holds / "),
        ("..\\b", r"holds \\ "),
        ("=1+1", "spreadsheet"),
        ("+Ada", "spreadsheet"),
        (" -Ada", "spreadsheet"),
        ("@Ada", "spreadsheet"),
        ("UNKNOWN", "answer"),
        ("Not  Enough Speech", "answer"),
        ("Ｎｏｉｓｅ", "answer"),
        ("un\u200bknown", "answer"),
        ("\u202eadA", "direction mark"),
        ("\u200b\u200d", "shows nothing"),
        ("\u3164", "shows nothing"),
        (None, "must be text"),
    ],
)
def test_name_refused(bad, says):
    with pytest.raises(InvalidName, match=says):
        clean_name(bad)


@given(st.text(max_size=70))
def test_a_clean_name_stays_as_it_is(text):
    try:
        cleaned = clean_name(text)
    except InvalidName as error:
        assert "\n" not in str(error)
        return
    assert clean_name(cleaned) == cleaned
    assert 1 <= len(cleaned) <= 60 and not set(cleaned) & set("/\\<>\n\r\t") and cleaned[0] not in "=+-@"


def test_a_message_shows_a_name_as_it_is_written():
    for name in ("نی\u200cلوفر", "\U0001f469\U0001f3fd\u200d\U0001f52c", "O'Brien", "Zo\u00eb"):
        assert shortened(name) == f'"{name}"'
    assert shortened("two\nlines \x1b[2J") == r'"two\nlines \x1b[2J"'
