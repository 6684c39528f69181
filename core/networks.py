"""The networks, in backend-neutral Keras: the CNN, the ANN, what trains them, and the original experiment's two.

Importing this, `core.network_layers` or `core.network_campplus` loads keras; other modules of training load it where
they use it, the app never does (it runs the ONNX files, see `core.embedder`). To add a network write a function that
returns a `keras.Model` from input to embedding and enter it in `IMAGE_NETWORKS`, if it sees spectrogram images, else in
`ARCHITECTURES`: docs/architectures.md says how, and compares those that are here.

The CNN that ships is `core.network_campplus.campplus`. `cnn` is a small residual network (He et al. 2016) with
attentive statistics pooling (Okabe et al. 2018, arXiv:1803.10963) as in speaker verification, which begins with
nothing. All are trained with an additive angular margin softmax (ArcFace, Deng et al. 2019, arXiv:1801.07698), by a
teacher, or by both.
"""

from __future__ import annotations

import keras
from keras import layers

from core.network_campplus import campplus
from core.network_layers import (
    AngularMarginLoss,
    AttentiveStatistics,
    BatchNorm,
    Cosines,
    L2Normalise,
    LongTermSpectrum,
    MeanSubtraction,
    Standardise,
)
from core.spectral import CLASSIC
from core.spectral import COLUMNS as FEATURE_COLUMNS
from core.spectrogram import BANDS, FRAMES

EMBEDDING = 192  # length of both models' embeddings


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
    return _residual(images, MeanSubtraction(dtype="float32")(images), channels, blocks, "cnn")


def cnn_long_term(channels=(16, 32, 96, 160), blocks=(1, 1, 2, 2)) -> keras.Model:
    """The CNN, seeing the long-term spectrum too. Input and output as `cnn`."""
    images = keras.Input((BANDS, None), name="images")
    return _residual(images, LongTermSpectrum(dtype="float32")(images), channels, blocks, "cnn_long_term")


def _residual(images, x, channels, blocks, name: str) -> keras.Model:
    """A convolution, stages of residual blocks, the end."""
    x = layers.Conv2D(channels[0], 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(BatchNorm()(x))
    for stage, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        for index in range(count):
            x = _block(x, width, 2 if stage and index == 0 else 1)
    return _embedded(images, _over_time(x), name)


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


IMAGE_NETWORKS = {
    "cnn": cnn,
    "cnn_long_term": cnn_long_term,
    "vgg": vgg,
    "separable": separable,
    "tdnn": tdnn,
    "cnn_64": cnn_64,
    "campplus": campplus,
}
ARCHITECTURES = IMAGE_NETWORKS | {"ann": ann, "original_cnn": original_cnn, "original_ann": original_ann}


def with_margin_head(body: keras.Model, speakers: int, teacher: int = 0) -> keras.Model:
    """The model that is trained: input -> cosines to every training speaker; with `teacher` (the length of another
    network's embeddings, see `core.dataset.teacher`) also what it takes the teacher to hear, (B, teacher)."""
    outputs = [Cosines(speakers, name="cosines", dtype="float32")(body.output)]
    if teacher:
        outputs.append(layers.Dense(teacher, use_bias=False, name="teacher", dtype="float32")(body.output))
    return keras.Model(body.input, outputs if teacher else outputs[0], name=f"{body.name}_trained")


def margin_compiled(
    model: keras.Model, optimizer: keras.Optimizer, teacher_weight: float = 0.0, label_weight: float = 1.0
) -> keras.Model:
    """Ready for `core.training.fit`: the margin loss on the cosines and, where the model tells what its teacher hears,
    the cosine distance to that."""
    if len(model.outputs) == 1:
        model.compile(optimizer, AngularMarginLoss(0.0), metrics=["sparse_categorical_accuracy"])
    else:
        model.compile(
            optimizer,
            [AngularMarginLoss(0.0), keras.losses.CosineSimilarity(axis=-1)],
            loss_weights=[label_weight, teacher_weight],
            metrics=[["sparse_categorical_accuracy"], []],
        )
    return model


def with_softmax_head(body: keras.Model, speakers: int) -> keras.Model:
    """The same for the original's networks, which end in a plain softmax."""
    return keras.Model(
        body.input, layers.Dense(speakers, activation="softmax")(body.output), name=f"{body.name}_trained"
    )
