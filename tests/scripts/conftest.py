"""What several tests of the scripts need: an exported file that holds several networks."""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest


@pytest.fixture(scope="session")
def several(tmp_path_factory) -> Path:
    """A cnn.onnx of two small untrained networks, `core.exchange.join`ed, and the model.json that tells of them."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training needs it")
    from core import networks
    from core.exchange import export, join

    folder = tmp_path_factory.mktemp("several")
    kinds = ("cnn", "cnn_long_term")
    parts = [folder / f"{kind}.onnx" for kind in kinds]
    for kind, path in zip(kinds, parts, strict=True):
        body = networks.ARCHITECTURES[kind](channels=(16, 32), blocks=(1, 1))
        body(np.zeros((1, 80, 500), np.float32))  # Keras exports what has been called
        export(body, path)
    half = np.sqrt(0.5) * np.eye(networks.EMBEDDING)
    join(parts, np.concatenate([half, half]), folder / "cnn.onnx")
    recipe = {"architecture": "joined", "parts": [{"architecture": kind} for kind in kinds]}
    (folder / "model.json").write_text(json.dumps({"recipe": {"cnn": recipe}}), encoding="utf-8")
    return folder / "cnn.onnx"
