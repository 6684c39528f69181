"""The networks, in backend-neutral Keras: the CNN, the ANN, their margin loss, and the original experiment's two.

The only module that imports keras; the app never does (it runs the ONNX files, see `core.embedder`). To add a network
write a function that returns a `keras.Model` from input to embedding and enter it in `ARCHITECTURES`, if it sees
spectrogram images in `IMAGE_NETWORKS` too: docs/architectures.md says how, and compares those that are here.

The CNN is a small residual network (He et al. 2016) with attentive statistics pooling (Okabe et al. 2018,
arXiv:1803.10963) as in speaker verification; both are trained with an additive angular margin softmax (ArcFace, Deng
et al. 2019, arXiv:1801.07698).
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

from core.spectral import CLASSIC
from core.spectral import COLUMNS as FEATURE_COLUMNS
from core.spectrogram import BANDS, DB_MAX, DB_MIN, FRAMES

EMBEDDING = 192  # length of both models' embeddings
SCALE = 30.0  # of the margin softmax's cosines
SPREAD_DB = 12.0  # dB: about one standard deviation of speech within a mel band


@keras.saving.register_keras_serializable("who_is_speaking")
class BatchNorm(layers.BatchNormalization):
    """Batch normalisation; on the PyTorch backend through its fused kernel, which makes training 1.6 times faster."""

    def __init__(self, momentum: float = 0.95, epsilon: float = 1e-4, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if not training or keras.backend.backend() != "torch":
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


def _block(x, channels: int, stride: int):
    """Basic residual block."""
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = layers.Conv2D(channels, 1, strides=stride, use_bias=False)(x)
        shortcut = BatchNorm()(shortcut)
    y = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(BatchNorm()(y))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = BatchNorm()(y)
    return layers.ReLU()(layers.Add()([y, shortcut]))


def cnn(channels=(16, 32, 96, 160), blocks=(1, 1, 2, 2)) -> keras.Model:
    """Grey / 255 images (B, BANDS, T), any T from about 100 frames on -> embeddings (B, EMBEDDING) of length 1."""
    images = keras.Input((BANDS, None), name="images")
    x = MeanSubtraction(dtype="float32")(images)
    x = layers.Conv2D(channels[0], 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(BatchNorm()(x))
    for stage, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        for index in range(count):
            x = _block(x, width, 2 if stage and index == 0 else 1)
    return _embedded(images, _over_time(x), "cnn")


def _over_time(x):
    """(B, bands, T, C) -> (B, T, bands * C)."""
    x = layers.Permute((2, 1, 3))(x)
    return layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)


def _embedded(images, x, name: str) -> keras.Model:
    """The end of every network of images: (B, T, F) over time into one embedding."""
    x = AttentiveStatistics()(x)
    x = BatchNorm()(x)
    x = layers.Dense(EMBEDDING, use_bias=False)(x)
    x = BatchNorm()(x)
    return keras.Model(images, L2Normalise(name="embedding", dtype="float32")(x), name=name)


def _normed(layer, x):
    """A layer without bias, batch normalisation, ReLU."""
    return layers.ReLU()(BatchNorm()(layer(x)))


def vgg(channels=(16, 32, 64, 128)) -> keras.Model:
    """Pairs of plain convolutions, each pair halved by pooling, as in VGG (Simonyan & Zisserman 2015,
    arXiv:1409.1556): what the CNN is without shortcuts and strides. Input and output as `cnn`."""
    images = keras.Input((BANDS, None), name="images")
    x = MeanSubtraction(dtype="float32")(images)
    for width in channels:
        for _ in range(2):
            x = _normed(layers.Conv2D(width, 3, padding="same", use_bias=False), x)
        x = layers.MaxPooling2D()(x)
    return _embedded(images, _over_time(x), "vgg")


def separable(channels=(32, 64, 64, 128, 128, 192), strides=(1, 2, 1, 2, 1, 2)) -> keras.Model:
    """Convolutions of one channel each and 1 x 1 ones in turn, as in MobileNet (Howard et al. 2017, arXiv:1704.04861):
    few operations. Input and output as `cnn`."""
    images = keras.Input((BANDS, None), name="images")
    x = MeanSubtraction(dtype="float32")(images)
    x = _normed(layers.Conv2D(channels[0], 5, strides=2, padding="same", use_bias=False), x)
    for width, stride in zip(channels, strides, strict=True):
        x = _normed(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False), x)
        x = _normed(layers.Conv2D(width, 1, use_bias=False), x)
    return _embedded(images, _over_time(x), "separable")


def tdnn(width: int = 256) -> keras.Model:
    """Convolutions over time alone, the bands being channels: the x-vector network (Snyder et al. 2018,
    doi:10.1109/ICASSP.2018.8461375), with attentive pooling. Input and output as `cnn`."""
    images = keras.Input((BANDS, None), name="images")
    x = MeanSubtraction(dtype="float32")(images)
    x = _over_time(x)  # (B, T, BANDS)
    for size, dilation in ((5, 1), (3, 2), (3, 3), (1, 1)):
        x = _normed(layers.Conv1D(width, size, dilation_rate=dilation, padding="same", use_bias=False), x)
    x = _normed(layers.Conv1D(2 * width, 1, use_bias=False), x)
    return _embedded(images, x, "tdnn")


def cnn_64() -> keras.Model:
    """The original's CNN for our images: whole segments (B, BANDS, FRAMES) made 64 x 64, its layers, and a dense layer
    to an embedding (B, EMBEDDING) of length 1."""
    images = keras.Input((BANDS, FRAMES), name="images")
    x = layers.Reshape((BANDS, FRAMES, 1))(images)
    x = layers.Resizing(64, 64, antialias=True)(x)
    x = layers.Flatten()(_original_layers(x))
    x = BatchNorm()(layers.Dense(EMBEDDING, use_bias=False)(x))
    return keras.Model(images, L2Normalise(name="embedding", dtype="float32")(x), name="cnn_64")


def ann(columns: int = len(FEATURE_COLUMNS), hidden=(512, 512), dropout: float = 0.2) -> keras.Model:
    """Raw feature rows (B, columns) -> embeddings (B, EMBEDDING) of length 1."""
    rows = keras.Input((columns,), name="features")
    x = Standardise(name="standardise", dtype="float32")(rows)
    x = layers.GaussianNoise(0.1)(x)
    for width in hidden:
        x = layers.Dense(width, use_bias=False)(x)
        x = layers.ReLU()(BatchNorm()(x))
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(EMBEDDING, use_bias=False)(x)
    x = BatchNorm()(x)
    return keras.Model(rows, L2Normalise(name="embedding", dtype="float32")(x), name="ann")


def original_cnn() -> keras.Model:
    """The original's CNN: 64 x 64 RGB pictures (B, 64, 64, 3) in [0, 1] -> its flattened layer, before the softmax."""
    pictures = keras.Input((64, 64, 3), name="pictures")
    return keras.Model(pictures, layers.Flatten(name="embedding")(_original_layers(pictures)), name="original_cnn")


