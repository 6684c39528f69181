"""How fast, how light: one segment stage by stage beside its floor, peers, an hour of sound, people, the app's start.

    python scripts/benchmark.py [--only segment peers ...] [--repeats 15] [--minutes 60] [--json OUT.json] [--record]

Machines differ and are shared, so every claim is a ratio within one run: times are medians of interleaved repeats, by
the clock and in processor time (which other programs hardly change); floors are operations and bytes over what this
machine was measured to do in the same run (`core.ceilings`). `--record` adds the ratios of the stages to
benchmarks/history.jsonl; tests/scripts/test_benchmark.py fails when one of them has grown by half since.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, concatenate, decode, resample, stream, to_flac
from core.ceilings import RATE_IN, convolution_operations, measure_ceilings, needs
from core.embedder import PRETRAINED
from core.errors import SpeakerError
from core.pace import interleaved, lasting
from core.packages import need
from core.recognizer import Recognizer
from core.segments import prepare, prepare_judged
from core.spectral import feature_row
from core.spectrogram import spectrogram_image
from scripts.benchmark_networks import measure_networks
from scripts.benchmark_people import measure_people
from scripts.benchmark_start import measure_start
from scripts.benchmark_training import measure_training

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "demo" / "samples"
HISTORY = ROOT / "benchmarks" / "history.jsonl"
ALLOWED = 1.5  # times what is recorded, on an idle machine
VOICES = ("amina", "jo", "kofi", "mei", "sven")
FRAME, HOP = 400, 160  # samples at 16 kHz: 25 ms, 10 ms
UNIX_ONLY = ("batch", "start")  # sections that ask `resource` for memory and processor time
YARDSTICK = "yardstick"


@contextmanager
def five_people() -> Iterator[Recognizer]:
    """The example voices enrolled, in a folder of their own."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        recognizer = Recognizer(home)
        for voice in VOICES:
            recognizer.enrol(voice, stream(SAMPLES / f"{voice}_enrol.opus"), consent=True, sure=True)
        yield recognizer


def microphone_sound() -> Audio:
    """5 s of speech as a microphone gives it."""
    return resample(decode(SAMPLES / "conversation.opus").between(5.0, 5.0 + SEGMENT_SECONDS), RATE_IN)


def stages(recognizer: Recognizer, sound: Audio) -> dict[str, Callable[[], object]]:
    """What happens to one segment, in order, by the names of `core.ceilings.needs`; `sound`: 5 s at 48 kHz."""
    heard = resample(sound)
    samples = prepare(heard)
    if samples is None:
        raise SystemExit("the sample holds too little speech: make it again with `make samples`")
    image, row = spectrogram_image(samples), feature_row(samples)
    embedder, heads = recognizer.embedder, recognizer.heads()
    made = embedder.embed([samples])
    return {
        "resample": lambda: resample(sound),
        "activity": lambda: prepare_judged(heard),
        "image": lambda: spectrogram_image(samples),
        "features": lambda: feature_row(samples),
        "CNN": lambda: embedder.embed_images(image[None]),
        "ANN": lambda: embedder.embed_rows(row[None]),
        "heads": lambda: heads.decide(made),
    }


def yardstick() -> Callable[[], object]:
    """Work of every kind that the stages do, which no change of this program makes slower or faster."""
    chance = np.random.default_rng(0)
    frames, square = chance.random((500, 512), np.float32), chance.random((300, 300), np.float32)

    def work() -> None:
        spectrum = np.fft.rfft(frames, axis=1)
        np.log10(spectrum.real**2 + spectrum.imag**2 + np.float32(1e-6))
        _ = square @ square

    return work


def stage_ratios(recognizer: Recognizer, *, repeats: int) -> dict[str, float]:
    """Processor time of each stage in yardsticks: what the history holds."""
    pace = interleaved(stages(recognizer, microphone_sound()) | {YARDSTICK: yardstick()}, repeats=repeats)
    unit = pace.pop(YARDSTICK).processor
    return {name: one.processor / unit for name, one in pace.items()}


