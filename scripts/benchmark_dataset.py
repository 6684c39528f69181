"""How fast a dataset is made on this machine, stage by stage, and what 80, 1,000 and 13,000 readers therefore cost.

    python scripts/benchmark_dataset.py [--repeats 3] [--core-hour 0.05] [--gb-month 0.023]

Sound: the example voices as 64 kbit/s MP3 of 22.05 kHz, as LibriVox has it. Times are CPU seconds of one core, the
least of the repeats; "x real time" is seconds of sound over seconds of CPU. It judges nothing.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.audio import concatenate, decode, resample, stream
from core.dataset.audiobooks import PROBE_SECONDS
from core.dataset.build import build_speaker, plan
from core.dataset.librivox import PAGE_BOOKS
from core.dataset.probe import listen
from core.dataset.recordings import Recording
from core.dataset.selection import BYTES_A_SECOND, MAX_BOOKS
from core.dataset.wav import make_wav
from core.dataset.workers import one_thread
from core.segments import prepare, speech_segments
from core.spectral import feature_row
from core.spectrogram import spectrogram_image, write_png

SAMPLES = Path(__file__).resolve().parents[1] / "demo" / "samples"
VOICES = ("amina", "jo", "kofi", "mei", "sven")
LIBRIVOX_BOOKS = 21_000  # about, in 2026
READERS = (80, 1_000, 13_000)
DOWNLOAD_MB_S = 2.0  # of two connections to archive.org, assumed; measure yours with a run


@dataclass(frozen=True)
class Measured:
    """Seconds of CPU per second of sound by stage, and what came of `sound` seconds."""

    stages: dict[str, float]
    sound: float
    segments: int
    wav_bytes: int
    dataset_bytes: int


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Least CPU time of `work`, after one call that warms up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def measure(repeats: int) -> Measured:
    import soundfile

    sound = concatenate([decode(SAMPLES / f"{name}_enrol.opus") for name in VOICES])
    low, mp3 = resample(sound, 22_050), io.BytesIO()
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": 0.6}
    soundfile.write(mp3, low.samples, low.rate, **options)
    content = mp3.getvalue()
    with TemporaryDirectory() as name, one_thread():
        folder = Path(name)
        wav = folder / "a.wav"
        make_wav(io.BytesIO(content), wav)
        pieces = [piece for _, piece in speech_segments(stream(wav))]
        clips = [samples for piece in pieces if (samples := prepare(piece)) is not None]
        images = [spectrogram_image(samples) for samples in clips]
        number = iter(range(1_000))

        def whole() -> None:
            make_wav(io.BytesIO(content), wav)
            (task,) = plan({f"speaker{next(number)}": (Recording(wav, "book"),)})
            build_speaker(task, folder)

        stages = {
            "probe: decode, activity, spectrum, pitch": lambda: listen(stream(content)),
            "MP3 -> 44.1 kHz WAV, silences cut": lambda: make_wav(io.BytesIO(content), wav),
            "WAV -> 16 kHz": lambda: list(stream(wav)),
            "speech activity, segments of 5 s": lambda: [
                prepare(piece) for _, piece in speech_segments([concatenate(pieces)])
            ],
            "spectrogram images": lambda: [spectrogram_image(samples) for samples in clips],
            "PNG": lambda: [write_png(image, io.BytesIO()) for image in images],
            "features": lambda: [feature_row(samples) for samples in clips],
            "all, from MP3 to finished part": whole,
        }
        taken = {stage: cpu_seconds(work, repeats) / sound.duration for stage, work in stages.items()}
        part = [p for p in (folder / "parts").iterdir()][0].stem
        made = [*(folder / "spectrograms").glob(f"*/{part}/*.png"), *(folder / "parts").glob(f"{part}.*")]
        table = sum(len(",".join(f"{value:.6g}" for value in feature_row(samples))) for samples in clips)
        bytes_made = sum(path.stat().st_size for path in made) + table
        return Measured(taken, sound.duration, len(clips), wav.stat().st_size, bytes_made)


def speeds(measured: Measured) -> str:
    lines = ["| stage | ms for 5 s of sound | x real time, one core |", "| --- | ---: | ---: |"]
    for stage, cost in measured.stages.items():
        lines.append(f"| {stage} | {5_000 * cost:.1f} | {1 / cost:.0f} |")
    return "\n".join(lines)


def costs(measured: Measured, *, core_hour: float, gb_month: float) -> str:
    """Arithmetic for an hour of sound each, 2.5 candidates probed for each reader chosen as by default."""
    head = ["| | " + " | ".join(f"{count:,} readers" for count in READERS) + " |", "| --- |" + " ---: |" * len(READERS)]
    rows: dict[str, list[str]] = {}

    def put(what: str, value: str) -> None:
        rows.setdefault(what, []).append(value)

    for count in READERS:
        probed = round(2.5 * count) if count < 5_000 else count  # there are not so many readers: all are tried
        sound, probes = 3_600.0 * count, PROBE_SECONDS * probed
        download = (sound + probes) * BYTES_A_SECOND
        whole = measured.stages["all, from MP3 to finished part"] * sound
        cpu = whole + measured.stages["probe: decode, activity, spectrum, pitch"] * probes
        wav = measured.wav_bytes / measured.sound * sound
        made = measured.dataset_bytes / measured.sound * sound
        disk = sound * BYTES_A_SECOND + made
        put("catalogue requests (once)", f"{LIBRIVOX_BOOKS / PAGE_BOOKS + 1:,.0f}")
        put("requests for sound", f"{probed + 2 * MAX_BOOKS * count:,.0f}")
        put("download, GB", f"{download / 1e9:,.1f}")
        put(f"fetching at {DOWNLOAD_MB_S:g} MB/s, hours", f"{download / DOWNLOAD_MB_S / 3.6e9:,.1f}")
        put("CPU, core hours", f"{cpu / 3600:,.1f}")
        put("segments (images, rows)", f"{measured.segments / measured.sound * sound:,.0f}")
        put("disk with WAV, GB", f"{(disk + wav) / 1e9:,.0f}")
        put("disk with --discard-wav, GB", f"{disk / 1e9:,.0f}")
        put(f"computing at {core_hour:g} $ a core hour, $", f"{cpu / 3600 * core_hour:,.2f}")
        put(f"keeping it without WAV at {gb_month:g} $ a GB and month, $", f"{disk / 1e9 * gb_month:,.2f}")
    return "\n".join(head + [f"| {what} | " + " | ".join(values) + " |" for what, values in rows.items()])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--core-hour", type=float, default=0.05, help="price of a core hour (default 0.05)")
    parser.add_argument("--gb-month", type=float, default=0.023, help="price of keeping a GB a month (default 0.023)")
    args = parser.parse_args(argv)
    floor = cpu_seconds(lambda: np.fft.rfft(np.ones((500, 512), np.float32), axis=1), 20)
    measured = measure(args.repeats)
    print(speeds(measured))
    print(f"\n{measured.segments} segments of {measured.sound:.0f} s; numpy FFT floor {1000 * floor:.2f} ms\n")
    print(costs(measured, core_hour=args.core_hour, gb_month=args.gb_month))
    return 0


if __name__ == "__main__":
    sys.exit(main())
