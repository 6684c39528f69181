"""Time of every stage from a microphone's 5 s to two answers, on this machine; medians over repeats.

    python scripts/benchmark.py [--repeats 15] [--json OUT.json]

The sound is 5 s of demo/samples brought to 48 kHz; the heads are those of the five example voices. Machines differ, so
every stage is also given as a multiple of a floor measured in the same run: one NumPy FFT of each 25 ms frame, every
10 ms, of the same 5 s. With librosa (`.[train]`) the way of the original experiment, 26 features by separate calls, is
timed beside it. Imports are timed in new processes. It judges nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, decode, resample, stream
from core.recognizer import Recognizer
from core.segments import prepare, prepare_judged
from core.spectral import feature_row
from core.spectrogram import spectrogram_image

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "demo" / "samples"
VOICES = ("amina", "jo", "kofi", "mei", "sven")
MICROPHONE_RATE = 48_000  # Hz
FRAME, HOP = 400, 160  # samples at 16 kHz: 25 ms, 10 ms
FLOOR = "numpy FFT floor"
IMPORTS = {
    "import core.recognizer": "import core.recognizer",
    "recognizer ready to answer": "from core.recognizer import Recognizer; Recognizer()",
    "import the app": "import demo.app",
}


def milliseconds(work: Callable[[], object], *, repeats: int) -> float:
    """Median time of `work` after one call that warms up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000.0 * float(np.median(times))


def stages(recognizer: Recognizer, sound: Audio) -> dict[str, Callable[[], object]]:
    """What happens to one segment, in order; `sound`: 5 s at 48 kHz."""
    heard = resample(sound)
    samples = prepare(heard)
    if samples is None:
        raise SystemExit("the sample holds too little speech: make it again with `make samples`")
    image, row = spectrogram_image(samples), feature_row(samples)
    embedder = recognizer.embedder
    made = embedder.embed([samples])
    heads = recognizer.heads()
    return {
        "resample 48 -> 16 kHz": lambda: resample(sound),
        "speech activity, quality, prepare": lambda: prepare_judged(heard),
        "image": lambda: spectrogram_image(samples),
        "features": lambda: feature_row(samples),
        "CNN": lambda: embedder.embed_images(image[None]),
        "ANN": lambda: embedder.embed_rows(row[None]),
        "heads of five people": lambda: heads.decide(made),
        "all: 48 kHz to three answers": lambda: recognizer.judge(resample(sound)),
    }


def baselines(sound: Audio) -> dict[str, Callable[[], object]]:
    """What the stages are compared with; `sound`: the same 5 s at 16 kHz."""
    frames = np.lib.stride_tricks.sliding_window_view(sound.samples, FRAME)[::HOP]
    window = np.hanning(FRAME).astype(np.float32)
    found: dict[str, Callable[[], object]] = {FLOOR: lambda: np.fft.rfft(frames * window, 512, axis=1)}
    if importlib.util.find_spec("librosa"):
        found["26 features by librosa calls"] = lambda: classic_by_librosa(sound)
    return found


def classic_by_librosa(sound: Audio) -> list[float]:
    """The original experiment's 26 columns, each feature by its own call."""
    import librosa

    y, sr = sound.samples, sound.rate
    return [
        float(values.mean())
        for values in (
            librosa.feature.chroma_stft(y=y, sr=sr),
            librosa.feature.rms(y=y),
            librosa.feature.spectral_centroid(y=y, sr=sr),
            librosa.feature.spectral_bandwidth(y=y, sr=sr),
            librosa.feature.spectral_rolloff(y=y, sr=sr),
            librosa.feature.zero_crossing_rate(y),
            *librosa.feature.mfcc(y=y, sr=sr),
        )
    ]


def import_seconds(statement: str, home: str) -> float | None:
    """Seconds of a new Python that runs `statement`; the better of two runs, None when it fails."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", statement],
            cwd=ROOT,
            env=os.environ | {"SPEAKERS_HOME": home, "GRADIO_ANALYTICS_ENABLED": "False"},
            capture_output=True,
        )
        if done.returncode:
            return None
        times.append(time.perf_counter() - began)
    return min(times)


def measure(repeats: int) -> dict:
    """Everything, as it goes to the JSON: milliseconds, multiples of the floor, seconds of import."""
    sound = resample(decode(SAMPLES / "conversation.opus").between(5.0, 5.0 + SEGMENT_SECONDS), MICROPHONE_RATE)
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        recognizer = Recognizer(home)
        for voice in VOICES:
            recognizer.enrol(voice, stream(SAMPLES / f"{voice}_enrol.opus"), consent=True, sure=True)
        times = {
            name: milliseconds(work, repeats=repeats)
            for name, work in (stages(recognizer, sound) | baselines(resample(sound))).items()
        }
        times["refit of the heads, five people"] = milliseconds(lambda: refit(recognizer), repeats=repeats)
        imports = {name: import_seconds(statement, home) for name, statement in IMPORTS.items()}
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "model": recognizer.model_id,
        "repeats": repeats,
        "milliseconds": times,
        "floors": {name: value / times[FLOOR] for name, value in times.items()},
        "import_seconds": imports,
    }


def refit(recognizer: Recognizer) -> object:
    """What an enrolment makes necessary."""
    from core.embedder import Embeddings
    from core.heads import Calibration, Heads

    people = recognizer.store.embeddings(recognizer.model_id)
    return Heads(
        [person.profile.name for person in people],
        [Embeddings(person.cnn, person.ann) for person in people],
        recognizer.embedder.cohort,
        Calibration(**recognizer.embedder.calibration),
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, metavar="N", help="timed calls of a stage (default 15)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results")
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error("--repeats needs at least 1")
    results = measure(args.repeats)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"{results['machine']}; one segment of {SEGMENT_SECONDS:g} s, median of {args.repeats}")
    print(f"{'stage':36s} {'ms':>8s} {'floors':>8s}")
    for name, value in results["milliseconds"].items():
        print(f"{name:36s} {value:8.2f} {results['floors'][name]:8.1f}")
    for name, value in results["import_seconds"].items():
        print(f"{name:36s} " + ("  failed" if value is None else f"{value:6.2f} s"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
