"""CAM++ made to see our images at half its frame rate, in backend-neutral Keras: the CNN that ships.

The network is Wang et al. 2023, "CAM++: a fast and efficient network for speaker verification using context-aware
masking" (arXiv:2303.00332): a small residual network over bands and time, then densely connected convolutions over
time, each of which masks its channels by what the whole segment sounds like. `transplant` begins it with the weights
that 3D-Speaker trained (`core.campplus`), which have heard far more people than any corpus that can be had here;
training then teaches it our images, noise, rooms and telephones.

It differs from theirs in four ways, each of which leaves their weights in use:

- frames of 20 ms from its first convolution on, not of 10: what lies between two frames is taken as their mean;
- of 40 ms from the second dense block on. Their convolutions reach two frames there, so that even frames never meet odd
  ones, and every other frame is exactly what it was;
- a mask hears the segment's mean alone, not also that of the two seconds around;
- a matrix over bands makes their mel scale of ours.

Layers are called as theirs are, with a dash for a dot, which PyTorch does not allow there.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from core.campplus import SIZE, middles
from core.network_layers import SPREAD_DB, BatchNorm, L2Normalise, MeanSubtraction, StatisticsPooling
from core.spectrogram import BANDS, band_edges

EPSILON = 1e-5  # of their normalisations
CHANNELS = 32  # of a convolution over bands and time, and what a dense layer adds
BOTTLENECK = 128
BLOCKS = (12, 24, 16)  # dense layers in each
DECIBELS = 10.0 / np.log(10.0)  # in a neper of power, their unit


def campplus(blocks=BLOCKS) -> keras.Model:
    """Grey / 255 images (B, BANDS, T), any T from about 100 frames on -> embeddings (B, SIZE) of length 1."""
    images = keras.Input((BANDS, None), name="images")
    x = layers.Conv2D(BANDS, (BANDS, 1), use_bias=False, name="bands")(MeanSubtraction(dtype="float32")(images))
    x = layers.Permute((3, 2, 1))(x)  # (B, BANDS, T, 1)
    x = _convolved(x, "head", "1", (1, 2))
    for layer in ("head-layer1", "head-layer2"):
        x = _residual(x, f"{layer}-0", halved=True)
        x = _residual(x, f"{layer}-1", halved=False)
    x = _convolved(x, "head", "2", (2, 1))  # (B, BANDS / 8, T / 2, CHANNELS)
    x = layers.ZeroPadding2D((0, 1))(x)
    x = layers.Conv2D(BOTTLENECK, (BANDS // 8, 3), use_bias=False, name="xvector-tdnn-linear")(x)
    x = _active(x, "xvector-tdnn-nonlinear")  # (B, 1, T / 2, BOTTLENECK)
    for number, count in enumerate(blocks, 1):
        for place in range(1, count + 1):
            x = layers.Concatenate()([x, _dense(x, f"xvector-block{number}-tdnnd{place}")])
        x = _active(x, f"xvector-transit{number}-nonlinear")
        every = (1, 2) if number == 1 else 1
        name = f"xvector-transit{number}-linear"
        x = layers.Conv2D(x.shape[-1] // 2, 1, strides=every, use_bias=False, name=name)(x)
    x = StatisticsPooling()(_active(x, "xvector-out_nonlinear"))
    x = layers.Dense(SIZE, use_bias=False, name="xvector-dense-linear")(x)
    x = BatchNorm(epsilon=EPSILON, name="xvector-dense-nonlinear-batchnorm")(x)
    return keras.Model(images, L2Normalise(name="embedding", dtype="float32")(x), name="campplus")


def _normed(x, name: str):
    return BatchNorm(epsilon=EPSILON, name=name)(x)


def _active(x, name: str):
    return layers.ReLU()(_normed(x, f"{name}-batchnorm"))


def _convolution(x, name: str, size: int = 3, strides=1):
    """Over bands and time, the edges as PyTorch has them: on either side the same zeros."""
    padded = layers.ZeroPadding2D(size // 2)(x) if size > 1 else x
    return layers.Conv2D(CHANNELS, size, strides=strides, use_bias=False, name=name)(padded)


def _convolved(x, name: str, place: str, strides):
    return layers.ReLU()(_normed(_convolution(x, f"{name}-conv{place}", strides=strides), f"{name}-bn{place}"))


def _residual(x, name: str, *, halved: bool):
    """Two convolutions and a shortcut; `halved`: of every second band."""
    strides, shortcut = ((2, 1) if halved else 1), x
    if halved:
        shortcut = _normed(_convolution(x, f"{name}-shortcut-0", 1, strides), f"{name}-shortcut-1")
    y = _convolved(x, name, "1", strides)
    y = _normed(_convolution(y, f"{name}-conv2"), f"{name}-bn2")
    return layers.ReLU()(layers.Add()([y, shortcut]))


def _dense(x, name: str):
    """What a dense layer adds, (B, 1, T, CHANNELS): a convolution over time, masked by what the segment sounds like."""
    x = _active(x, f"{name}-nonlinear1")
    x = layers.Conv2D(BOTTLENECK, 1, use_bias=False, name=f"{name}-linear1")(x)
    x = _active(x, f"{name}-nonlinear2")
    cam = f"{name}-cam_layer"
    local = layers.Conv2D(CHANNELS, (1, 3), padding="same", use_bias=False, name=f"{cam}-linear_local")(x)
    context = layers.GlobalAveragePooling2D(keepdims=True)(x)
    context = layers.Conv2D(BOTTLENECK // 2, 1, activation="relu", name=f"{cam}-linear1")(context)
    mask = layers.Conv2D(CHANNELS, 1, activation="sigmoid", name=f"{cam}-linear2")(context)
    return layers.Multiply()([local, mask])


def transplant(body: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Give a `campplus` 3D-Speaker's weights (`core.campplus.weights`), as near as its frame rate allows."""
    for layer in body.layers:
        theirs = layer.name.replace("-", ".")
        if layer.name == "bands":
            layer.kernel.assign(_their_bands().T.reshape(layer.kernel.shape))
        elif isinstance(layer, layers.Conv2D | layers.Dense):
            layer.kernel.assign(_kernel(theirs, weights[f"{theirs}.weight"]).reshape(layer.kernel.shape))
            if layer.use_bias:
                layer.bias.assign(weights[f"{theirs}.bias"])
        elif isinstance(layer, BatchNorm):
            layer.moving_mean.assign(weights[f"{theirs}.running_mean"])
            layer.moving_variance.assign(weights[f"{theirs}.running_var"])
            if f"{theirs}.weight" in weights:  # their last one has neither: 1 and 0, as a new one here
                layer.gamma.assign(weights[f"{theirs}.weight"])
                layer.beta.assign(weights[f"{theirs}.bias"])


