"""Pretrained weights -> embeddings, by ONNX Runtime. What is loaded is checked against its SHA-256 first.

pretrained/model.json    names, shapes, hashes, recipe; `id` identifies the pair of networks
pretrained/cnn.onnx      images float32 (n, 80, 500), grey / 255   -> (n, 192), length 1
pretrained/ann.onnx      feature rows float32 (n, columns), raw    -> (n, 192), length 1
pretrained/cohort.npz    embeddings of training voices under both models: what "somebody else" sounds like
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.errors import ModelError
from core.spectral import COLUMNS, feature_row
from core.spectrogram import BANDS, FRAMES, spectrogram_image

PRETRAINED = Path(__file__).resolve().parents[1] / "pretrained"
MODELS = ("cnn", "ann")
CALIBRATION = (  # the fields of `core.heads.Calibration`, which imports this module
    "cnn_slope",
    "cnn_rivals",
    "cnn_offset",
    "ann_slope",
    "ann_rivals",
    "ann_offset",
    "cnn_weight",
    "ann_weight",
    "both_offset",
    "cnn_lead",
    "ann_lead",
)
BATCH = 16  # segments in one forward pass: beyond this a CPU gains nothing and memory grows


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Both models' answers to the same n segments: `cnn` and `ann`, float32 (n, D), rows of length 1.

    `heard`, bool (n,): which of them were heard so, the others being windows in simulated rooms that only help to train
    a head (`core.enrolment.learn`); None: all of them.
    """

    cnn: np.ndarray
    ann: np.ndarray
    heard: np.ndarray | None = None

    def of(self, model: str) -> np.ndarray:
        """By name, 'cnn' or 'ann'."""
        return getattr(self, model)

    def heard_by(self, model: str) -> np.ndarray:
        """Those heard so: (m, D)."""
        return self.of(model) if self.heard is None else self.of(model)[self.heard]

    def rows(self, chosen: np.ndarray | Sequence[int]) -> Embeddings:
        """Some of the rows, by mask or index."""
        chosen = np.asarray(chosen) if len(chosen) else np.zeros(0, int)
        return Embeddings(self.cnn[chosen], self.ann[chosen], None if self.heard is None else self.heard[chosen])

    def __len__(self) -> int:
        return len(self.cnn)


def joined(parts: Sequence[Embeddings]) -> Embeddings:
    """The rows of all parts, one part after another; as if all were heard so."""
    return Embeddings(*(np.concatenate([part.of(model) for part in parts]) for model in MODELS))


def with_windows(segments: Embeddings, windows: Embeddings) -> Embeddings:
    """What enrols: segments as heard, and windows in simulated rooms."""
    both = joined([segments, windows])
    return replace(both, heard=np.arange(len(both)) < len(segments))


