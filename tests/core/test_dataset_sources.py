"""core.dataset: the catalogue, who is chosen, how servers are asked; against a server that answers like LibriVox's."""

import dataclasses
import json
import threading
import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from core.audio import SAMPLE_RATE, Audio, decode
from core.dataset.attribution import attribution
from core.dataset.audiobooks import as_given, fetch, fetch_speaker, find_recordings, make_speaker, probe_of, wanted
from core.dataset.build import plan
from core.dataset.fetch import Guest, Patience
from core.dataset.librivox import PAGE_BOOKS, books, place_of, read_book
from core.dataset.mp3 import first_frame
from core.dataset.probe import Probe, listen
from core.dataset.selection import Rules, Sieve, by_language, choose, find_readers, parse_languages, pieces_of
from core.dataset.storage import Storage
from core.dataset.wav import WAV_RATE, make_wav
from core.errors import Cancelled, DatasetError, DecodeError, FetchError, FileRefused
from tests.core.librivox_server import SOLO, LibriVoxServer, narrow, noisy

QUICK = Patience(tries=3, first_wait=0.01, connect=5, read=5, slow_for=0.5)
RULES = Rules(speakers=5, candidates=9, minutes=0.55, languages=parse_languages("English:60,German:40"))
PLACE = "item2101_librivox/part_01_64kb.mp3"


@pytest.fixture
def server(shelf):
    made = LibriVoxServer(shelf)
    yield made
    made.close()


@pytest.fixture
def guest():
    with Guest("me@example.org", interval=0.01, patience=QUICK) as made:
        yield made


@pytest.fixture
def storage(tmp_path) -> Storage:
    return Storage.of(tmp_path / "dataset")


def catalogue(guest, storage, server, **options):
    return list(books(guest, storage, server=server.url, **options))


# --- the catalogue --------------------------------------------------------------------------------------------------


