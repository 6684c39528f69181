"""A network on its way into a file and back: what tests of several kinds of network look at alike."""

from pathlib import Path

import numpy as np
import pytest

from scripts.exported_networks import answers


def kept_with_8_bits(
    body, inputs: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, np.ndarray]:
    """The file of a network that counts as large, and what the network says once it is `core.exchange.coarsen`ed. The
    file answers alike, and is a good deal shorter than with 16 bits."""
    from core import exchange

    fine = np.asarray(body(inputs))
    exchange.export(body, folder / "sixteen.onnx")
    exchange.coarsen(body)  # small: left alone
    np.testing.assert_array_equal(np.asarray(body(inputs)), fine)
    monkeypatch.setattr(exchange, "EIGHT_FROM", 1)
    exchange.coarsen(body)
    coarse = np.asarray(body(inputs))
    assert 1e-4 < np.abs(coarse - fine).max() < 0.1
    path = folder / "eight.onnx"
    exchange.export(body, path)
    np.testing.assert_allclose(answers(path, inputs), coarse, atol=2e-3)
    assert path.stat().st_size < 0.8 * (folder / "sixteen.onnx").stat().st_size
    return path, coarse
