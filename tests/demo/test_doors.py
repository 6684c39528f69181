"""The running server: nothing outside its folder is served, other sites stay out, others need a password."""

import http.client
import socket
from contextlib import closing
from urllib.parse import quote, urlsplit

import pytest

from core.errors import SpeakerError
from demo import app, doorkeeper
from demo.app import build
from demo.doorkeeper import is_loopback, password_for
from tests.conftest import ROOT, free_port
from tests.core.media_server import MediaServer
from tests.demo.browserless import Page, ask, file_data

SECRET = b"the secret that lies outside, 4711"
LEAKS = (SECRET, b"SQLite format 3", b"root:x:0:0", b"[tool.ruff]", b'who-is-speaking"\nversion')


def serve(recognizer, host: str, password: str | None = None):
    page = build(recognizer)
    port = free_port()
    url = app._serve(page, recognizer, host=host, port=port, open_browser=False, password=password)
    return page, f"http://127.0.0.1:{urlsplit(url).port}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The private folder of the server; a secret lies beside it."""
    folder = tmp_path_factory.mktemp("server") / "private"
    folder.mkdir()
    (folder.parent / "outside.txt").write_bytes(SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def server(recognizer, folder):
    page, url = serve(recognizer, "127.0.0.1")
    yield page, url
    page.close(verbose=False)


def attempts(folder, home) -> list[str]:
    """Ways to write a path that lies outside."""
    outside, up = str(folder.parent / "outside.txt"), "../" * 12
    absolute = [outside, str(home / "speakers.db"), "/etc/passwd", str(ROOT / "pyproject.toml"), "pyproject.toml"]
    relative = [f"{folder}/../outside.txt", "../outside.txt", *(up + path.lstrip("/") for path in absolute)]
    plain = [*absolute, *relative, *(f"file://{path}" for path in absolute), f"/{outside}", f"{outside}\0.wav"]
    windows = [path.replace("/", "\\") for path in relative]
    doubled = [quote(quote(path, safe=""), safe="") for path in (*absolute, *relative[:3])]
    return [quote(path, safe="/:") for path in plain + windows] + [quote(p, safe="") for p in relative] + doubled


def paths_of(page) -> list[tuple[str, str]]:
    """(path with its parameters, method) of every route of the running app."""
    found = []

    def walk(routes):
        for route in routes:
            if inner := getattr(route, "original_router", None):  # Gradio's own routes, which know their whole path
                walk(inner.routes)
            elif getattr(route, "path", ""):
                found.extend((route.path, method) for method in getattr(route, "methods", None) or {"GET"})

    walk(page.app.routes)
    return sorted(set(found))


def test_no_route_serves_what_lies_outside(server, folder, recognizer):
    page, url = server
    routes = paths_of(page)
    assert len(routes) > 60 and ("/gradio_api/file={path_or_url:path}", "GET") in routes
    tried = 0
    for path, method in routes:
        if "{" not in path or "heartbeat" in path or "queue/data" in path:
            continue
        every = attempts(folder, recognizer.store.home)
        for attempt in every if ":path" in path or "name" in path else every[::6]:
            filled = doorkeeper.re.sub(r"\{[^}]+\}", lambda _, a=attempt: a, path)
            reply = ask(url, filled, method, body=b"{}" if method == "POST" else None)
            tried += 1
            assert not [leak for leak in LEAKS if leak in reply.body], (method, filled)
    assert tried > 300
    inside = folder / "inside.wav"
    inside.write_bytes(b"this one may be fetched")
    assert ask(url, f"/gradio_api/file={inside}").body == b"this one may be fetched"  # the same way in works


def test_no_event_takes_a_file_from_outside_or_fetches_an_address(server, folder, recognizer):
    """The browser says which file it sent: it may not say another one, nor an address to fetch."""
    _, url = server
    elsewhere = MediaServer()
    outside = str(folder.parent / "outside.txt")
    lies = [
        file_data(outside),
        file_data(str(recognizer.store.home / "speakers.db")),
        file_data("voice.wav", url=elsewhere.url("voice.wav")),
        file_data(elsewhere.url("voice.wav")),
        file_data(f"{folder}/../outside.txt", url=f"file://{outside}"),
    ]
    tried = 0
    with Page(url) as page:
        kinds = {one["id"]: one["type"] for one in page.config["components"]}
        for event in page.config["dependencies"]:
            places = [i for i, number in enumerate(event["inputs"]) if kinds[number] in ("file", "audio")]
            if not places or "stream" in str(event["targets"]):
                continue
            for lie in lies:
                data = [lie if index in places else None for index in range(len(event["inputs"]))]
                said = str(page.run(event, data)).encode()
                tried += 1
                assert not [leak for leak in LEAKS if leak in said]
    assert tried >= 15 and elsewhere.asked == []
    elsewhere.close()
    kept = [path for path in folder.rglob("*") if path.is_file() and any(leak in path.read_bytes() for leak in LEAKS)]
    assert kept == []


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, 200),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),  # a link to the app on another page
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"}, 403),  # another port of this computer
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "evil.example:7860"}, 403),  # a name that was pointed at 127.0.0.1
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:7860"}, 200),
        ({"Host": ""}, 403),
    ],
)
def test_other_sites_are_kept_out(server, headers, status):
    _, url = server
    assert ask(url, "/config", **headers).status == status
    own = urlsplit(url).netloc
    assert ask(url, "/config", Origin=f"http://{own}", Sec_Fetch_Site="same-origin").status == 200