def test_the_catalogue_is_read_once_and_kept(guest, storage, server, shelf):
    found = catalogue(guest, storage, server)
    assert [book.id for book in found] == [row["id"] for row in shelf.rows]
    pages = -(-len(shelf.rows) // PAGE_BOOKS) + 1  # the last one is the 404
    assert server.count("/api/feed/audiobooks") == pages
    assert catalogue(guest, storage, server) == found and server.count("/api/") == pages
    assert server.agents == {"who-is-speaking/0.1 (dataset of voices; me@example.org)"}
    catalogue(guest, storage, server, refresh=True, most=PAGE_BOOKS)
    assert server.count("/api/") == pages + 1


@pytest.mark.parametrize("damage", [b"", b"{", b'{"books": 5}', b'{"books": [5]}', b"\xff\xfe"])
def test_a_damaged_page_is_fetched_again(guest, storage, server, damage):
    found = catalogue(guest, storage, server)
    storage.write(f"catalogue/{PAGE_BOOKS}_000000.json", damage)
    told = []
    assert catalogue(guest, storage, server, told=told.append) == found
    assert "is damaged: it is fetched again" in told[0]


def test_pages_are_asked_for_at_a_set_pace(storage, server):
    began = time.monotonic()
    with Guest("me@example.org", interval=0.2, patience=QUICK) as guest:
        catalogue(guest, storage, server)
    pages = server.count("/api/")
    assert pages >= 3 and time.monotonic() - began >= 0.2 * (pages - 1)  # a busy machine only makes it longer


@pytest.mark.parametrize("fault", [503, 429, 500, "cut", "slow-json", "sorry"])
def test_a_page_that_fails_is_tried_again(guest, storage, server, fault):
    server.faults["catalogue"] = [fault] if fault != "slow-json" else ["text"]
    assert len(catalogue(guest, storage, server)) == len(server.shelf.rows)


def test_a_server_that_is_down_is_an_error_that_says_so(guest, storage, server):
    server.down = 502
    with pytest.raises(FetchError, match="3 tries failed, the last: the server answers 502"):
        catalogue(guest, storage, server)
    assert not storage.names("catalogue")


def test_every_try_that_fails_is_told_as_it_happens(storage, server):
    """Else nothing is said for half a minute where there is no network."""
    server.down, told = 502, []

    def hear(line: str) -> None:
        told.append((line, server.count("/api/")))

    with (
        Guest("me@example.org", patience=QUICK, told=hear) as guest,
        pytest.raises(FetchError, match=r"502: check the network connection, or run again later; what is finished"),
    ):
        catalogue(guest, storage, server, told=hear)
    place = f"{server.url}/api/feed/audiobooks: the server answers 502; tried again in 0 s"
    asking = f"asking {server.url} for its catalogue, from book 1 on ..."
    assert told == [(asking, 0), (f"{place} (2 of 3)", 1), (f"{place} (3 of 3)", 2)]
    server.down = None
    told.clear()
    with Guest("me@example.org", interval=0.0, patience=QUICK, told=hear) as guest:
        catalogue(guest, storage, server, told=hear)
        assert [line for line, _ in told if "asking" in line] == [asking]
        told.clear()
        catalogue(guest, storage, server, told=hear)
    assert told == []  # nothing is asked for what is kept


def test_what_is_no_catalogue_is_an_error(guest, storage, server):
    with pytest.raises(FileRefused, match="is not there .404."):
        list(books(guest, storage, server=f"{server.url}/nowhere"))


def test_a_wait_that_is_asked_for_is_kept_by_all(storage, server):
    """After a 503 with Retry-After: 1 nobody asks for a second."""
    server.faults["catalogue"] = [503]
    with Guest("me@example.org", interval=0.0, patience=QUICK) as guest:
        threads = [threading.Thread(target=lambda: guest.page(f"{server.url}/api/feed/audiobooks?limit=1&offset=1"))]
        threads[0].start()
        while not server.asked:
            time.sleep(0.01)
        time.sleep(0.1)
        assert guest.page(f"{server.url}/api/feed/audiobooks?limit=1&offset=2")["books"]
        threads[0].join()
    assert server.asked[1][0] - server.asked[0][0] >= 0.9


def test_a_wait_too_long_ends_the_run(server, monkeypatch):
    server.faults["catalogue"] = [503, "..."]
    with (
        Guest("me@example.org", patience=dataclasses.replace(QUICK, longest_wait=0.5)) as guest,
        pytest.raises(FetchError, match="asks to wait"),
    ):
        guest.page(f"{server.url}/api/feed/audiobooks?limit=1&offset=1")


ROW = {
    "id": 5,
    "title": None,
    "url_librivox": None,
    "authors": "?",
    "sections": [None, {"playtime": "x", "readers": 3}],
}


@pytest.mark.parametrize("row", [{}, {"id": "x"}, {"id": None}])
def test_a_row_without_a_number_is_no_book(row):
    assert read_book(row) is None


def test_odd_values_in_a_row_do_no_harm():
    book = read_book(ROW)
    assert (book.id, book.title, book.finished, book.readers, book.usable) == ("5", "book 5", False, {}, ())


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://www.archive.org/download/item/a_64kb.mp3", "item/a_64kb.mp3"),
        ("http://archive.org/download/item/Part%201.mp3", "item/Part%201.mp3"),
        ("https://archive.org/download/item/../../etc/passwd.mp3", ""),
        ("https://archive.org/download/item/%2e%2e/x.mp3", ""),
        ("https://archive.org/download/item/a%2fb.mp3", ""),
        ("https://archive.org.evil.com/download/item/a.mp3", ""),
        ("https://evil.com/download/item/a.mp3", ""),
        ("https://archive.org/download/item/a.exe", ""),
        ("https://archive.org/details/item", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_only_safe_places_at_archive_org_are_taken(url, place):
    assert place_of(url) == place


# --- who is chosen --------------------------------------------------------------------------------------------------


def test_solo_readers_of_finished_books_in_the_languages_asked_for(guest, storage, server):
    sieve = Sieve()
    found = find_readers(catalogue(guest, storage, server), RULES, sieve)
    assert {reader.id for reader in found[:5]} == set(SOLO) and {reader.id for reader in found[5:]} == {"201", "202"}
    assert dict(sieve.removed) == {
        "books unfinished": 60,
        "books not by one reader alone": 1,
        "books in another language": 1,
        "books without a sound file at archive.org": 1,
        "readers with less than 0.55 minutes": 1,
    }
    again = find_readers(catalogue(guest, storage, server)[::-1], RULES, Sieve())
    assert [reader.id for reader in again] == [reader.id for reader in found]  # whatever the catalogue's order
    other = find_readers(catalogue(guest, storage, server), dataclasses.replace(RULES, seed=1), Sieve())
    assert [reader.id for reader in other[:5]] != [reader.id for reader in found[:5]]


def test_a_language_that_is_not_there_is_named(guest, storage, server):
    rules = dataclasses.replace(RULES, languages=parse_languages("Klingon"))
    with pytest.raises(DatasetError, match="no books in 'Klingon'; it has English, German, French"):
        find_readers(catalogue(guest, storage, server), rules, Sieve())


def test_no_reader_left_says_which_filter_removed_how_many(guest, storage, server):
    rules = dataclasses.replace(RULES, minutes=600.0)
    with pytest.raises(
        DatasetError, match="no reader is left: 60 books unfinished, .*8 readers with less than 600 min"
    ):
        find_readers(catalogue(guest, storage, server), rules, Sieve())
    readers = find_readers(catalogue(guest, storage, server), RULES, Sieve())
    bad = {reader.id: Probe(snr=3.0, bandwidth=8000, pitch=120, speech=0.9) for reader in readers}
    with pytest.raises(DatasetError, match="7 readers noisier than 25 dB"):
        choose(readers, bad, RULES, Sieve())


def test_languages_and_voices_are_mixed(guest, storage, server):
    readers = find_readers(catalogue(guest, storage, server), RULES, Sieve())
    assert [reader.language for reader in by_language(readers, 5, RULES)].count("German") == 2
    high = {readers[index].id for index in (0, 1, 2)}
    probes = {one.id: Probe(40.0, 8000, 220.0 if one.id in high else 110.0, 0.9) for one in readers}
    rules = dataclasses.replace(RULES, speakers=4, languages=parse_languages("English"))
    english = [reader for reader in readers if reader.language == "English"]
    chosen = choose(english, probes, rules, Sieve())
    voices = [probes[reader.id].voice for reader in chosen]
    possible = min(2, sum(reader.id in high for reader in english))
    assert len(chosen) == 4 and voices.count("high") == possible


@pytest.mark.parametrize("text", ["", "English:x", "English:0", ":5", "English,,German", "English:nan"])
def test_a_mix_that_makes_no_sense_is_refused(text):
    with pytest.raises(DatasetError, match="--languages"):
        parse_languages(text)


def test_validation_is_a_book_of_its_own(guest, storage, server):
    for reader in find_readers(catalogue(guest, storage, server), RULES, Sieve()):
        pieces = pieces_of(reader, RULES)
        sides = {split: {p.book.id for p in pieces if p.split == split} for split in ("train", "validation")}
        assert not (len(reader.books) > 1 and sides["train"] & sides["validation"])
        assert sum(p.end - p.start for p in pieces) == pytest.approx(33.0, abs=5.0)
        assert all(p.start >= 1 and p.end <= p.section.seconds for p in pieces)
        assert len({p.name for p in pieces}) == len(pieces)


def test_without_validation_every_book_gives_its_minutes_to_training(guest, storage, server):
    readers = find_readers(catalogue(guest, storage, server), RULES, Sieve())
    assert any(len(reader.books) > 1 for reader in readers)
    for reader, seed in product(readers, range(4)):
        pieces = pieces_of(reader, replace(RULES, validation=0.0, seed=seed))
        assert {piece.split for piece in pieces} == {"train"}
        assert sum(p.end - p.start for p in pieces) == pytest.approx(min(60.0 * RULES.minutes, reader.seconds), abs=5.0)


def test_attribution_names_everybody_and_lets_nothing_through(guest, storage, server):
    readers = find_readers(catalogue(guest, storage, server), RULES, Sieve())
    text = attribution(readers, RULES)
    for reader in readers:
        assert f"(reader {reader.id}, {reader.language})" in text
    assert "Amina \\*X\\*" in text and "by Jane Austen <https://librivox.org/book-2101/>" in text


# --- the probe, the WAV ---------------------------------------------------------------------------------------------


def test_a_probe_tells_noise_bandwidth_and_pitch(voice):
    clean = listen([voice("amina_enrol")])
    assert clean.snr > 25 and clean.bandwidth > 5000 and clean.speech > 0.4
    assert listen([noisy(voice("amina_enrol"))]).snr < 15
    assert listen([narrow(voice("amina_enrol"))]).bandwidth < 3500
    assert listen([voice("amina_enrol")]).pitch != listen([voice("kofi_enrol")]).pitch
    assert listen([Audio(np.zeros(SAMPLE_RATE * 12))]).speech == 0.0


def test_the_intermediate_is_441_mono_without_long_silences(voice, shelf, tmp_path):
    import soundfile

    sound = voice("amina_enrol")
    gap = np.zeros(3 * SAMPLE_RATE, np.float32)
    soundfile.write(tmp_path / "in.wav", np.concatenate([sound.samples[:80_000], gap, sound.samples[80_000:]]), 16_000)
    soundfile.write(tmp_path / "stereo.wav", np.column_stack([sound.samples, sound.samples]), 16_000)
    with_gap = make_wav(tmp_path / "in.wav", tmp_path / "a.wav")
    without = make_wav(tmp_path / "stereo.wav", tmp_path / "b.wav")
    assert abs(with_gap - without) < 1.0 and without <= sound.duration
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.samplerate, info.channels, info.subtype) == (WAV_RATE, 1, "PCM_16") and info.duration == with_gap
    (tmp_path / "no.wav").write_bytes(b"no sound at all")
    with pytest.raises(DecodeError):
        make_wav(tmp_path / "no.wav", tmp_path / "c.wav")


# --- fetching -------------------------------------------------------------------------------------------------------


@pytest.fixture
def piece(guest, storage, server):
    """The first piece of amina's reader, as it is fetched."""
    readers = find_readers(catalogue(guest, storage, server), RULES, Sieve())
    reader = next(one for one in readers if one.id == "101")
    place = next(one for one in pieces_of(reader, RULES) if one.book.id == "2101")
    server.asked.clear()
    return wanted("x", place, server.url)


@pytest.fixture
def good(guest, server, piece, tmp_path) -> bytes:
    other = Storage.of(tmp_path / "good")
    fetch(piece, guest, other)
    server.asked.clear()
    return other.read(f"{piece.name}.mp3")


def test_only_the_bytes_needed_are_fetched(guest, storage, server, piece):
    came = []
    guest.progress = came.append
    fetch(piece, guest, storage)
    (asked,) = {headers for _, _, headers in server.asked}
    assert asked == f"bytes={round(piece.start * 8000)}-{round(piece.end * 8000) - 1}"
    content = storage.read(f"{piece.name}.mp3")
    assert piece.bytes >= sum(came) >= len(content) > piece.bytes * 0.9
    assert first_frame(content)[0] == 0
    assert decode(content).duration == pytest.approx(piece.end - piece.start, abs=1.2)
    fetch(piece, guest, storage)
    assert len(server.asked) == 2  # one, and where it was sent on to: the second fetch asks nothing


@pytest.mark.parametrize(
    "faults", [[503], [429, 500], ["cut"], ["long"], ["other"], ["slow"], ["whole"], ["cut", "slow"]]
)
def test_what_passes_ends_in_the_same_bytes(guest, storage, server, piece, good, faults):
    server.faults[piece.url.split("/download/")[1]] = list(faults)
    fetch(piece, guest, storage)
    assert storage.read(f"{piece.name}.mp3") == good
    assert storage.names("downloads") == [f"{piece.name}.mp3"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("page", "is a page, not sound"),
        ("text", "is not MP3|other bytes"),
        ("away", "leads to example.org"),
        (404, "the server answers 404"),
        (403, "the server answers 403"),
    ],
)
def test_what_will_not_pass_is_noted_and_not_asked_again(guest, storage, server, piece, fault, says):
    import re

    server.faults[piece.url.split("/download/")[1]] = [fault, "..."]
    try:
        fetch(piece, guest, storage)
    except FetchError as error:  # text instead of a range: passing, as far as one can know
        assert fault == "text" and re.search(says, str(error))
        return
    assert re.search(says, storage.read(f"{piece.name}.refused").decode())
    server.asked.clear()
    fetch(piece, guest, storage)
    assert not server.asked and storage.names("downloads") == [f"{piece.name}.refused"]


