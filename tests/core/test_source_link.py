"""Reading links: which video, from which second, or why it is refused; and wording what yt-dlp complains about."""

import pytest

from core.errors import LinkError
from core.sources.link import Link, parse_link
from core.sources.link_trouble import TROUBLES, explain

ID = "dQw4w9WgXcQ"
WATCH = f"https://www.youtube.com/watch?v={ID}"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (WATCH, None),
        (f"  {WATCH}\n", None),
        (f"youtube.com/watch?v={ID}", None),
        (f"//www.youtube.com/watch?v={ID}", None),
        (f"HTTP://WWW.YouTube.COM:443/watch?v={ID}", None),
        (f"https://m.youtube.com/watch?app=desktop&v={ID}&t=1m30s", 90),
        (f"https://music.youtube.com/watch?v={ID}&list=RDAMVM{ID}", None),
        (f"{WATCH}&list=PL1234567890&index=4&t=75", 75),
        (f"{WATCH}&t=1h2m3s", 3723),
        (f"{WATCH}&t=2m", 120),
        (f"{WATCH}#t=45s", 45),
        (f"{WATCH}&t=1:02:03", 3723),
        (f"{WATCH}&t=soon", None),
        (f"youtu.be/{ID}?si=abc&t=12", 12),
        (f"https://www.youtube.com/shorts/{ID}?feature=share", None),
        (f"https://www.youtube.com/embed/{ID}?start=30&end=60", 30),
        (f"https://www.youtube-nocookie.com/embed/{ID}", None),
        (f"https://www.youtube.com/live/{ID}?t=0", 0),
        (f"https://www.youtube.com/v/{ID}", None),
    ],
)
def test_a_link_to_a_video(text, start):
    assert parse_link(text) == Link(WATCH, ID, start)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no link"),
        (None, "no link"),
        ("hello", "no link"),
        ("hello there", "no link"),
        (f"{WATCH}\nevil", "no link"),
        ("https://" + "x" * 5000, "no link"),
        ("https://[::1", "no link"),
        ("https://youtube.com:99999/watch", "no link"),
        ("https://example.org/talk.mp3", "example.org is not YouTube"),
        ("https://youtube.com.evil.org/watch?v=" + ID, "youtube.com.evil.org is not YouTube"),
        ("https://notyoutube.com/watch?v=" + ID, "not YouTube"),
        (f"https://user:secret@www.youtube.com/watch?v={ID}", "user name or password"),
        ("https://www.youtube.com@127.0.0.1/", "user name or password"),
        ("https://www.youtube.com/playlist?list=PL1234567890", "playlist"),
        ("https://www.youtube.com/watch?list=PL1234567890", "playlist"),
        ("https://www.youtube.com/embed/videoseries?list=PL1234567890", "playlist"),
        ("https://www.youtube.com/@someone/videos", "channel"),
        ("https://www.youtube.com/results?search_query=x", "channel or a search"),
        ("https://www.youtube.com/", "names no video"),
        ("https://youtu.be/", "11 characters"),
        ("https://www.youtube.com/watch?v=dQw4w9W", "11 characters"),
        (WATCH + "x", "11 characters"),
        ("file:///etc/passwd", "file: links"),
        ("ftp://www.youtube.com/x", "ftp: links"),
        ("javascript:alert(1)", "javascript: links"),
        ("http://localhost:8080/x.wav", "private network"),
        ("127.0.0.1:8080/x.wav", "private network"),
        ("http://192.168.1.1/x", "private network"),
        ("http://169.254.169.254/latest/meta-data", "private network"),
        ("http://[::1]/x", "private network"),
        ("http://[::ffff:10.0.0.1]/x", "private network"),
        ("http://2130706433/x", "private network"),
        ("http://127.1/x", "private network"),
        ("http://0x7f.0.0.1/x", "private network"),
        ("http://printer.local/x", "private network"),
    ],
)
def test_a_link_that_is_refused(text, says, monkeypatch):
    monkeypatch.delenv("SPEAKERS_ALLOW_HOSTS", raising=False)
    with pytest.raises(LinkError, match=says) as caught:
        parse_link(text)
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "text", "allowed"),
    [
        ("127.0.0.1:1234", "http://127.0.0.1:1234/a.wav", True),
        ("127.0.0.1:1234", "http://127.0.0.1:1235/a.wav", False),
        ("127.0.0.1:1234", "http://127.0.0.1/a.wav", False),
        ("127.0.0.1:1234", "http://127.0.0.1.nip.io:1234/a.wav", False),
        (" a.example , Media.Example.org ", "https://media.example.org/a.wav", True),
        ("media.example.org", "http://media.example.org:8080/a.wav", False),
        ("media.example.org", "https://evil.media.example.org/a.wav", False),
        ("media.example.org", "file://media.example.org/a.wav", False),
        ("*", "https://example.org/a.wav", False),
    ],
)
def test_hosts_that_a_setting_allows(setting, text, allowed, monkeypatch):
    monkeypatch.setenv("SPEAKERS_ALLOW_HOSTS", setting)
    if allowed:
        assert parse_link(text) == Link(text, None, None)
    else:
        with pytest.raises(LinkError):
            parse_link(text)


