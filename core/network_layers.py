"""Layers and the loss of the networks, in backend-neutral Keras: see `core.networks`.

Keras reads and writes them under the names they are registered with.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

from core.spectrogram import DB_MAX, DB_MIN

SCALE = 30.0  # of the margin softmax's cosines
SPREAD_DB = 12.0  # dB: about one standard deviation of speech within a mel band


@keras.saving.register_keras_serializable("who_is_speaking")
class BatchNorm(layers.BatchNormalization):
    """Batch normalisation; on the PyTorch backend through its fused kernel, which makes training 1.6 times faster."""

    def __init__(self, momentum: float = 0.95, epsilon: float = 1e-4, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable) or keras.backend.backend() != "torch":
            return super().call(inputs, training=training, mask=mask)
        import torch

        last = inputs.ndim - 1
        channels_first = inputs.movedim(last, 1)  # a view: the memory is torch's channels_last already
        gamma, beta = (ops.convert_to_tensor(value).float() for value in (self.gamma, self.beta))
        out, mean, deviation = torch.native_batch_norm(
            channels_first, gamma, beta, None, None, True, 0.0, self.epsilon
        )  # `deviation` is inverted, float32
        variance = deviation.detach() ** -2 - self.epsilon
        for moving, now in ((self.moving_mean, mean.detach()), (self.moving_variance, variance)):
            moving.assign(ops.convert_to_tensor(moving) * self.momentum + now * (1.0 - self.momentum))
        return out.movedim(1, last)


@keras.saving.register_keras_serializable("who_is_speaking")
class MeanSubtraction(layers.Layer):
    """Grey / 255 (B, BANDS, T) -> each band less its mean over time, in units of `SPREAD_DB`; (B, BANDS, T, 1)."""

    def call(self, images):
        images = images * ((DB_MAX - DB_MIN) / SPREAD_DB)
        return ops.expand_dims(images - ops.mean(images, axis=2, keepdims=True), -1)


@keras.saving.register_keras_serializable("who_is_speaking")
class LongTermSpectrum(layers.Layer):
    """Grey / 255 (B, BANDS, T) -> two channels (B, BANDS, T, 2): what `MeanSubtraction` gives, and what it takes away,
    each band's mean over time, at every frame; less the mean of all bands, for loudness is no voice.

    The mean is how a vocal tract sounds all the time, and how a microphone does: a network that sees it can tell more
    voices apart, and has to learn itself how far to trust it.
    """

    def call(self, images):
        images = images * ((DB_MAX - DB_MIN) / SPREAD_DB)
        mean = ops.mean(images, axis=2, keepdims=True)
        level = ops.mean(mean, axis=1, keepdims=True)
        return ops.stack([images - mean, ops.zeros_like(images) + (mean - level)], axis=-1)


@keras.saving.register_keras_serializable("who_is_speaking")
class StatisticsPooling(layers.Layer):
    """(B, 1, T, F) -> mean and standard deviation over time (B, 2 F)."""

    def call(self, inputs):
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        power = ops.mean(ops.square(inputs - mean), axis=(1, 2))
        return ops.concatenate([ops.squeeze(mean, (1, 2)), ops.sqrt(ops.maximum(power, 1e-6))], axis=-1)


@keras.saving.register_keras_serializable("who_is_speaking")
class Standardise(layers.Layer):
    """Raw feature rows (B, F) -> zero mean, unit deviation by the training set's statistics, clipped to +-6."""

    def build(self, shape):
        self.centre = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="centre")
        self.spread = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False, name="spread")

    def adapt(self, rows: np.ndarray) -> None:
        """Take the statistics of `rows` (N, F)."""
        self.centre.assign(rows.mean(axis=0))
        self.spread.assign(np.maximum(rows.std(axis=0), 1e-3))

    def call(self, rows):
        return ops.clip((rows - self.centre) / self.spread, -6.0, 6.0)


@keras.saving.register_keras_serializable("who_is_speaking")
class AttentiveStatistics(layers.Layer):
    """(B, T, F) -> weighted mean and standard deviation over time (B, 2 F); the weights are learned per feature."""

    def __init__(self, hidden: int = 96, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.inner = layers.Dense(hidden, activation="tanh")

    def build(self, shape):
        self.inner.build(shape)
        self.outer = layers.Dense(shape[-1])
        self.outer.build((*shape[:-1], self.hidden))

    def call(self, inputs):
        weights = ops.softmax(self.outer(self.inner(inputs)), axis=1)  # (B, T, F)
        mean = ops.sum(weights * inputs, axis=1)
        power = ops.sum(weights * ops.square(inputs), axis=1)
        deviation = ops.sqrt(ops.maximum(power - ops.square(mean), 1e-4))
        return ops.concatenate([mean, deviation], axis=-1)

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden}


@keras.saving.register_keras_serializable("who_is_speaking")
class L2Normalise(layers.Layer):
    """(B, D) -> the same direction at length 1."""

    def call(self, inputs):
        return inputs / ops.sqrt(ops.maximum(ops.sum(ops.square(inputs), axis=-1, keepdims=True), 1e-12))


@keras.saving.register_keras_serializable("who_is_speaking")
class Cosines(layers.Layer):
    """(B, D) unit vectors -> cosines to one learned direction per training speaker, (B, speakers)."""

    def __init__(self, speakers: int, **kwargs):
        super().__init__(**kwargs)
        self.speakers = speakers

    def build(self, shape):
        self.directions = self.add_weight(
            shape=(shape[-1], self.speakers), initializer="glorot_normal", name="directions"
        )

    def call(self, inputs):
        norm = ops.sqrt(ops.sum(ops.square(self.directions), axis=0, keepdims=True))
        return ops.matmul(inputs, self.directions / ops.maximum(norm, 1e-6))

    def get_config(self):
        return {**super().get_config(), "speakers": self.speakers}


@keras.saving.register_keras_serializable("who_is_speaking")
class AngularMarginLoss(keras.losses.Loss):
    """Softmax cross-entropy of scaled cosines, the true angle made `margin` radians wider first.

    `margin` is a variable: the schedule in `core.training` sets it while training goes on.
    """

    def __init__(self, margin: float = 0.2, scale: float = SCALE, name: str = "angular_margin", **kwargs):
        super().__init__(name=name, **kwargs)
        self.margin = keras.Variable(margin, trainable=False, dtype="float32", name="margin")
        self.scale = scale

    def call(self, truth, cosines):
        cosines = ops.clip(ops.cast(cosines, "float32"), -1.0 + 1e-6, 1.0 - 1e-6)
        truth = ops.reshape(ops.cast(truth, "int32"), (-1,))
        hot = ops.one_hot(truth, cosines.shape[-1])
        angle = ops.arccos(ops.sum(hot * cosines, axis=-1, keepdims=True))
        target = ops.cos(ops.minimum(angle + ops.convert_to_tensor(self.margin), 3.14159))
        logits = self.scale * (cosines + hot * (target - cosines))
        return ops.logsumexp(logits, axis=-1) - ops.sum(hot * logits, axis=-1)

    def get_config(self):
        return {"margin": float(self.margin.numpy()), "scale": self.scale, "name": self.name}
