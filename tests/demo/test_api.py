"""The HTTP API of the running app, through gradio_client and curl: good sound, bad sound, consent, lies, password."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from urllib.request import urlopen

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from core.audio import SAMPLE_RATE
from core.recognizer import Recognizer
from demo import api, texts
from demo.app import build
from tests.conftest import ROOT
from tests.demo.browserless import Page, ask, file_data, wav
from tests.demo.test_doors import serve

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
gradio_client = pytest.importorskip("gradio_client")
from gradio_client import Client, handle_file  # noqa: E402
from gradio_client.exceptions import AppError  # noqa: E402

PASSWORD = "correct horse battery"
DOC = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "private"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def people(embedder, voice, tmp_path_factory):
    """Kofi is enrolled; Amina and others are added by the tests."""
    made = Recognizer(tmp_path_factory.mktemp("people"), embedder=embedder)
    made.enrol("Kofi", voice("kofi_enrol"), consent=True)
    return made


@pytest.fixture(scope="module")
def url(people, folder):
    page, url = serve(people, "127.0.0.1")
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(url):
    client = Client(url, verbose=False, analytics_enabled=False)
    yield client
    client.close()


def valid(which: str, answer) -> None:
    """Does the answer keep what docs/api.md promises?"""
    schema = json.loads(re.search(rf"```json schema {which}\n(.*?)```", DOC, re.DOTALL)[1])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(answer)


def refused(client, *values, kind: str, said: str, **named) -> None:
    with pytest.raises(AppError, match=said) as caught:
        client.predict(*values, **named)
    assert caught.value.title == kind


def sound(tmp_path, samples, name: str = "voice.wav") -> dict:
    path = tmp_path / name
    path.write_bytes(wav(samples, SAMPLE_RATE))
    return handle_file(path)


# --- good sound -----------------------------------------------------------------------------------------------------


def test_a_voice_is_enrolled_listed_and_recognised(client, people, samples):
    assert client.view_api(return_format="dict")["named_endpoints"].keys() == {"/identify", "/enrol", "/speakers"}
    done = client.predict(
        handle_file(samples / "amina_enrol.opus"), "Amina", f" {texts.CONSENT.upper()}. ", api_name="/enrol"
    )
    valid("enrol", done)
    assert done["name"] == "Amina" and done["sessions"] == 1 and len(done["segments"]) >= 4
    assert people.store.get("Amina").segments == len(done["segments"])

    known = client.predict(api_name="/speakers")
    valid("speakers", known)
    assert {one["name"]: one["usable"] for one in known["speakers"]} == {"Amina": True, "Kofi": True}
    assert known["model"] == people.model_id

    found = client.predict(handle_file(samples / "conversation.opus"), api_name="/identify")
    valid("identify", found)
    assert found["source"] == "conversation.opus" and len(found["segments"]) == 8
    assert [one["both"]["name"] for one in found["segments"]][:2] == ["Amina", "Kofi"]
    part = client.predict(handle_file(samples / "conversation.opus"), start=5, end=10, api_name="/identify")
    assert [one["segment"] for one in part["segments"]] == [{"start": 5.0, "end": 10.0}]
    assert part["segments"][0]["both"]["name"] == "Kofi"

    # the same voice under another name is put in doubt; insisted on, it is enrolled
    again = handle_file(samples / "amina_enrol.opus"), "Zoë", texts.CONSENT
    refused(client, *again, api_name="/enrol", kind="VoiceInDoubt", said="enrolled already")
    assert client.predict(*again, sure=True, api_name="/enrol")["name"] == "Zoë"
    people.store.delete("Zoë")


def test_the_examples_of_the_documentation_run_as_they_stand(url, people, need_program):
    for name in ("Amina", "Zoë"):
        if name in {one.name for one in people.store.profiles()}:
            people.store.delete(name)
    python = re.search(r"```python\n(.*?)```", DOC, re.DOTALL)[1].replace("http://127.0.0.1:7860", url)
    done = subprocess.run([sys.executable, "-c", python], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "['Kofi', 'Amina']" and lines[1].startswith("0.0 Amina"), lines
    assert lines[-1].startswith("DecodeError - README.md is not audio that can be read")

    need_program("curl")
    shell = re.search(r"```sh\n(APP=.*?)```", DOC, re.DOTALL)[1].replace("http://127.0.0.1:7860", url)
    done = subprocess.run([need_program("bash"), "-ec", shell], cwd=ROOT, capture_output=True, text=True, timeout=100)
    event, data = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", done.stdout).groups()
    assert event == "complete", done
    valid("identify", json.loads(data)[0])
    assert json.loads(data)[0]["turns"][0]["name"] == "Amina"


# --- what is refused ------------------------------------------------------------------------------------------------


def test_bad_sound_is_refused_with_a_reason(client, people, samples, voice, tmp_path):
    before = people.store.revision()
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"ID3" + bytes(range(256)) * 20)
    refused(client, handle_file(broken), api_name="/identify", kind="DecodeError", said="broken.mp3 is not")
    (tmp_path / "nothing.wav").write_bytes(b"")
    refused(client, handle_file(tmp_path / "nothing.wav"), api_name="/identify", kind="DecodeError", said="0 bytes")
    whole = (samples / "kofi_test.opus").read_bytes()
    (tmp_path / "half.opus").write_bytes(whole[: len(whole) * 6 // 10])
    half = client.predict(handle_file(tmp_path / "half.opus"), api_name="/identify")
    valid("identify", half)
    assert len(half["notes"]) == 1 and "breaks off" in half["notes"][0] and half["turns"][0]["name"] == "Kofi"
    quiet = client.predict(sound(tmp_path, np.zeros(8 * SAMPLE_RATE, np.float32)), api_name="/identify")
    assert {one["both"]["name"] for one in quiet["segments"]} == {"not enough speech"}

    for samples_, said in (
        (voice("mei_test").samples, "s of speech"),
        (np.zeros(30 * SAMPLE_RATE), "no speech|0.0 s|only 0"),
    ):
        values = sound(tmp_path, samples_), "Mei", texts.CONSENT
        refused(client, *values, api_name="/enrol", kind="EnrolmentRefused", said=said)
    two = np.concatenate(
        [voice("mei_enrol").samples[: 15 * SAMPLE_RATE], voice("sven_enrol").samples[: 15 * SAMPLE_RATE]]
    )
    refused(
        client,
        sound(tmp_path, two),
        "Mei",
        texts.CONSENT,
        api_name="/enrol",
        kind="EnrolmentRefused",
        said="one voice|voices",
    )
    assert people.store.revision() == before


@pytest.mark.parametrize(
    "values, kind, said",
    [
        (("Mei", "yes"), "ConsentMissing", texts.CONSENT),
        (("Mei", True), "ConsentMissing", texts.CONSENT),
        (("Mei", ""), "ConsentMissing", texts.CONSENT),
        (("", texts.CONSENT), "SourceError", "name is missing"),
        ((7, texts.CONSENT), "SourceError", "name is missing"),
        (("=1+1", texts.CONSENT), "InvalidName", "the name begins with '='"),
        (("Kofi", texts.CONSENT), "DuplicateName", "is enrolled already"),
        (("Mei", texts.CONSENT, "yes"), "SourceError", "again must be true or false"),
        (("Nobody", texts.CONSENT, True), "UnknownSpeaker", "no one is called"),
    ],
)
def test_an_enrolment_that_does_not_say_all_stores_nothing(client, people, samples, values, kind, said):
    before = people.store.revision()
    refused(
        client, handle_file(samples / "mei_enrol.opus"), *values, api_name="/enrol", kind=kind, said=re.escape(said)
    )
    assert people.store.revision() == before


def test_impossible_ranges_are_refused(client, samples):
    clip = handle_file(samples / "amina_test.opus")
    for asked, said in (
        ({"start": -1}, "makes no sense"),
        ({"start": 5, "end": 5}, "give an end after the start"),
        ({"start": 4000}, "lies behind it"),
        ({"start": "1:00"}, "start must be a number"),
        ({"end": True}, "end must be a number"),
    ):
        refused(client, clip, **asked, api_name="/identify", kind="SourceError", said=said)


def test_nothing_is_opened_but_what_was_sent(url, folder, people, monkeypatch):
    """A path that the client never uploaded, an address, nothing; and the address is not even looked up."""
    from gradio import processing_utils

    async def fetched(*_):
        raise AssertionError("an address was fetched")

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetched)
    store = str(people.store.home / "speakers.db")
    lies = [
        "/etc/passwd",
        store,
        f"{folder}/../secret.wav",
        str(folder),
        "https://example.com/talk.mp3",
        "http://127.0.0.1/x",
    ]
    lies += [f"file://{store}", "", "a\0b", None, 7, {}, {"path": 3}]
    with Page(url) as page:
        names = {
            event["api_name"]: event for event in page.config["dependencies"] if event["api_visibility"] == "public"
        }
        assert names.keys() == {"identify", "enrol", "speakers"}
        for lie in lies:
            for given in (lie, file_data(lie)) if isinstance(lie, str) else (lie,):
                last = page.run(names["identify"], [given, 0, None])[-1]
                assert last["success"] is False and last["output"]["title"] == "SourceError", (given, last)
                valid("error", last["output"])
        few = page.run(names["identify"], [])[-1]
        assert "identify takes 3 values, 0 came" in few["output"]["error"]
    with pytest.raises(AppError, match="addresses and files of this computer are not opened"):
        Client(url, verbose=False, analytics_enabled=False).predict(
            handle_file("https://example.com/talk.mp3"), api_name="/identify"
        )


def test_the_page_itself_takes_no_address_either(url, monkeypatch):
    from gradio import processing_utils

    async def fetched(*_):
        raise AssertionError("an address was fetched")

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetched)
    with Page(url) as page:
        said = page.run(page.event("file-upload", "change"), [file_data("https://example.com/talk.mp3")])[-1]
    assert said["success"] is False and said["output"]["title"] == "SourceError"


def test_no_other_event_can_be_called_by_name(url):
    with Page(url) as page:
        names = {event["api_name"] for event in page.config["dependencies"]} - {"identify", "enrol", "speakers", None}
    assert len(names) > 10
    for name in (*names, "identify2", "v2/identify", "../identify"):
        for way in ("call", "run", "api"):
            assert ask(url, f"/gradio_api/{way}/{name}", "POST", body=b'{"data": []}').status == 404, (way, name)
    for way in ("run", "api"):
        assert ask(url, f"/gradio_api/{way}/speakers", "POST", body=b'{"data": []}').status == 404
    assert (
        ask(url, "/gradio_api/call/speakers", "POST", body=b'{"data": []}', Origin="http://evil.example").status == 403
    )


def test_an_answer_that_nobody_waits_for_is_a_sentence_and_no_stack_trace(url, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])  # it hands nothing on
    kind = {"Content_Type": "application/json"}
    asked = json.loads(ask(url, "/gradio_api/call/speakers", "POST", body=b'{"data": []}', **kind).body)["event_id"]
    first = ask(url, f"/gradio_api/call/speakers/{asked}")
    assert first.status == 200 and first.body.startswith(b"event: complete\n")
    answers = [f"call/{path}" for path in (f"speakers/{asked}", "identify/xyz", "enrol/xyz/", "identify/%00")]
    messages = [
        f"queue/data{path}"
        for path in ("?session_hash=xyz", "/?session_hash=xyz", "?session_hash=", "?a&session_hash=%ff")
    ]
    for path in (*answers, *messages):
        reply = ask(url, f"/gradio_api/{path}")
        assert reply.status == 404 and reply.headers["content-type"] == "application/json", path
        valid("error", json.loads(reply.body))
        assert json.loads(reply.body)["title"] == "UnknownEvent" and b"no answer waits under this id" in reply.body
    assert ask(url, "/gradio_api/queue/data").status == 422 and caplog.text == ""


def test_an_event_of_an_older_page_is_a_sentence_and_no_stack_trace(url, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])
    for number in (99999, -1):
        body = json.dumps({"data": [], "fn_index": number, "session_hash": "older"}).encode()
        reply = ask(url, "/gradio_api/queue/join", "POST", body=body, Content_Type="application/json")
        assert reply.status == 404 and "load the page again" in json.loads(reply.body)["detail"]
    assert caplog.text == ""


@pytest.mark.parametrize("told", [{"size": "large"}, {"orig_name": 5}, {"is_stream": []}], ids=str)
def test_a_file_that_is_described_wrongly_is_a_sentence(url, samples, capfd, told):
    with Page(url) as page:
        path = page.upload("described.opus", (samples / "kofi_test.opus").read_bytes())
    body = json.dumps({"data": [{**file_data(path), **told}, 0, None]}).encode()
    asked = ask(url, "/gradio_api/call/identify", "POST", body=body, Content_Type="application/json")
    with urlopen(f"{url}/gradio_api/call/identify/{json.loads(asked.body)['event_id']}") as answer:
        kind, said = answer.read().decode().split("\n")[:2]
    said = json.loads(said.removeprefix("data: "))
    assert kind == "event: error" and said["title"] == "SourceError", said
    assert "not described as docs/api.md has it" in said["error"]
    assert "Traceback" not in capfd.readouterr().err
    assert not os.path.exists(path)


def test_a_form_without_a_file_is_a_sentence(url, caplog, monkeypatch):
    """As curl sends it where the @ is forgotten."""
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])  # it hands nothing on
    form = b'--edge\r\nContent-Disposition: form-data; name="files"\r\n\r\nvoice.wav\r\n--edge--\r\n'
    kind = {"Content_Type": "multipart/form-data; boundary=edge"}
    reply = ask(url, "/gradio_api/upload", "POST", body=form, **kind)
    assert reply.status == 400 and b"no file was sent" in reply.body, reply
    assert caplog.text == ""


def test_a_mistake_of_ours_is_said_without_a_stack_trace(client, samples, people, monkeypatch, caplog):
    monkeypatch.setattr(people, "identify", lambda blocks: 1 / 0)
    clip = handle_file(samples / "amina_test.opus")
    refused(client, clip, api_name="/identify", kind="InternalError", said="went wrong inside the program")
    assert "ZeroDivisionError" in caplog.text


# --- what stays, and who may ------------------------------------------------------------------------------------------


def test_what_was_sent_is_deleted_after_the_last_answer(url, folder, samples, monkeypatch):
    monkeypatch.setattr(api, "GRACE_SECONDS", 0.3)
    with Page(url) as page:
        path = page.upload("of-this-test.opus", (samples / "amina_test.opus").read_bytes())
        event = next(one for one in page.config["dependencies"] if one["api_name"] == "identify")
        assert page.run(event, [path, 0, None])[-1]["success"]
        with api._taken(path):  # somebody else is still working with the same sound
            assert page.run(event, [path, 0, None])[-1]["success"]
            time.sleep(0.6)
            assert os.path.exists(path)
        deadline = time.monotonic() + 30
        while os.path.exists(path):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_with_a_password_only_who_knows_it_is_answered(people, folder, samples, monkeypatch):
    monkeypatch.setattr("demo.doorkeeper.WRONG_PASSWORD_SECONDS", 0.1)
    page, url = serve(people, "0.0.0.0", PASSWORD)
    try:
        for name in ("speakers", "identify"):
            assert ask(url, f"/gradio_api/call/{name}", "POST", body=b'{"data": []}').status == 401
        assert ask(url, "/gradio_api/info").status == 401
        for nobody in (None, ("me", "wrong password")):
            with pytest.raises(Exception, match="(?i)login|auth|credentials|401"):
                Client(url, auth=nobody, verbose=False, analytics_enabled=False)
        client = Client(url, auth=("me", PASSWORD), verbose=False, analytics_enabled=False)
        assert "Kofi" in {one["name"] for one in client.predict(api_name="/speakers")["speakers"]}
        found = client.predict(handle_file(samples / "kofi_test.opus"), api_name="/identify")
        assert found["turns"][0]["name"] == "Kofi"
        client.close()
    finally:
        page.close(verbose=False)


def test_every_public_event_of_the_page_is_documented(people):
    page = build(people)
    public = {one["api_name"] for one in page.config["dependencies"] if one["api_visibility"] == "public"}
    assert public == set(re.findall(r"^\| `/(\w+)` \|", DOC, re.MULTILINE))


@pytest.mark.parametrize("values", [["ten", None], []], ids=["no time", "too few values"])
def test_what_was_sent_with_a_refused_request_is_deleted_too(url, folder, samples, monkeypatch, values):
    monkeypatch.setattr(api, "GRACE_SECONDS", 0.2)
    with Page(url) as page:
        path = page.upload("refused.opus", (samples / "kofi_test.opus").read_bytes())
        event = next(one for one in page.config["dependencies"] if one["api_name"] == "identify")
        *_, last = page.run(event, [file_data(path), *values])
    assert not last["success"]
    deadline = time.monotonic() + 30
    while os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(path)
