"""How much work a network is: its operations, counted layer by layer from the shapes that come out.

A multiplication and an addition count as one operation each. Convolutions and dense layers are counted wherever they
stand; what goes element by element (normalisation, ReLU, pooling) is not. Not imported by the app.
"""

from __future__ import annotations

import math


def operations(body, shape: tuple[int, ...]) -> int:
    """Operations of a `keras.Model` for one input of `shape` (without the batch), which its own may leave open."""
    import keras

    fixed = keras.models.clone_model(body, input_tensors=keras.Input(shape))
    total = 0
    for layer in fixed.layers:
        for part in layer._flatten_layers():
            # a layer inside another one (the dense ones of the attention) works at every place of its input
            places = math.prod((layer.output if part is layer else layer.input).shape[1:-1])
            total += sum(2 * math.prod(one.shape) * places for one in part._trainable_variables if one.name == "kernel")
    return total
