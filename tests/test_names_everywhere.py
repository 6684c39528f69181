"""Whatever a person is called: every screen, file and line looks as it does for anybody else."""

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.corrections import Correction
from core.enrolled import PersonRecord
from core.errors import InvalidName
from core.heads import SILENT, UNKNOWN, Decision
from core.names import FORMULA, clean_name
from core.person_check import PersonCheck
from core.segments import Quality, Segment
from core.speakers import Profile, Session
from core.timeline import Answer, Timeline
from demo import (
    answer_view,
    job_view,
    live_view,
    notice_view,
    parcel,
    people_view,
    person_view,
    sure_part,
    texts,
    timeline_view,
)
from demo.job import Job
from demo.link_or_file import exports
from demo.live_ear import Moment
from demo.palette import colours

GOOD = Quality(4.5, -20.0, 0.0, 30.0)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "&lt;b&gt;",
    "{name}{0}{__class__}",
    "%s%n",
    "Ada\nSPEAKER x 1 0.000 9.000 <NA> <NA> Bob 1 <NA>",
    '=HYPERLINK("http://evil.example")',
    "\uff1dcmd",
    "\t=1+1",
    "../../etc/passwd",
    "..",
    "a\x1b[2Jb",
    "a\u202eb",
    "Robert'); DROP TABLE speakers;--",
)
names = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=70), st.text("<>&\"'={}/\\%;\u202e\x1b\n\t a", max_size=20)
)


class Structure(HTMLParser):
    """Tags with their attributes' names, and where text stands; not what the text says."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.found: list = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, tuple(name for name, _ in attributes)))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self.found.append(f"/{tag}")

    def handle_comment(self, _data):
        self.found.append("comment")

    handle_decl = handle_pi = unknown_decl = handle_comment


def answers_of(name: str) -> list[Answer]:
    sure, unsure = Decision(name, 0.9, UNKNOWN, 0.05), Decision(UNKNOWN, 0.8, name, 0.1)
    answers = [(sure, unsure, sure), (unsure, sure, unsure), (SILENT,) * 3, (sure, sure, sure)]
    return [Answer(Segment(5.0 * i, 5.0 * i + 5), GOOD, *three) for i, three in enumerate(answers)]


def screens(name: str, *, title: str = "talk.wav") -> list[str]:
    """Every piece of HTML that shows a name, or the title of a recording."""
    answers, known = answers_of(name), colours([name, "Other"])
    profile = Profile(1, name, "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00", "m", 1, 6)
    session = Session(1, profile.created_at, profile.consent_at, name, "old", name, False, (GOOD,))
    job = Job()
    job.title, job.answers = title, answers
    found = [
        *(answer_view.answer(one, known) for one in answers),
        timeline_view.lanes(answers, known, start=0.0, end=20.0),
        timeline_view.talk_time(answers, known),
        timeline_view.table(answers, known),
        people_view.people([profile], known, {name}),
        person_view.page(profile, [session], known, model_id="m", check=PersonCheck(6, 5, 3.0, (name, 5.0))),
        parcel.view(
            [parcel.Entry(PersonRecord(name, profile.created_at, profile.consent_at, ()), True, name, True, True)]
        ),
        sure_part.verdicts([Correction(profile.created_at, "m", name, 0.9, named, name) for named in (True, False)]),
        notice_view.notice(texts.DELETE_SURE.format(name=name), "error"),
        notice_view.progress(texts.ENROLLING.format(name=name), 0.5),
        notice_view.progress(texts.FETCHING.format(title=title), None),
        live_view.view(replace(Moment(), current=answers[0], closed=tuple(answers), listening=True), known),
        job_view.stages(job),
        job_view.outcome(job, True),
        job_view.timeline(job, known),
        job_view.details(job, known),
        job_view.player("/tmp/" + title),
    ]
    return found


PLAIN = [Structure(html).found for html in screens("Amina")]


@pytest.mark.parametrize("name", HOSTILE)
def test_html_cannot_be_made_of_a_name_even_if_the_store_let_it_in(name):
    """A store may come from elsewhere: the screens trust no name."""
    assert [Structure(html).found for html in screens(name)] == PLAIN


@given(name=names)
def test_a_name_is_refused_or_harmless(name):
    try:
        kept = clean_name(name)
    except InvalidName as error:
        assert "\n" not in str(error) and "\x1b" not in str(error)
        return
    assert clean_name(kept) == kept
    assert not set(kept) & set("<>/\\\n\r\t\0\x1b\u202e") and kept[0] not in FORMULA
    assert [Structure(html).found for html in screens(kept)] == PLAIN
    timeline = Timeline("talk.wav", "m", tuple(answers_of(kept)))
    read = list(csv.reader(io.StringIO(timeline.to_csv())))
    assert {len(row) for row in read} == {15} and len(read) == 5 and read[1][3] == kept
    assert all(cell[:1] not in set(FORMULA) for row in read for cell in row)
    assert json.loads(timeline.to_json())["segments"][0]["cnn"]["name"] == kept
    lines = timeline.to_rttm().splitlines()
    assert len(lines) == 3 and all(len(line.split()) == 10 and line.startswith("SPEAKER ") for line in lines)


@given(title=names)
@example(title="a" * 300 + ".wav")
@example(title="CON")
@example(title="\udcff.wav")
def test_the_name_of_a_recording_makes_no_html_line_or_path(title, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "exports"
    folder.mkdir(exist_ok=True)
    assert [Structure(html).found for html in screens("Amina", title=title)] == PLAIN
    job = Job()
    job.title, job.answers = title, answers_of("Amina")
    for job.is_link in (False, True):
        for path in exports(job, folder).values():
            written = folder.joinpath(path).resolve()
            assert folder.resolve() in written.parents and written.is_file()
    assert all(len(line.split()) == 10 for line in Timeline(title, "m", tuple(job.answers)).to_rttm().splitlines())