def _kernel(name: str, values: np.ndarray) -> np.ndarray:
    """Their kernel, output first, as Keras has it, output last, for our frames."""
    if name == "xvector.tdnn.linear":  # (out, CHANNELS * bands, 5 frames)
        values = values.reshape(len(values), CHANNELS, BANDS // 8, 5).transpose(2, 3, 1, 0)
        first, before, here, after, last = values.swapaxes(0, 1)
        return np.stack([first + before / 2, before / 2 + here + after / 2, after / 2 + last], axis=1)
    if name.endswith("cam_layer.linear1"):
        values = 2.0 * values  # they add the mean of the two seconds around, which is now the segment's too
    values = np.moveaxis(values, (0, 1), (-1, -2))  # (..., in, out)
    if name.startswith("head.") and name != "head.conv1" and values.shape[1] == 3:
        before, here, after = values.swapaxes(0, 1)
        return np.stack([before / 2, before / 2 + here + after / 2, after / 2], axis=1)
    return values


def _their_bands() -> np.ndarray:
    """(BANDS, BANDS): bands as `MeanSubtraction` gives them to theirs in nepers, each between the two of ours that lie
    around its middle."""
    place = np.interp(middles(), band_edges()[1:-1], np.arange(BANDS)).clip(0, BANDS - 1.001)
    below = place.astype(int)
    matrix = np.zeros((BANDS, BANDS))
    matrix[np.arange(BANDS), below] = 1.0 - (place - below)
    matrix[np.arange(BANDS), below + 1] = place - below
    return matrix * (SPREAD_DB / DECIBELS)
