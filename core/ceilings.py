"""What this machine can do at best, and what a stage of the path needs at least: the floor of its time.

A floor is operations and bytes over the machine's measured ceilings, one kind after the other, in one thread. Nothing
real reaches it: caches are cold, loops are short, and Python takes some microseconds a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from core import activity, spectral, spectrogram
from core.audio import SAMPLE_RATE, SEGMENT_SAMPLES
from core.bandwidth import FRAME as BANDWIDTH_FRAME
from core.embedder import Embedder

RATE_IN = 48_000  # Hz: of a microphone
RESAMPLE_TAPS = 535  # of a Kaiser low-pass as good as soxr's "high quality": 120 dB, 91.3 % of the band


@dataclass(frozen=True)
class Needs:
    """Of one stage: `products`, operations of matrix products and filters; `ffts`, operations of Fourier transforms
    (2.5 N log2 N for N real values); `curves`, logarithms and exponentials; `bytes`, read and written."""

    products: float = 0.0
    ffts: float = 0.0
    curves: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True)
class Ceilings:
    """Of one thread: operations a second by kind, and bytes a second copied from memory to memory."""

    products: float
    ffts: float
    curves: float
    bytes: float

    def floor(self, needs: Needs) -> float:
        """Seconds below which `needs` cannot be met."""
        return sum(getattr(needs, kind) / getattr(self, kind) for kind in ("products", "ffts", "curves", "bytes"))


def processor_seconds(work: Callable[[], object]) -> float:
    """Time of this thread in `work`: what other programs take from the machine does not count."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def measure_ceilings(repeats: int = 7) -> Ceilings:
    """The best of `repeats`, float32 as everywhere here."""
    import scipy.fft

    chance = np.random.default_rng(0)
    square = chance.standard_normal((512, 512), dtype=np.float32)
    frames = chance.standard_normal((500, 512), dtype=np.float32)
    values = chance.random(200_000, dtype=np.float32) + np.float32(0.1)
    much, target = np.zeros(8_000_000, np.float32), np.ones(8_000_000, np.float32)

    def best(work: Callable[[], object]) -> float:
        return min(processor_seconds(work) for _ in range(repeats))

    return Ceilings(
        products=2 * 512**3 / best(lambda: square @ square),
        ffts=500 * fft_operations(512) / best(lambda: scipy.fft.rfft(frames, axis=1)),
        curves=len(values) / best(lambda: np.log10(values)),
        bytes=2 * much.nbytes / best(lambda: np.copyto(target, much)),
    )


def fft_operations(length: int) -> float:
    """Of one transform of `length` real values."""
    return 2.5 * length * np.log2(length)


def needs(embedder: Embedder, people: int) -> dict[str, Needs]:
    """Of each stage for one segment of 5 s, in order."""
    sound = 4.0 * SEGMENT_SAMPLES  # bytes
    tens = SEGMENT_SAMPLES // activity.ACTIVITY_HOP  # frames of 10 ms
    taps = 2 * activity.LOW_PASS_REACH + 1  # of the decimation before voicing
    lag = activity.VOICING_RATE // activity.PITCH_RANGE_HZ[0]  # the longest that is looked at
    lags = SAMPLE_RATE // activity.PITCH_RANGE_HZ[0] + 2  # of the pitch in the feature row
    image, row = spectrogram.FRAMES * (spectrogram.N_FFT // 2 + 1), spectral.FRAMES * (spectral.N_FFT // 2 + 1)
    mels = spectral.MEL_BANDS + spectral.CHROMA + 4  # centroid and its like
    shares = spectral.FRAMES * spectral.CLASSES
    size, cohort = embedder.description["embedding"], len(embedder.cohort)
    return {
        "resample": Needs(products=2.0 * RESAMPLE_TAPS * SEGMENT_SAMPLES, bytes=sound * (1 + RATE_IN / SAMPLE_RATE)),
        "activity": Needs(
            products=2.0 * taps * SEGMENT_SAMPLES / 4,
            ffts=2 * tens * fft_operations(activity.VOICING_FRAME + lag)
            + SEGMENT_SAMPLES // BANDWIDTH_FRAME * fft_operations(BANDWIDTH_FRAME),
            bytes=6 * sound,  # levels twice, clipping, pauses cut, level measured and set
        ),
        "image": Needs(
            products=2.0 * spectrogram.BANDS * image,
            ffts=spectrogram.FRAMES * fft_operations(spectrogram.N_FFT),
            curves=spectrogram.BANDS * spectrogram.FRAMES,
            bytes=4.0 * (2 * spectrogram.FRAMES * spectrogram.N_FFT + 3 * image),
        ),
        "features": Needs(
            products=2.0 * (mels * row + 2 * shares * (spectral.MFCC - 1) * 2)
            + 2.0 * spectral.FRAMES * spectral.PITCH_BINS * lags,
            ffts=spectral.FRAMES * fft_operations(spectral.N_FFT),
            curves=row + shares + 2 * spectral.FRAMES * spectral.MEL_BANDS,
            bytes=4.0 * row * 12,  # power, magnitude, shares, roll-off, flux, flatness, contrast: each read and written
        ),
        "CNN": Needs(products=convolution_operations((embedder.folder / "cnn.onnx").read_bytes())),
        "ANN": Needs(bytes=float((embedder.folder / "ann.onnx").stat().st_size)),
        "heads": Needs(bytes=4.0 * 2 * size * (2 * people + cohort)),
    }


@cache
def convolution_operations(content: bytes) -> float:
    """Multiplications and additions of the network in an ONNX file, for one image."""
    import onnx

    model = onnx.load_from_string(content)
    seen = (1, spectrogram.BANDS, spectrogram.FRAMES)
    for axis, size in zip(model.graph.input[0].type.tensor_type.shape.dim, seen, strict=True):
        axis.dim_value = size
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {one.name: list(one.dims) for one in graph.initializer}
    for one in [*graph.value_info, *graph.output]:  # weights kept with fewer bits are inputs of a cast
        shapes[one.name] = [axis.dim_value for axis in one.type.tensor_type.shape.dim]
    total = 0.0
    for node in graph.node:
        if node.op_type == "Conv":
            total += 2.0 * np.prod(shapes[node.input[1]]) * np.prod(shapes[node.output[0]][2:])
        elif node.op_type in ("MatMul", "Gemm"):
            total += 2.0 * np.prod(shapes[node.input[1]]) * np.prod(shapes[node.output[0]][1:-1])
    return total
