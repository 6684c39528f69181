"""scripts/teach.py: what would do nothing, or could do nothing, is said before a teacher hears anybody."""

import pytest

from core.errors import SpeakerError
from scripts.teach import main


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at-most", "0"), "--at-most 0: 1 or more"),
        (("--workers", "0"), "--workers 0: 1 process or more"),
        (("--copies", "2"), "--copies goes with --more-speeds"),
        (("--noise", "{tmp}"), "--noise goes with --copies"),
        (("--rooms", "{tmp}"), "--rooms goes with --variants or --more-speeds"),
        (("--variants", "--rooms", "{tmp}/nowhere"), "--rooms .*nowhere: no audio files are there"),
        (("--more-speeds", "--copies", "2", "--noise", "{tmp}/nowhere"), "--noise .*nowhere: no audio files are there"),
        ((), "has no segments.csv"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path, words, says):
    filled = [word.format(tmp=tmp_path) for word in words]
    with pytest.raises(SpeakerError, match=says):
        main([str(tmp_path), "--recordings", str(tmp_path), *filled])