HINT = "Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ"
WORDINGS = [  # as YouTube and yt-dlp word them
    (f"Sign in to confirm you’re not a bot. {HINT}", "no bot is asking"),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback", "captcha"),
    ("This content isn't available, try again later. The current session has been rate-limited", "too often"),
    ("Unable to download API page: HTTP Error 429: Too Many Requests", "too often"),
    (f"Private video. Sign in if you've been granted access to this video. {HINT}", "private"),
    (f"Sign in to confirm your age. This video may be inappropriate for some users. {HINT}", "age-restricted"),
    ("Join this channel to get access to members-only content like this video, and other exclusive perks.", "members"),
    ("This video is available to this channel's members on level: Fan (or any higher level).", "members"),
    ("This video requires payment to watch", "paid for"),
    ("This live event will begin in 5 hours.", "live stream or has not begun"),
    ("Premieres in 2 days", "live stream or has not begun"),
    ("Offline.", "live stream or has not begun"),
    ("The channel is not currently live", "live stream or has not begun"),
    ("The uploader has not made this video available in your country", "country"),
    ("Video unavailable. It contains content from SME, blocked in your country on copyright grounds", "country"),
    ("Video unavailable. This video has been removed by the uploader", "removed"),
    ("Video unavailable", "removed"),
    ("This video is no longer available because the account associated with it has been terminated.", "removed"),
    ("This video is DRM protected", "DRM"),
    ("Unsupported URL: https://example.org/", "no sound or video behind"),
    ("No suitable extractor (youtube.*) found for URL https://example.org/", "no sound or video behind"),
    ("Incomplete YouTube ID abc. URL https://youtu.be/abc looks truncated.", "not complete"),
    ("Unable to download webpage: [Errno -3] Temporary failure in name resolution", "cannot be reached"),
    ("Unable to download webpage: [Errno 111] Connection refused", "cannot be reached"),
    ("Unable to download webpage: The read operation timed out", "broke off"),
    ("20000 bytes read, 940440 more expected. Giving up after 3 retries", "broke off"),
    ("unable to download video data: HTTP Error 403: Forbidden", "pip install --upgrade"),
    ("Requested format is not available. Use --list-formats for a list of available formats", "pip install --upgrade"),
    ("Failed to extract any player response; please report this issue on", "pip install --upgrade"),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "certificate"),
    ("unable to write data: [Errno 28] No space left on device", "disk is full"),
]


@pytest.mark.parametrize(("wording", "says"), WORDINGS)
def test_explain(wording, says):
    from yt_dlp.utils import DownloadError, ExtractorError

    inner = ExtractorError(wording, expected=True, video_id=ID, ie="youtube")
    outer = DownloadError(f"ERROR: {inner}", (ExtractorError, inner, None))
    sentence = explain(outer)
    assert says in sentence
    assert sentence == explain(wording)
    assert "\n" not in sentence and sentence[0].islower() or sentence.startswith("YouTube")


def test_every_row_of_the_table_is_reached():
    unreached = {sentence for _, sentence in TROUBLES} - {explain(wording) for wording, _ in WORDINGS}
    also = {
        explain(wording)
        for wording in (
            "leads to another host that is not allowed: http://x",
            "No supported JavaScript runtime could be found.",
            "HTTP Error 503: Service Unavailable",
        )
    }
    assert unreached == also


def test_a_missing_javascript_runtime_is_the_reason_given():
    said = "No supported JavaScript runtime could be found. Only deno is enabled by default"
    assert "pip install deno" in explain("Requested format is not available", warnings=["other", said])
    assert "private" in explain("Private video", warnings=[said])


def test_geo_errors_of_yt_dlp_itself():
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

    assert "country" in explain(GeoRestrictedError("This video is not available from your location"))
    assert "no sound" in explain(UnsupportedError("https://example.org"))
    assert "live" in explain(UserNotLive())


def test_an_unknown_trouble_is_shown_short_and_plain():
    sentence = explain(f"ERROR: [youtube] {ID}: Something new\n happened " + "x" * 500)
    assert "(Something new happened xxx" in sentence and "pip install --upgrade" in sentence
    assert len(sentence) < 330 and "\n" not in sentence
