"""How long after a second was spoken does the screen show it? Through a real browser, for the README's claim.

Chromium's fake microphone plays an example voice into the running app. A slice of sound is complete when the page makes
a file of it; the screen is new when the live view shows a later time. Both are read off the browser's own clock.

    python scripts/benchmark_latency.py [--seconds 40]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.errors import SpeakerError
from core.packages import need

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FAKE_RATE = 48_000  # Hz: what chromium's fake microphone reads
START_SECONDS = 240  # s for the app, or a click, on a busy machine
WARM = 3  # first updates not counted: the queue opens, filters are made
WATCH = """
window.slices = []; window.screens = [];
window.File = new Proxy(window.File, {
  construct(target, [parts, name, options]) {
    if (name.startsWith("audio")) window.slices.push(performance.now());
    return new target(parts, name, options);
  },
});
window.addEventListener("load", () => {
  let last = "";
  new MutationObserver(() => {
    const live = document.querySelector("#live-screen .live");
    if (!live || live.dataset.at === last) return;
    last = live.dataset.at;
    requestAnimationFrame(() => window.screens.push([performance.now(), Number(live.dataset.at)]));
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-at"] });
});
"""


def main() -> int:
    """Print median, 90 % and worst latency in ms; exit code 1 where nothing could be measured, 2 where a package
    is missing."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seconds", type=int, default=40, help="how long to listen (%(default)s)")
    options.add_argument("--port", type=int, default=7869)
    chosen = options.parse_args()
    try:
        need("playwright")
    except SpeakerError as error:
        print(f"benchmark_latency: {error}", file=sys.stderr)
        return 2
    browser = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if browser is None:
        print("chromium is not installed: sudo apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "people"
        sound = _prepare(home, Path(folder))
        app = subprocess.Popen(
            [sys.executable, "-m", "demo", "--no-browser", "--port", str(chosen.port), "--home", str(home)], cwd=ROOT
        )
        try:
            address = f"http://127.0.0.1:{chosen.port}/"
            _wait_for(address)
            slices, screens = _listen(browser, address, sound, chosen.seconds)
        finally:
            app.send_signal(signal.SIGTERM)
            app.wait(timeout=60)
    return _report(slices, screens)


def _prepare(home: Path, folder: Path) -> Path:
    """Two people enrolled, and the file that the fake microphone plays."""
    import soundfile

    from core.audio import decode, resample, stream
    from core.recognizer import Recognizer

    recognizer = Recognizer(home)
    for name in ("amina", "kofi"):
        recognizer.enrol(name, stream(ROOT / "demo" / "samples" / f"{name}_enrol.opus"), consent=True, sure=True)
    voice = resample(decode(ROOT / "demo" / "samples" / "kofi_test.opus"), FAKE_RATE)
    path = folder / "microphone.wav"
    soundfile.write(path, voice.samples, FAKE_RATE, subtype="PCM_16")
    return path


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def _listen(browser: str, address: str, sound: Path, seconds: int) -> tuple[list[float], list[tuple[float, float]]]:
    """Times in ms at which slices were complete, and (time in ms, seconds shown) of every new screen."""
    from playwright.sync_api import sync_playwright

    arguments = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}",
        "--no-sandbox",
        "--disable-dev-shm-usage",
    ]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=arguments)
        page = opened.new_context(permissions=["microphone"]).new_page()
        page.set_default_timeout(START_SECONDS * 1000)
        page.add_init_script(WATCH)
        page.goto(address)
        page.locator("#live-microphone button", has_text="Record").click()
        page.wait_for_timeout(seconds * 1000)
        found = page.evaluate("[window.slices, window.screens]")
        opened.close()
    return found


def _report(slices: list[float], screens: list[tuple[float, float]]) -> int:
    """A screen answers the newest slice that was complete before it and not answered yet."""
    latencies, used = [], screens[WARM - 1][0] if len(screens) >= WARM else 0.0
    for shown, _ in screens[WARM:]:
        answered = [one for one in slices if used < one < shown]
        if answered:
            used = answered[-1] if len(answered) == 1 else answered[0]
            latencies.append(shown - used)
            used = answered[-1]
    if len(latencies) < 5:
        print(f"only {len(latencies)} screens in {len(slices)} slices: is the machine busy?", file=sys.stderr)
        return 1
    ordered = sorted(latencies)
    print("from the end of a spoken second to the updated screen, through the browser:")
    print(
        f"  median {statistics.median(ordered):.0f} ms, 90 % within {ordered[int(0.9 * len(ordered))]:.0f} ms, ", end=""
    )
    print(f"worst {ordered[-1]:.0f} ms ({len(ordered)} screens of {len(slices)} slices)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