def _original_layers(x):
    for width in (16, 32):
        x = layers.Conv2D(width, 3, activation="relu")(x)
        x = layers.Conv2D(width, 3, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    return x


def original_ann() -> keras.Model:
    """The original's ANN: its 26 columns, raw (B, 26) -> its last hidden layer (B, 128), before the softmax."""
    rows = keras.Input((len(CLASSIC),), name="features")
    x = Standardise(name="standardise", dtype="float32")(rows)
    for width in (512, 256, 128):
        x = layers.Dense(width, activation="relu", name="embedding" if width == 128 else None)(x)
    return keras.Model(rows, x, name="original_ann")


IMAGE_NETWORKS = {"cnn": cnn, "vgg": vgg, "separable": separable, "tdnn": tdnn, "cnn_64": cnn_64}
ARCHITECTURES = IMAGE_NETWORKS | {"ann": ann, "original_cnn": original_cnn, "original_ann": original_ann}


def with_margin_head(body: keras.Model, speakers: int, teacher: int = 0) -> keras.Model:
    """The model that is trained: input -> cosines to every training speaker; with `teacher` (the length of another
    network's embeddings, see `core.dataset.teacher`) also what it takes the teacher to hear, (B, teacher)."""
    outputs = [Cosines(speakers, name="cosines", dtype="float32")(body.output)]
    if teacher:
        outputs.append(layers.Dense(teacher, use_bias=False, name="teacher", dtype="float32")(body.output))
    return keras.Model(body.input, outputs if teacher else outputs[0], name=f"{body.name}_trained")


def margin_compiled(model: keras.Model, optimizer: keras.Optimizer, teacher_weight: float = 0.0) -> keras.Model:
    """Ready for `core.training.fit`: the margin loss on the cosines and, where the model tells what its teacher hears,
    the cosine distance to that."""
    if len(model.outputs) == 1:
        model.compile(optimizer, AngularMarginLoss(0.0), metrics=["sparse_categorical_accuracy"])
    else:
        model.compile(
            optimizer,
            [AngularMarginLoss(0.0), keras.losses.CosineSimilarity(axis=-1)],
            loss_weights=[1.0, teacher_weight],
            metrics=[["sparse_categorical_accuracy"], []],
        )
    return model


def with_softmax_head(body: keras.Model, speakers: int) -> keras.Model:
    """The same for the original's networks, which end in a plain softmax."""
    return keras.Model(
        body.input, layers.Dense(speakers, activation="softmax")(body.output), name=f"{body.name}_trained"
    )