def test_a_hostile_page_can_neither_upload_nor_start_anything(server, folder):
    _, url = server
    before = sorted(folder.rglob("*"))
    for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel"):
        reply = ask(url, path, "POST", body=b"{}", Origin="https://evil.example", Content_Type="text/plain")
        assert reply.status == 403 and "access-control-allow-origin" not in reply.headers
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "path",
    [
        "vibe-edit",
        "vibe-code",
        "process_recording",
        "proxy=http://x/",
        "file=http://127.0.0.1/",
        "openapi.json",
        "call/v2/speakers",
    ],
)
def test_doors_the_app_does_not_use_are_walled_up(server, path):
    for method in ("GET", "POST"):
        assert ask(server[1], f"/gradio_api/{path}", method, body=b"{}").status == 404


def test_the_page_may_load_from_nowhere_else_and_is_not_framed(server):
    headers = ask(server[1], "/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy
    assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"


# --- other computers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host, local",
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("0.0.0.0", False), ("", False), ("::", False)],
)
def test_what_only_this_computer_reaches(host, local):
    assert is_loopback(host) is local


def test_other_computers_need_a_password(monkeypatch, home):
    monkeypatch.delenv("SPEAKERS_PASSWORD", raising=False)
    assert password_for("127.0.0.1") is None
    for given in (None, "", "too short"):
        if given is not None:
            monkeypatch.setenv("SPEAKERS_PASSWORD", given)
        with pytest.raises(SpeakerError, match="at least 10 characters in SPEAKERS_PASSWORD, or leave out --host"):
            password_for("0.0.0.0")
    monkeypatch.setenv("SPEAKERS_PASSWORD", "long enough to keep")
    assert password_for("0.0.0.0") == "long enough to keep"
    monkeypatch.delenv("SPEAKERS_PASSWORD")
    assert password_for("0.0.0.0", ask=lambda question: "typed by hand " + question[:4]) == "typed by hand Pass"
    with pytest.raises(SpeakerError, match="other computers can reach"):
        app.launch(home=home, host="0.0.0.0", open_browser=False)


def test_without_the_password_nothing_is_told(recognizer, folder, monkeypatch):
    monkeypatch.setattr(doorkeeper, "WRONG_PASSWORD_SECONDS", 0.2)
    page, url = serve(recognizer, "0.0.0.0", "correct horse battery")
    try:
        uploaded = folder / "of-somebody-else.wav"
        uploaded.write_bytes(SECRET)
        for path, method in paths_of(page):
            path = doorkeeper.re.sub(r"\{path_or_url:path\}|\{path:path\}", uploaded.as_posix(), path)
            if "heartbeat" in path or "startup-events" in path:
                continue
            reply = ask(
                url, doorkeeper.re.sub(r"\{[^}]+\}", "x", path), method, body=b"{}" if method == "POST" else None
            )
            assert not [word for word in (SECRET, b"Amina", b"Kofi", b'"dependencies":[{') if word in reply.body], path
        assert (
            ask(url, "/config").status == 401 and ask(url, "/gradio_api/queue/join", "POST", body=b"{}").status == 401
        )
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        for wrong in ("", "correct horse", "correct horse battery "):
            reply = ask(url, "/login", "POST", body=f"username=me&password={quote(wrong)}".encode(), **form)
            assert reply.status in (400, 422) and "set-cookie" not in reply.headers
        reply = ask(
            url, "/login", "POST", body=f"username=me&password={quote('correct horse battery')}".encode(), **form
        )
        assert reply.status == 200
        cookies = "; ".join(c.split(";")[0] for c in reply.headers["set-cookie"].split(", ") if "access-token" in c)
        assert ask(url, "/config", Cookie=cookies).status == 200
        assert (
            ask(url, "/config", Host="computer.example", Cookie=cookies).status == 200
        )  # under any name, with the word
    finally:
        page.close(verbose=False)


@pytest.mark.parametrize("headers", [{"Content-Length": "8000001"}, {"Transfer-Encoding": "chunked"}])
def test_a_request_that_is_too_large_is_refused_before_it_is_read(server, headers):
    url = urlsplit(server[1])
    with closing(http.client.HTTPConnection(url.hostname, url.port, timeout=30)) as line:
        line.putrequest("POST", "/gradio_api/queue/join")
        for name, value in headers.items():
            line.putheader(name, value)
        line.endheaders()  # and nothing more: whoever waited for it would wait for ever
        assert line.getresponse().status == 413


@pytest.mark.parametrize("host, shown", [("127.1", "127.1"), ("::1", "[::1]")])
def test_any_name_of_this_computer_will_do(recognizer, folder, host, shown):
    """127.1 stands for a name of its own: no loopback address as it is written, but it leads to one."""
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this computer has no IPv6")
    page, port = build(recognizer), free_port()
    try:
        url = app._serve(page, recognizer, host=host, port=port, open_browser=False, password=None)
        assert url == f"http://{shown}:{port}/" and ask(url, "/config").status == 200
        assert ask(url, "/config", Host="evil.example").status == 403
    finally:
        page.close(verbose=False)


@pytest.mark.parametrize("port", [None, 7999])
def test_a_host_that_is_not_this_computer_is_one_sentence(home, port):
    with pytest.raises(
        SpeakerError, match=r"cannot be reached as 192.0.2.1 \(.*address.*\): give another --host"
    ) as caught:
        app.launch(home=home, host="192.0.2.1", port=port, open_browser=False, password="correct horse battery")
    assert "\n" not in str(caught.value)


def test_the_default_is_this_computer_only(server):
    port = urlsplit(server[1]).port
    addresses = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in {address for address in addresses if not address.startswith("127.")}:
        with socket.socket() as probe:
            probe.settimeout(5)
            assert probe.connect_ex((address, port)) != 0
