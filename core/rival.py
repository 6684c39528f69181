"""The networks of others, measured beside ours and teachers of ours in training (`core.dataset.teacher`): the one that
a user would take instead, and the one that ours began with (`core.campplus`). Not imported by the app."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.campplus import CamPlusPlus
from core.errors import DatasetError

INSTALL_HINT = (
    "Resemblyzer is not installed here: make an environment of its own and in it "
    'pip install torch==2.13.0 "setuptools<81" resemblyzer av numpy onnxruntime pillow platformdirs scikit-learn scipy '
    "soundfile soxr"
)
LEVEL = -30.0  # dBFS, Resemblyzer's own
STRETCH, STARTS = 160, (0, 170, 340)  # frames of 10 ms that it takes at once, and where they begin in a clip of 500
BATCH = 96  # stretches


class Resemblyzer:
    """Resemblyzer's VoiceEncoder (Wan et al. 2018, 256-d) on prepared segments, through its own preprocessing."""

    def __init__(self):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it uses names that SciPy and setuptools are about to drop
            try:
                from resemblyzer import VoiceEncoder, preprocess_wav
            except ImportError as error:
                raise DatasetError(f"{INSTALL_HINT} ({error})") from error
            self._preprocess, self._encoder = preprocess_wav, VoiceEncoder("cpu", verbose=False)

    def embed(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 256), rows of length 1."""
        rows = []
        for one in samples:
            speech = self._preprocess(np.clip(one, -1.0, 1.0))
            rows.append(self._encoder.embed_utterance(speech if len(speech) else one))
        return np.array(rows, np.float32).reshape(-1, 256)

    def hear(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """What it tells a student about prepared clips of 5 s: three stretches of 1.6 s each, (n, 256), rows of
        length 1. Pauses are out of them already, so its own voice activity detector is passed over."""
        import torch
        from resemblyzer.audio import normalize_volume, wav_to_mel_spectrogram

        stretches = []
        for clip in clips:
            mel = wav_to_mel_spectrogram(normalize_volume(np.clip(clip, -1.0, 1.0), LEVEL, increase_only=True))
            stretches += [mel[start : start + STRETCH] for start in STARTS]
        with torch.inference_mode():
            parts = torch.from_numpy(np.array(stretches, np.float32)).split(BATCH)
            made = torch.cat([self._encoder(part) for part in parts]).numpy().reshape(len(clips), len(STARTS), -1)
        mean = made.mean(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


NETWORKS: dict[str, type[Resemblyzer] | type[CamPlusPlus]] = {"resemblyzer": Resemblyzer, "campplus": CamPlusPlus}
