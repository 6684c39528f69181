"""What `scripts/fuzz.py` throws at what: a corpus, its mutations, and targets with the promises they keep."""

from __future__ import annotations

import io
import json
import random
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import BinaryIO
from unittest import mock

import numpy as np

from core import ffmpeg, ffmpeg_worker, people_file
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES, Audio, decode, to_mono
from core.cut_off import Ending
from core.enrolled import PersonRecord
from core.names import FORBIDDEN, FORMULA, clean_name, name_key
from core.segments import cut, prepare_judged
from core.sources.link import parse_link
from core.speakers import SpeakerStore
from core.spectrogram import spectrogram_image

MAX_SECONDS = 120.0  # s of sound that a mutated file may claim
FAVOURITES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1)


def promise(kept: bool, what: str) -> None:
    """What a target promises for every input it does not refuse."""
    if not kept:
        raise AssertionError(what)


# --- the corpus and its mutations ------------------------------------------------------------------------------------


@cache
def corpus() -> tuple[bytes, ...]:
    """A second of tones in each format."""
    import soundfile

    t = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    sound = (0.3 * np.sin(2 * np.pi * 200 * t) + 0.1 * np.sin(2 * np.pi * 1234 * t)).astype(np.float32)
    made = []
    for form, subtype, channels in (
        ("WAV", "PCM_16", 2),
        ("WAV", "FLOAT", 1),
        ("WAV", "MS_ADPCM", 1),
        ("FLAC", "PCM_16", 2),
        ("OGG", "OPUS", 1),
        ("OGG", "VORBIS", 1),
        ("MP3", "MPEG_LAYER_III", 1),
        ("AIFF", "PCM_24", 1),
        ("CAF", "ALAC_16", 1),
        ("W64", "PCM_U8", 1),
    ):
        target = io.BytesIO()
        soundfile.write(target, np.stack([sound] * channels, axis=1), SAMPLE_RATE, format=form, subtype=subtype)
        made.append(target.getvalue())
    made += [
        _by_ffmpeg(sound, *kind) for kind in (("mp4", "aac"), ("webm", "libopus"), ("adts", "aac"), ("mpegts", "mp2"))
    ]
    return tuple(made)


def _by_ffmpeg(sound: np.ndarray, form: str, codec: str) -> bytes:
    import av

    target = io.BytesIO()
    with av.open(target, "w", format=form) as container:
        rate = 48_000
        stream = container.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 960
        )
        frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return target.getvalue()


