"""People in one file, to take along or to keep safe: JSON, documented in docs/profile-format.md, optionally encrypted.

Encryption: a key from the passphrase by scrypt, AES-256-GCM over the whole document (package `cryptography`). Reading
trusts nothing: sizes, names, times, shapes and numbers are checked before anything reaches the store.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re

import numpy as np

from core.enrolled import KINDS, EnrolledSegment, PersonRecord, SessionRecord, is_embedding
from core.errors import PeopleFileError, SpeakerError
from core.names import MAX_TEXT, clean_name, name_key, one_line, printable, shortened
from core.segments import Quality

FORMAT = "who-is-speaking people"
VERSION = 1
MAX_BYTES = 256 * 1024 * 1024  # of a file
MAX_PEOPLE, MAX_SESSIONS = 20_000, 2_000  # people, sessions of one
MAX_SEGMENTS = 200  # segments and windows of a session
MAX_DIMS = 4096  # values of an embedding
MAX_FLAC = 16 * 1024 * 1024  # bytes of a session's speech
SCRYPT = {"n": 2**16, "r": 8, "p": 1}  # 64 MB and a fraction of a second for each passphrase tried
MIN_PASSPHRASE = 8  # characters
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_MODEL = re.compile(r"[0-9A-Za-z._-]{1,64}")
_QUALITY = ("speech", "level", "clipped", "snr", "bandwidth")


def write(people: list[PersonRecord], passphrase: str | None = None) -> bytes:
    """The file. Raises `PeopleFileError` for a passphrase that is too short, and for what `read` would refuse."""
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE:
        raise PeopleFileError(f"the passphrase has {len(passphrase)} characters: use at least {MIN_PASSPHRASE}")
    document = {"format": FORMAT, "version": VERSION, "people": [_person_out(person) for person in people]}
    try:
        _people_in(document)
    except PeopleFileError as error:
        raise PeopleFileError(f"nothing was written, as this cannot be imported again: {error}") from error
    content = json.dumps(document, ensure_ascii=False).encode()
    if passphrase is None:
        return _small_enough(content)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = os.urandom(16), os.urandom(12)
    head = {"format": FORMAT, "version": VERSION, "encryption": "scrypt AES-256-GCM", **SCRYPT, "salt": _text(salt)}
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, content, _bound(head))
    return _small_enough(json.dumps({**head, "nonce": _text(nonce), "data": _text(sealed)}).encode())


def _small_enough(content: bytes) -> bytes:
    """What `read` takes again."""
    if len(content) > MAX_BYTES:
        raise PeopleFileError(
            f"the file would have {len(content) // 2**20 + 1} MB, {MAX_BYTES // 2**20} are the most that can be "
            "imported again: export some of the people at a time"
        )
    return content


def encrypted(content: bytes) -> bool:
    """Does the file need a passphrase? Raises `PeopleFileError` where it is no such file."""
    return "encryption" in _document(content)


def read(content: bytes, passphrase: str | None = None) -> list[PersonRecord]:
    """The people in a file. Raises `PeopleFileError`, which says what is wrong with it."""
    document = _document(content)
    if "encryption" in document:
        if passphrase is None:
            raise PeopleFileError("this file is encrypted: give the passphrase")
        document = _document(_opened(document, passphrase))
    return _people_in(document)


def _people_in(document: dict) -> list[PersonRecord]:
    people = _list(document, "people", MAX_PEOPLE)
    if not people:
        raise PeopleFileError("there is nobody in this file")
    found = [_person_in(person, f"person {number}") for number, person in enumerate(people, 1)]
    seen = set()
    for person in found:
        if (key := name_key(person.name)) in seen:
            raise PeopleFileError(f"{person.name} is in this file more than once")
        seen.add(key)
    return found


def _document(content: bytes) -> dict:
    if len(content) > MAX_BYTES:
        raise PeopleFileError(f"the file has more than {MAX_BYTES // 2**20} MB: it is no export of this program")
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PeopleFileError("this is no export of this program, or it was cut off: it is not valid JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PeopleFileError(f"this is no export of this program: its format is not {FORMAT!r}")
    version = document.get("version")
    if version != VERSION:
        raise PeopleFileError(f"version {str(version)[:20]!r} of the file is unknown, {VERSION} is: update the program")
    return document


def _no_constant(name: str):
    raise ValueError(f"{name} is no number")


def _opened(document: dict, passphrase: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if {name: document.get(name) for name in SCRYPT} != SCRYPT:  # a file must not choose how long we compute
        raise PeopleFileError("the file is encrypted in a way this program does not know: update the program")
    salt, nonce = _bytes(document, "salt", 16), _bytes(document, "nonce", 12)
    if len(salt) != 16 or len(nonce) != 12:
        raise PeopleFileError("the file is damaged: salt or nonce have the wrong length")
    head = {name: value for name, value in document.items() if name not in ("nonce", "data")}
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, _bytes(document, "data", MAX_BYTES), _bound(head))
    except InvalidTag:
        raise PeopleFileError("the passphrase is wrong, or the file was changed") from None


def _key(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, **SCRYPT).derive(passphrase.encode("utf-8", errors="surrogatepass"))


def _bound(head: dict) -> bytes:
    """What is not secret but must not be changed."""
    return json.dumps(head, sort_keys=True).encode()


def _person_out(person: PersonRecord) -> dict:
    sessions = [_session_out(session) for session in person.sessions]
    return {
        "name": person.name,
        "created_at": person.created_at,
        "consent_at": person.consent_at,
        "sessions": sessions,
    }


def _session_out(session: SessionRecord) -> dict:
    made = {name: getattr(session, name) for name in ("created_at", "consent_at", "model_id")}
    made |= {name: one_line(getattr(session, name)) for name in ("source", "remark")}  # older stores kept any text
    made["segments"] = [
        {
            "kind": one.kind,
            "start": one.start,
            **{name: getattr(one.quality, name) for name in _QUALITY},
            "cnn": _text(np.asarray(one.cnn, "<f4").tobytes()),
            "ann": _text(np.asarray(one.ann, "<f4").tobytes()),
        }
        for one in session.segments
    ]
    return made | ({"flac": _text(session.flac)} if session.flac else {})


def _person_in(person: object, where: str) -> PersonRecord:
    person = _dict(person, where)
    try:
        name = clean_name(person.get("name"))
    except SpeakerError as error:
        raise PeopleFileError(f"{where}: {error}") from error
    where += f" ({shortened(name)})"
    sessions = _list(person, "sessions", MAX_SESSIONS, where)
    if not sessions:
        raise PeopleFileError(f"{where} has no session")
    return PersonRecord(
        name,
        _time(person, "created_at", where),
        _time(person, "consent_at", where),
        tuple(_session_in(one, f"{where}, session {number}") for number, one in enumerate(sessions, 1)),
    )


def _session_in(session: object, where: str) -> SessionRecord:
    session = _dict(session, where)
    model = session.get("model_id")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise PeopleFileError(f"{where}: no valid model id")
    segments = tuple(
        _segment_in(one, f"{where}, segment {number}")
        for number, one in enumerate(_list(session, "segments", MAX_SEGMENTS, where), 1)
    )
    if not any(one.kind == "segment" for one in segments):
        raise PeopleFileError(f"{where} has no segment")
    if len({(len(one.cnn), len(one.ann)) for one in segments}) != 1:
        raise PeopleFileError(f"{where}: embeddings of different lengths")
    flac = _bytes(session, "flac", MAX_FLAC, where) if "flac" in session else None
    if flac is not None and flac[:4] != b"fLaC":
        raise PeopleFileError(f"{where}: the speech is not FLAC")
    times = _time(session, "created_at", where), _time(session, "consent_at", where)
    return SessionRecord(
        *times, _words(session, "source", where), model, _words(session, "remark", where), segments, flac
    )


def _segment_in(segment: object, where: str) -> EnrolledSegment:
    segment = _dict(segment, where)
    if segment.get("kind") not in KINDS:
        raise PeopleFileError(f"{where}: its kind is none of {', '.join(KINDS)}")
    quality = Quality(*(_number(segment, name, where) for name in _QUALITY))
    vectors = []
    for model in ("cnn", "ann"):
        content = _bytes(segment, model, 4 * MAX_DIMS, where)
        if not content or len(content) % 4:
            raise PeopleFileError(f"{where}: the {model} embedding is no list of float32")
        vector = np.frombuffer(content, "<f4").astype(np.float32)
        if not is_embedding(vector):
            raise PeopleFileError(f"{where}: the {model} embedding is not finite numbers of length 1")
        vectors.append(vector)
    return EnrolledSegment(segment["kind"], _number(segment, "start", where), quality, *vectors)


def _dict(value: object, where: str) -> dict:
    if not isinstance(value, dict):
        raise PeopleFileError(f"{where} is not as it should be: an object is needed")
    return value


def _list(parent: dict, name: str, most: int, where: str = "the file") -> list:
    value = parent.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise PeopleFileError(f"{where}: {name} must be a list of at most {most}")
    return value


def _number(parent: dict, name: str, where: str) -> float:
    value = parent.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise PeopleFileError(f"{where}: {name} is no sensible number")
    return float(value)


def _words(parent: dict, name: str, where: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or len(value) > MAX_TEXT or value != printable(value):
        raise PeopleFileError(f"{where}: {name} must be a line of at most {MAX_TEXT} characters")
    return value.encode(errors="replace").decode()


def _time(parent: dict, name: str, where: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise PeopleFileError(f"{where}: {name} must be a time like 2026-11-25T14:30:00+00:00")
    return value


def _bytes(parent: dict, name: str, most: int, where: str = "the file") -> bytes:
    value = parent.get(name)
    if not isinstance(value, str) or len(value) > most * 4 // 3 + 4:
        raise PeopleFileError(f"{where}: {name} is missing or too long")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise PeopleFileError(f"{where}: {name} is not base64") from error


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
