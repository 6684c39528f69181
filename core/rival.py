"""The network that a user would take instead, measured beside ours. Not imported by the app."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import DatasetError

INSTALL_HINT = (
    "Resemblyzer is not installed here: make an environment of its own and in it "
    'pip install torch==2.13.0 "setuptools<81" resemblyzer av numpy onnxruntime pillow platformdirs scikit-learn scipy '
    "soundfile soxr"
)


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