def mutated(chance: random.Random, sources: tuple[bytes, ...]) -> bytes:
    """One of `sources` with a few bytes changed, numbers replaced, parts doubled, dropped, or taken from another."""
    content = bytearray(chance.choice(sources))
    for _ in range(chance.choice((1, 1, 2, 3, 8, 30))):
        place = min(chance.randrange(len(content) + 1), chance.choice((60, 400, 10**9)))  # headers are worth more
        kind = chance.randrange(7)
        if kind == 0:
            content[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            size = chance.choice((1, 2, 4, 8))
            number = chance.choice(FAVOURITES) & (256**size - 1)
            content[place : place + size] = number.to_bytes(size, chance.choice(("little", "big")))
        elif kind == 2:
            content[place:place] = chance.randbytes(chance.choice((1, 4, 100)))
        elif kind == 3:
            del content[place : place + chance.choice((1, 4, 100, 5000))]
        elif kind == 4:
            content[place:place] = content[place : place + chance.choice((4, 100, 5000))]
        elif kind == 5:
            other = chance.choice(sources)
            start = chance.randrange(len(other))
            content[place : place + 200] = other[start : start + chance.choice((4, 40, 2000))]
        elif chance.random() < 0.3:
            del content[place:]
        content = content or bytearray(b"\0")
    return bytes(content)


# --- targets ---------------------------------------------------------------------------------------------------------


def _by_ffmpeg_here(handle: BinaryIO, name: str, ending: Ending) -> Iterator[np.ndarray]:
    """`core.ffmpeg.pieces` without its process, which would take a hundred times as long, and hide a crash."""
    handle.seek(0)
    for message in ffmpeg_worker.decoded(handle):
        if isinstance(message, dict):
            ffmpeg.take(message, name, ending)
        else:
            yield message


def fuzz_decode(chance: random.Random) -> None:
    """Any bytes: refused, or 16 kHz mono in range, finite, not longer than allowed."""
    with mock.patch.object(ffmpeg, "pieces", _by_ffmpeg_here):
        sound = decode(mutated(chance, corpus()), max_seconds=MAX_SECONDS)
    promise(sound.rate == SAMPLE_RATE and 0 < sound.duration <= MAX_SECONDS, "length and rate")
    promise(bool(np.isfinite(sound.samples).all()) and float(np.abs(sound.samples).max()) <= 1.0, "range")


def fuzz_segments(chance: random.Random) -> None:
    """Any numbers as sound: cut without loss; each segment judged with finite numbers, or not enough speech."""
    random_ = np.random.default_rng(chance.getrandbits(64))
    length = chance.choice((0, 1, 159, 160, 7_999, 40_000, 79_999, 80_000, 119_999, 120_001, 200_000))
    samples = random_.standard_normal(length) * chance.choice((0.0, 1e-38, 1e-6, 0.1, 1.0, 1e30))
    if chance.random() < 0.6:
        samples = samples * (np.sin(np.arange(length) * 2 * np.pi * 140 / SAMPLE_RATE) > chance.uniform(-1, 0.99))
    for _ in range(chance.randrange(3)):
        start = chance.randrange(length + 1)
        samples[start : start + chance.choice((1, 500, 20_000))] = chance.choice((np.nan, np.inf, -np.inf, 0.0, 1.0))
    audio = Audio(to_mono(samples))
    pieces = list(cut([audio.between(0, 3.3), audio.between(3.3, 1e9)]))
    promise(sum(len(piece) for _, piece in pieces) == len(audio), "nothing is lost")
    for _, piece in pieces:
        ready, judged = prepare_judged(piece)
        promise(all(map(np.isfinite, (judged.speech, judged.level, judged.clipped, judged.snr))), "finite quality")
        if ready is not None:
            promise(ready.shape == (SEGMENT_SAMPLES,) and bool(np.isfinite(ready).all()), "a whole segment")
            promise(spectrogram_image(ready).dtype == np.uint8, "an image")


SCHEMES = ("", "http://", "https://", "HTTPS://", "file://", "ftp://", "javascript:", "data:", "//", "http:\\\\")
HOSTS = (
    *("youtube.com", "www.youtube.com", "youtu.be", "m.youtube.com", "youtube.com:80", "youtube.com.", "youtube.com:"),
    *("evil.example", "youtube.com.evil.example", "youtube.com@evil.example", "user:pw@youtu.be", "xn--youtube-x.com"),
    *("127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "169.254.169.254", "10.0.0.1", "[::ffff:7f00:1]", ""),
    *("\uff59outube.com", "youtube\u3002com", "you\u00adtube.com"),
)
PATHS = (
    *("/watch?v=dQw4w9WgXcQ", "/dQw4w9WgXcQ", "/shorts/dQw4w9WgXcQ", "/embed/dQw4w9WgXcQ?start=9", "/playlist?list=x"),
    *("/@someone", "/../../etc/passwd", "/watch?v=../../x&t=1e9", "#@evil.example/", "/%2e%2e", "?q=http://127.0.0.1"),
)
MARKS = "@/\\?#:.%\t\0\u2028\uff20 "


def fuzz_links(chance: random.Random) -> None:
    """Any text as a link: refused, or exactly one video of YouTube."""
    text = chance.choice(SCHEMES) + chance.choice(HOSTS) + chance.choice(PATHS)
    for _ in range(chance.choice((0, 1, 2, 5))):
        place = chance.randrange(len(text) + 1)
        mark = chance.choice((*MARKS, chr(chance.randrange(0x300))))
        text = text[:place] + mark + text[place + chance.randrange(2) :]
    link = parse_link(text)
    promise(link.video is not None and re.fullmatch(r"[0-9A-Za-z_-]{11}", link.video) is not None, "a video")
    promise(link.url == f"https://www.youtube.com/watch?v={link.video}", "YouTube's own address")
    promise(link.start is None or 0 <= link.start < 1e8, "a time")


STRANGE = "\xad\uff1d\u200b\u200d\u202e\u2028\u3164\ufeff\ufe0f\U0001f399\U000e0001\ud800"
ALPHABET = "".join(map(chr, range(128))) + STRANGE


def fuzz_names(chance: random.Random) -> None:
    """Any text as a name: refused, or visible, on one line, no path, tag or formula; cleaning again changes nothing."""
    letters = ALPHABET if chance.random() < 0.7 else [chr(chance.randrange(0x110000)) for _ in range(30)]
    kept = clean_name("".join(chance.choice(letters) for _ in range(chance.choice((0, 1, 2, 5, 20, 80)))))
    promise(clean_name(kept) == kept and 0 < len(kept) <= 60 and name_key(kept) != "", "clean stays clean")
    promise(not set(kept) & set(FORBIDDEN + "\n\r\t\0\x1b\u202e\u2028") and kept[0] not in FORMULA, "harmless")
    promise(kept.encode().decode() == kept, "can be written")


def fuzz_times(chance: random.Random) -> None:
    """Any text as a time, on the command line and in the form."""
    from argparse import ArgumentTypeError

    from demo.cli import seconds
    from demo.link_or_file import seconds_of

    text = "".join(chance.choice("0123456789:.-+e _\u0663nNaif") for _ in range(chance.randrange(9)))
    with suppress(ArgumentTypeError):
        promise(0 <= seconds(text) < 1e10, "a time")
    found = seconds_of(text)
    promise(found is None or 0 <= found < 1e10, "a time")


@cache
def database() -> bytes:
    """A store with a few people."""
    from core.segments import Quality
    from core.speakers import EnrolledSegment

    random_ = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = SpeakerStore(folder)
        for name in ("Amina", "Jo", "Kofi"):
            rows = random_.standard_normal((5, 2, 48)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=2, keepdims=True)
            pieces = [EnrolledSegment("segment", 5.0 * i, Quality(4, -20, 0, 30), *row) for i, row in enumerate(rows)]
            store.add(name, segments=pieces, model_id="m", source="file", consent=True)
        return store.path.read_bytes()


def fuzz_store(chance: random.Random) -> None:
    """Any bytes as the speaker database: opened or set aside, and usable in any case."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "speakers.db").write_bytes(mutated(chance, (database(),)))
        store = SpeakerStore(folder)
        promise(len(store.profiles()) <= 3, "nobody new")
        if store.notice:
            for person in store.embeddings("m"):
                promise(bool(np.isfinite(person.cnn).all()), "finite embeddings")
            with sqlite3.connect(store.path) as db:
                promise(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "a sound database")
            db.close()


@cache
def exported(passphrase: str | None = None) -> bytes:
    """The people of `database` as an export."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "speakers.db").write_bytes(database())
        return people_file.write(SpeakerStore(folder).records(), passphrase)


VALUES = (
    *(None, True, 0, -1, 0.5, 1e5, 1e308, -1e-308, 2**64, 10**400, "", "m", "\0", "\ud800", "=1+1", "../x", "segment"),
    *("2026-13-45T99:99:99+00:00", "2026-11-25T14:30:00+00:00\n", "AAAA", "AACAfw==", "////", "fLaC", [], {}, [[]]),
    *(["x"] * 300, {"kind": "segment"}, "a" * 100_000, "\u202e", "Amina", "AMINA\u200b"),
)


def restructured(chance: random.Random, document: dict) -> dict:
    """`document` with a few values, anywhere in it, taken away, exchanged, doubled or replaced by strange ones."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        here = document
        while True:
            places = list(here) if isinstance(here, dict) else range(len(here))
            if not places:
                break
            place = chance.choice(places)
            if isinstance(here[place], dict | list) and here[place] and chance.random() < 0.9:
                here = here[place]
                continue
            kind = chance.choice((0, 1, 2, 3, 3, 3, 3, 4))
            if kind == 0:
                del here[place]
            elif kind == 1 and isinstance(here, list):
                here.append(deepcopy(here[place]))
            elif kind == 2:
                here[place] = deepcopy(here[chance.choice(places)])
            elif kind == 3 and isinstance(here[place], float):
                here[place] = chance.choice((0, -0.0, 1e-300, -7, 999_999, 1e6, chance.uniform(-100, 100)))
            elif kind == 3 and isinstance(here[place], str) and len(here[place]) < 50:
                here[place] = here[place].replace(chance.choice(here[place] or " "), chance.choice(ALPHABET))
            else:
                here[place] = deepcopy(chance.choice(VALUES))
            break
    return document


def fuzz_people(chance: random.Random) -> None:
    """Any export, broken or made up: refused, or people who can be stored, found again and written as they came."""
    if chance.random() < 0.01:  # seldom: a key takes a fraction of a second and 64 MB
        people = people_file.read(mutated(chance, (exported("a passphrase"),)), "a passphrase")
    elif chance.random() < 0.3:
        people = people_file.read(mutated(chance, (exported(),)))
    else:
        people = people_file.read(json.dumps(restructured(chance, json.loads(exported()))).encode())
    promise(all(isinstance(person, PersonRecord) for person in people), "people")
    content = people_file.write(people)
    promise(people_file.write(people_file.read(content)) == content, "what goes out comes in")
    if chance.random() < 0.1:
        with tempfile.TemporaryDirectory() as folder:
            store = SpeakerStore(folder)
            store.add_people(people)
            promise(people_file.write(store.records()) == content, "what was stored is what came")
            promise(SpeakerStore(folder).notice is None, "a sound database")


TARGETS: dict[str, tuple[Callable[[random.Random], None], float]] = {  # and its share of the cases
    "decode": (fuzz_decode, 0.4),
    "links": (fuzz_links, 0.2),
    "names": (fuzz_names, 0.2),
    "times": (fuzz_times, 0.06),
    "people": (fuzz_people, 0.1),
    "store": (fuzz_store, 0.02),
    "segments": (fuzz_segments, 0.02),
}