def test_a_server_that_is_down_leaves_nothing_half(guest, storage, server, piece):
    server.down = 503
    with pytest.raises(FetchError, match="tries failed"):
        fetch(piece, guest, storage)
    storage.tidy(all_mine=True)
    assert storage.names("downloads") == [] and storage.names(".scratch") == []


def test_stopped_it_ends_soon(storage, server, piece):
    server.faults[piece.url.split("/download/")[1]] = ["slow"]
    patience = dataclasses.replace(QUICK, slow_for=60.0)
    with Guest("me@example.org", patience=patience) as guest:
        threading.Timer(0.3, guest.stop).start()
        began = time.monotonic()
        with pytest.raises(Cancelled, match="what is finished is kept"):
            fetch(piece, guest, storage)
    assert time.monotonic() - began < 20


def test_a_piece_refused_costs_only_itself(guest, storage, server):
    """HTML instead of one section: the speaker is made of the rest, and the reason is told."""
    readers = [one for one in find_readers(catalogue(guest, storage, server), RULES, Sieve()) if one.id == "101"]
    found = find_recordings(readers, RULES, storage, by_book=True, archive=server.url)
    (task,) = plan(found, split="book")
    assert {one.split for one in task.recordings} == {"train", "validation"}
    server.faults[PLACE] = ["page", "..."]
    fetch_speaker(task, guest, storage)
    told = make_speaker(task, storage)
    assert told == f"{server.url}/download/{PLACE} is a page, not sound"
    rows = json.loads(storage.read(f"parts/{task.speaker}.json"))["rows"]
    assert rows and {row["reader_id"] for row in rows} == {"101"}
    assert {row["book"] for row in rows} <= {"First book of amina", "Second book of amina"}
    assert all(row["source"].startswith(f"{server.url}/download/item") and row["licence"] for row in rows)
    server.asked.clear()
    fetch_speaker(task, guest, storage)
    assert make_speaker(task, storage, keep_wav=False) == told and not server.asked
    assert not storage.names("wav")
    assert make_speaker(task, storage) == told and not storage.names("wav")  # finished: nothing is made again