def measure_segment(repeats: int) -> dict:
    """One segment, 48 kHz in, three decisions out."""
    with five_people() as recognizer:
        sound = microphone_sound()
        works = stages(recognizer, sound) | {"whole path": lambda: recognizer.judge(resample(sound))}
        ceilings = measure_ceilings()
        pace = interleaved(works, repeats=repeats)
        floors = {name: ceilings.floor(need) for name, need in needs(recognizer.embedder, len(VOICES)).items()}
    floors["whole path"] = sum(floors.values())
    rows = {
        name: {
            "ms": 1e3 * one.clock,
            "processor_ms": 1e3 * one.processor,
            "floor_ms": 1e3 * floors[name],
            "times_floor": one.processor / floors[name],
        }
        for name, one in pace.items()
    }
    return {"ceilings": {f"{kind}_per_s": value for kind, value in vars(ceilings).items()}, "stages": rows}


def measure_peers(repeats: int) -> dict:
    """Beside librosa's calls and Resemblyzer, where they are installed: times ours goes into theirs."""
    found = {}
    sound = microphone_sound()
    heard = resample(sound)
    samples = prepare(heard)
    if importlib.util.find_spec("librosa"):
        pace = interleaved(
            {"ours": lambda: feature_row(samples), "theirs": lambda: classic_by_librosa(heard)}, repeats=repeats
        )
        found["feature row beside 26 features by librosa"] = {
            "by_clock": pace["theirs"].clock / pace["ours"].clock,
            "by_processor": pace["theirs"].processor / pace["ours"].processor,
        }
    if importlib.util.find_spec("resemblyzer"):
        from core.rival import Resemblyzer

        rival = Resemblyzer()
        with five_people() as recognizer:
            works = {"ours": lambda: recognizer.judge(resample(sound)), "theirs": lambda: rival.embed([samples])}
            pace = interleaved(works, repeats=repeats)
        found["whole path beside Resemblyzer's embedding"] = {
            "by_clock": pace["theirs"].clock / pace["ours"].clock,
            "by_processor": pace["theirs"].processor / pace["ours"].processor,
        }
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


def measure_batch(minutes: float) -> dict:
    """A long file: times faster than listening, by the clock and as two cores would be if nobody else used them."""
    import resource

    with five_people() as recognizer, TemporaryDirectory() as folder:
        talk = resample(decode(SAMPLES / "conversation.opus"), RATE_IN)
        path = Path(folder) / "long.flac"
        times = max(1, round(60 * minutes / talk.duration))
        path.write_bytes(to_flac(concatenate([talk] * times)))
        list(recognizer.identify(talk))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clock, processor = time.perf_counter(), time.process_time()
        segments = sum(1 for _ in recognizer.identify(stream(path)))
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = times * talk.duration
    return {
        "seconds_of_sound": seconds,
        "times_real_time": seconds / clock,
        "times_real_time_of_two_idle_cores": 2 * seconds / processor,
        "cores_used": processor / clock,
        "processor_ms_a_segment": 1e3 * processor / segments,
        "memory_grown_mb": grown / 1024 / (1024 if sys.platform == "darwin" else 1),
    }