class Embedder:
    """Both pretrained networks. Safe to share between threads.

    `threads`: of one forward pass. One is best where segments are judged side by side (`core.side_by_side`); two
    answer a single segment some 5 ms sooner and cost a tenth more work.
    """

    def __init__(self, folder: Path = PRETRAINED, *, threads: int = 1):
        """Load and check the weights in `folder`; `ModelError` says what is wrong with them."""
        _calm_blas()
        self.folder = Path(folder)
        self.description = _description(self.folder)
        self.model_id: str = self.description["id"]
        self._sessions = {name: _session(self._checked(name), threads) for name in MODELS}
        if self.description["columns"] != len(COLUMNS):
            raise ModelError(
                f"the ANN in {self.folder} expects {self.description['columns']} feature columns, this program makes "
                f"{len(COLUMNS)}: weights and program are of different versions"
            )
        self.cohort = self._cohort()

    @property
    def calibration(self) -> dict:
        """Numbers of `core.heads.Calibration`, fitted with these weights."""
        return self.description["calibration"]

    @property
    def calibration_id(self) -> str:
        """Of what decides beside the networks, whose `model_id` is: the calibration and the cohort."""
        return calibration_id(self.description)

    def images(self, samples: list[np.ndarray]) -> np.ndarray:
        """Images of prepared segments: uint8 (n, BANDS, FRAMES)."""
        return np.stack([spectrogram_image(one) for one in samples]) if samples else np.zeros((0, BANDS, FRAMES), "u1")

    def embed(self, samples: list[np.ndarray]) -> Embeddings:
        """Embeddings of prepared segments (see `core.segments.prepare`)."""
        return Embeddings(self.embed_images(self.images(samples)), self.embed_rows(self.rows(samples)))

    def rows(self, samples: list[np.ndarray]) -> np.ndarray:
        """Feature rows of prepared segments: float32 (n, columns)."""
        return np.stack([feature_row(one) for one in samples]) if samples else np.zeros((0, len(COLUMNS)), np.float32)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        """CNN: uint8 (n, BANDS, FRAMES) -> float32 (n, D)."""
        return self._run("cnn", images, lambda part: part.astype(np.float32) / np.float32(255.0))

    def embed_rows(self, rows: np.ndarray) -> np.ndarray:
        """ANN: float32 (n, columns) -> float32 (n, D)."""
        return self._run("ann", rows, lambda part: part)

    def _run(self, model: str, inputs: np.ndarray, convert) -> np.ndarray:
        session = self._sessions[model]
        name = session.get_inputs()[0].name
        parts = [
            session.run(None, {name: convert(inputs[start : start + BATCH])})[0]
            for start in range(0, len(inputs), BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.description["embedding"]), np.float32)

    def _checked(self, part: str) -> bytes:
        """The bytes of one file of the model, equal to what model.json promises."""
        entry = self.description["files"][part]
        path = self.folder / entry["name"]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path} cannot be read ({error.strerror}): get the weights again (git checkout)"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != entry["sha256"]:
            raise ModelError(
                f"{path} is not the file it should be: SHA-256 {found[:12]}... instead of {entry['sha256'][:12]}... "
                "It was cut off or altered; get the weights again (git checkout)"
            )
        return content

    def _cohort(self) -> Embeddings:
        with np.load(io.BytesIO(self._checked("cohort")), allow_pickle=False) as file:
            return Embeddings(*(file[name].astype(np.float32) for name in MODELS))


def _calm_blas() -> None:
    """One thread for NumPy's matrix products, in the whole process: they are small here, and a thread per core that
    waits for the others nearly doubles the work of a segment (`make benchmark` shows it)."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def _description(folder: Path) -> dict:
    path = folder / "model.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"no weights: {path} cannot be read ({error.strerror}); get them again (git checkout)"
        ) from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: get the weights again (git checkout)") from error
    missing = _missing(description)
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}: weights and program are of different versions")
    return description


def shipped_sizes() -> dict[str, tuple[int, int]]:
    """By the id of the weights that ship how many numbers their embeddings have (CNN, ANN); {} where none are there."""
    try:
        description = _description(PRETRAINED)
    except ModelError:
        return {}
    return {description["id"]: (description["embedding"],) * len(MODELS)}


def calibration_id(description: dict) -> str:
    """Twelve hexadecimal digits made of the calibration and the cohort that a model.json tells of."""
    told = [description["calibration"], description["files"]["cohort"]["sha256"]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def _missing(description: object) -> list[str]:
    """The parts a description must have and has not, by their path in it."""
    wanted = {"id": (), "columns": (), "embedding": (), "calibration": CALIBRATION, "files": (*MODELS, "cohort")}
    found = []
    for key, parts in wanted.items():
        here = description.get(key) if isinstance(description, dict) else None
        if here is None:
            found.append(key)
        elif parts:
            found += [f"{key}.{part}" for part in parts if not isinstance(here, dict) or part not in here]
    if not found:
        for name in wanted["files"]:
            entry = description["files"][name]
            found += [f"files.{name}.{k}" for k in ("name", "sha256") if not isinstance(entry, dict) or k not in entry]
    return found


def _session(content: bytes, threads: int):
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # see core/__init__.py; this is for builds that know only the call
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must not burn a core
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        raise ModelError(f"ONNX Runtime cannot load the weights: {error}") from error