def test_other_sections_take_the_place_of_what_is_refused(guest, storage, server):
    rules = dataclasses.replace(RULES, minutes=0.4)
    readers = [
        one for one in find_readers(catalogue(guest, storage, server), rules, Sieve()) if one.id in ("101", "102")
    ]
    server.faults[PLACE] = ["page", "..."]
    assert as_given(readers, storage) == readers
    for task in plan(find_recordings(readers, rules, storage, by_book=True, archive=server.url), split="book"):
        fetch_speaker(task, guest, storage)
    given = as_given(readers, storage)
    for before, now in zip(readers, given, strict=True):
        places = {piece.section.place for piece in pieces_of(now, rules)}
        minutes = [sum(piece.end - piece.start for piece in pieces_of(one, rules)) for one in (before, now)]
        assert PLACE not in places and minutes[1] == pytest.approx(minutes[0], abs=2.0)
        assert (before == now) == (before.id == "102") and {one.split for one in pieces_of(now, rules)} == {
            "train",
            "validation",
        }
    assert as_given(given, storage) == given  # nothing more is refused: the same
    storage.write(f"downloads/{given[0].speaker}/2101-002_00001-00019.refused", b"gone")
    storage.write(f"downloads/{given[0].speaker}/3101-001_00001-00019.refused", b"gone")
    assert as_given(readers, storage)[0] == readers[0]  # nothing of this reader is left: told as it is


def test_a_probe_listens_to_the_longest_section(guest, storage, server):
    reader = next(one for one in find_readers(catalogue(guest, storage, server), RULES, Sieve()) if one.id == "201")
    item = probe_of(reader, server.url)
    assert item.url == f"{server.url}/download/item401_librivox/part_01_64kb.mp3" and 30 < item.end - item.start <= 120