def machine() -> str:
    """Whom the ratios of the history belong to: they differ between kinds of processors."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def record(repeats: int) -> dict:
    """Add a line to the history; what it says."""
    with five_people() as recognizer:
        ratios = stage_ratios(recognizer, repeats=repeats)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    line = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit.stdout.strip(),
        "machine": machine(),
        "cnn_mflop": cnn_mflop(),
        "ratios": {name: round(value, 2) for name, value in ratios.items()},
    }
    HISTORY.parent.mkdir(exist_ok=True)
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return line


def recorded() -> dict[str, float] | None:
    """The newest ratios of this kind of machine, None where there are none; the CNN's as its network now has more
    operations or fewer: machines that were not measured again since."""
    lines = HISTORY.read_text(encoding="utf-8").splitlines() if HISTORY.exists() else []
    here = [one for one in map(json.loads, lines) if one["machine"] == machine()]
    if not here:
        return None
    ratios, grown = here[-1]["ratios"], cnn_mflop() / here[-1]["cnn_mflop"]
    return ratios | {"CNN": ratios["CNN"] * grown}


def cnn_mflop() -> float:
    """Millions of operations of the CNN that ships, for one segment (`core.ceilings`)."""
    return round(convolution_operations((PRETRAINED / "cnn.onnx").read_bytes()) / 1e6, 1)


def slowed(recognizer: Recognizer, *, repeats: int, allowed: float, tries: int = 4) -> dict[str, float] | None:
    """By stage, times the recorded ratio, where that stayed above `allowed` in each of `tries` measurements; None where
    the history holds no machine of this kind."""
    before = recorded()
    if before is None:
        return None
    return lasting(lambda: stage_ratios(recognizer, repeats=repeats), before, allowed=allowed, tries=tries)


def check(repeats: int) -> int:
    """Say which stages have become slower than the history says; 0 where none has."""
    with five_people() as recognizer:
        found = slowed(recognizer, repeats=repeats, allowed=ALLOWED)
    if found is None:
        print(f"no ratios of {machine()} yet: python scripts/benchmark.py --record")
    elif found:
        print("slower than recorded: " + ", ".join(f"{stage} {times:.2f} times" for stage, times in found.items()))
    else:
        print(f"no stage takes more than {ALLOWED} times what is recorded")
    return 1 if found else 0


def show(results: dict) -> None:
    """The tables."""
    print(f"{results['machine']}; medians of {results['repeats']} interleaved repeats")
    for name, section in results["sections"].items():
        print(f"\n{name}")
        if name == "segment":
            print("  ceilings of one thread: " + ", ".join(f"{k} {v:.3g}" for k, v in section["ceilings"].items()))
            print(f"  {'stage':12s} {'ms':>8s} {'processor':>10s} {'floor':>8s} {'times floor':>12s}")
            for stage, row in section["stages"].items():
                values = "{ms:8.2f} {processor_ms:10.2f} {floor_ms:8.3f} {times_floor:12.1f}".format(**row)
                print(f"  {stage:12s} {values}")
            continue
        for what, value in section.items():
            shown = ", ".join(f"{k} {v:.4g}" for k, v in value.items()) if isinstance(value, dict) else f"{value:.4g}"
            print(f"  {what}: {shown}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sections = {
        "segment": lambda: measure_segment(args.repeats),
        "networks": lambda: measure_networks(prepare(resample(microphone_sound())), args.repeats),
        "peers": lambda: measure_peers(args.repeats),
        "batch": lambda: measure_batch(args.minutes),
        "people": lambda: measure_people(args.people),
        "start": lambda: measure_start(),
        "training": measure_training,
    }
    missing = UNIX_ONLY if importlib.util.find_spec("resource") is None else ()
    usual = [name for name in sections if name not in ("training", *missing)]  # training needs Keras
    parser.add_argument("--only", nargs="+", choices=sections, default=usual, help="these sections (all but training)")
    parser.add_argument("--repeats", type=int, default=15, metavar="N", help="timed calls of a stage (default 15)")
    parser.add_argument("--minutes", type=float, default=60.0, metavar="M", help="of sound in a batch (default 60)")
    parser.add_argument("--people", type=int, nargs="+", default=[5, 100, 10_000], metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results")
    parser.add_argument("--record", action="store_true", help="only add this machine's ratios to the history")
    parser.add_argument("--check", action="store_true", help="only compare with the history (an idle machine, please)")
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error("--repeats needs at least 1")
    if asked := set(args.only) & set(missing):
        parser.error(f"{' and '.join(sorted(asked))} cannot be measured here: Windows lacks the module resource")
    try:
        need(*["onnx"] * (args.check or args.record or "segment" in args.only), *["keras"] * ("training" in args.only))
    except SpeakerError as error:
        parser.error(str(error))
    if args.check:
        return check(args.repeats)
    if args.record:
        print(json.dumps(record(args.repeats)))
        return 0
    results = {"machine": machine(), "repeats": args.repeats, "sections": {}}
    for name in args.only:
        results["sections"][name] = sections[name]()
    show(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
