"""Networks as ONNX files and back: `export` for the app, several of them in one file (`join`, `take_part`), and
`restore_exported`, so that training can go on from what ships.

Not imported by the app. Needs keras (and for `export` its TensorFlow backend with tf2onnx), and onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import DatasetError
from core.onnx_layout import UNCHANGED, keep_blocks

HALF_FROM = 1024  # values: larger constants are stored with 16 bits
EIGHT_FROM = 2_000_000  # parameters: kernels of a larger network are stored with 8 bits
LEVELS = 127  # of 8 bits, up and down
PART = "part{}/"  # what names in a joined file begin with


def export(body, path: Path) -> None:
    """Write a network (a `keras.Model`, input -> embedding) as ONNX, whole or not at all, as ONNX Runtime is quick with
    it (`core.onnx_layout`); its large constants with 16 bits, of a large network the kernels with 8 (see `coarsen`),
    which ONNX Runtime widens once as it loads them."""
    import onnx

    partial = path.with_suffix(".partial.onnx")
    body.export(str(partial), format="onnx", verbose=False)
    model = onnx.load(partial)
    partial.unlink()
    keep_blocks(model)
    narrow(model.graph, eight=body.count_params() >= EIGHT_FROM)
    _save(model, path)


def coarsen(body) -> None:
    """Round the kernels of a large network to the values that `export` has for them: `LEVELS` steps up and down for
    each channel that comes out (a normalisation behind, folded into it, moves the steps with it). Small networks stay
    as they are."""
    from keras import layers

    from core.network_layers import AttentiveStatistics

    if body.count_params() < EIGHT_FROM:
        return
    inner = [part for one in body.layers if isinstance(one, AttentiveStatistics) for part in (one.inner, one.outer)]
    for layer in [*body.layers, *inner]:
        if isinstance(layer, layers.Conv2D | layers.Dense) and np.prod(layer.kernel.shape) >= HALF_FROM:
            kernel = np.asarray(layer.kernel)
            levels, step = _levels(kernel, axis=tuple(range(kernel.ndim - 1)))
            layer.kernel.assign(levels * step)


def _levels(kernel: np.ndarray, axis: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers of at most `LEVELS` and a step for each output: together nearly `kernel`, summed over `axis`."""
    step = np.maximum(np.abs(kernel).max(axis=axis, keepdims=True), 1e-12) / LEVELS
    return np.rint(kernel / step), step.astype(np.float32)


def fold(body, matrix: np.ndarray) -> None:
    """Let the last layer of a network of `core.networks` also multiply its embedding by `matrix` (D, D).

    The embedding has length 1 afterwards as before, so it is `core.compensation.compensate` of what it was. Raises
    `DatasetError` for a network that ends in another way.
    """
    from keras import layers

    norm, dense = body.layers[-2], body.layers[-3]
    if not isinstance(dense, layers.Dense) or dense.use_bias or not hasattr(norm, "moving_variance"):
        raise DatasetError(f"{body.name} does not end in a dense layer, a normalisation and its length: nothing folded")
    scale = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    shift = np.asarray(norm.beta) - np.asarray(norm.moving_mean) * scale
    kernel = (np.asarray(dense.kernel) * scale) @ matrix
    lengths = np.linalg.norm(kernel, axis=0)
    dense.kernel.assign(kernel / lengths)
    norm.moving_mean.assign(np.zeros_like(lengths))
    norm.moving_variance.assign(np.full_like(lengths, 1.0 - norm.epsilon))
    norm.gamma.assign(lengths)
    norm.beta.assign(shift @ matrix)


def narrow(graph, *, eight: bool = False) -> None:
    """Store every float constant of at least `HALF_FROM` values as float16, with a Cast to what the graph expects; with
    `eight` the kernels of convolutions and dense layers as int8, with a step for each output."""
    from onnx import TensorProto, helper, numpy_helper

    inputs = {"Conv": (1, 2, 3), "MatMul": (0,)}  # of a kernel, by operation: all axes but that of the outputs
    kernels = {node.input[1]: inputs[node.op_type] for node in graph.node if node.op_type in inputs} if eight else {}
    wider, steps = [], []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < HALF_FROM:
            continue
        name = constant.name
        if name in kernels:
            levels, step = _levels(values, axis=kernels[name])
            constant.CopyFrom(numpy_helper.from_array(levels.astype(np.int8), f"{name}/levels"))
            steps.append(numpy_helper.from_array(step, f"{name}/step"))
            wider.append(helper.make_node("Cast", [f"{name}/levels"], [f"{name}/wide"], to=TensorProto.FLOAT))
            wider.append(helper.make_node("Mul", [f"{name}/wide", f"{name}/step"], [name]))
        else:
            constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
            wider.append(helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT))
    graph.initializer.extend(steps)
    nodes = [*wider, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def join(paths: Sequence[Path], matrix: np.ndarray, target: Path) -> None:
    """Write exported networks of the same input as one: their embeddings one after another, (n, D1 + D2 + ...), times
    `matrix` (D1 + D2 + ..., D), at length 1. `restore_exported` finds each of them again."""
    import onnx
    from onnx import TensorProto, compose, helper, numpy_helper

    parts = [compose.add_prefix(onnx.load(path), PART.format(place)) for place, path in enumerate(paths)]
    first = parts[0].graph.input[0]
    nodes, constants, made = [], [], []
    for part in parts:
        own = part.graph.input[0].name
        for node in part.graph.node:
            node.input[:] = ["input" if name == own else name for name in node.input]
        nodes += part.graph.node
        constants += part.graph.initializer
        made.append(part.graph.output[0].name)
    constants += [
        numpy_helper.from_array(matrix.astype(np.float32), "matrix"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array(1e-12, np.float32), "least"),
    ]
    nodes += [
        helper.make_node("Concat", made, ["together"], axis=1),
        helper.make_node("MatMul", ["together", "matrix"], ["moved"]),
        helper.make_node("Mul", ["moved", "moved"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "axis"], ["power"], keepdims=1),
        helper.make_node("Max", ["power", "least"], ["power/some"]),
        helper.make_node("Sqrt", ["power/some"], ["length"]),
        helper.make_node("Div", ["moved", "length"], ["embedding"]),
    ]
    first.name = "input"
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", matrix.shape[1]])]
    graph = helper.make_graph(nodes, "joined", [first], outputs, constants)
    narrow(graph)
    _save(_like(parts[0], graph), target)


def inputs_of(path: Path) -> tuple[int, ...]:
    """The shape of what an exported network sees, 0 where it is open: (n, BANDS, frames) or (n, columns)."""
    import onnx

    return tuple(one.dim_value for one in onnx.load(path).graph.input[0].type.tensor_type.shape.dim)


def parts_in(path: Path) -> int:
    """How many networks an exported file holds."""
    import onnx

    return max(1, len(_joined(onnx.load(path))))


def _joined(model) -> list[str]:
    """The answers of the networks that `join` put into `model`; none where it holds one network."""
    beside = next((node for node in model.graph.node if "matrix" in node.input), None)
    if beside is None:
        return []
    return list(next(node for node in model.graph.node if node.output[0] == beside.input[0]).input)


def take_part(path: Path, place: int, target: Path) -> None:
    """Write one network of a file that `join` made alone, as it was before: the one at `place`, -1 being the last. Of
    any other exported file a copy."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(path)
    joined = _joined(model)
    if not joined:
        target.write_bytes(path.read_bytes())
        return
    answer = joined[place]
    prefix = answer.split("/")[0] + "/"
    nodes = [node for node in model.graph.node if node.output[0].startswith(prefix)]
    constants = [one for one in model.graph.initializer if one.name.startswith(prefix)]
    outputs = [helper.make_tensor_value_info(answer.removeprefix(prefix), TensorProto.FLOAT, ["n", None])]
    for node in nodes:
        node.name = node.name.removeprefix(prefix)
        node.input[:] = [name.removeprefix(prefix) for name in node.input]
        node.output[:] = [name.removeprefix(prefix) for name in node.output]
    for one in constants:
        one.name = one.name.removeprefix(prefix)
    _save(_like(model, helper.make_graph(nodes, "part", model.graph.input, outputs, constants)), target)


def _like(model, graph):
    """A model of this graph, with the operations' versions of `model`."""
    from onnx import helper

    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _save(model, target: Path) -> None:
    """Whole or not at all."""
    import onnx

    onnx.checker.check_model(model)
    partial = target.with_suffix(".partial.onnx")
    onnx.save(model, partial)
    partial.replace(target)


def restore_exported(body, path: Path, inputs: np.ndarray) -> None:
    """Give `body` (a fresh CNN of `core.networks`) the weights of the file that `export` made of its like.

    The exporter folds every batch normalisation into its convolution; what it divided by is measured again on `inputs`
    (a batch of real examples), so that the network answers as before and trains on like any other. Of a file that
    `join` made it is the first part of this architecture. Raises `DatasetError` when the file is of another.
    """
    parts = _constants(path)
    for place, constants in enumerate(parts):
        try:
            return _restore(body, path, constants, inputs)
        except DatasetError:
            if place == len(parts) - 1:
                raise


def _restore(body, path: Path, constants: list[tuple[str, tuple[np.ndarray, ...]]], inputs: np.ndarray) -> None:
    from keras import Model, layers

    from core.network_layers import AttentiveStatistics, BatchNorm

    def take(operation: str, shape) -> tuple[np.ndarray, ...]:
        for index, (used_by, values) in enumerate(constants):
            if used_by == operation and values[0].shape == tuple(shape):
                return constants.pop(index)[1]
        if operation == "Add":  # the exporter leaves out what adds only zeros
            return (np.zeros(shape, np.float32),)
        raise DatasetError(f"{path} has no {operation} of shape {tuple(shape)}: it is of another architecture")

    above = [one.input._keras_history.operation for one in body.layers if isinstance(one, BatchNorm)]
    normed = {one.name for one in above if len(one._outbound_nodes) == 1}  # what is used elsewhere too is not folded
    biases: dict[str, np.ndarray] = {}
    norms = []
    for layer in body.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, *bias = take("Conv", layer.kernel.shape)
            layer.kernel.assign(kernel)
            if layer.use_bias:
                layer.bias.assign(bias[0])
            elif layer.name in normed:
                (biases[layer.name],) = bias or take("Add", kernel.shape[-1:])
        elif isinstance(layer, layers.Dense):
            layer.kernel.assign(take("MatMul", layer.kernel.shape)[0])
        elif isinstance(layer, AttentiveStatistics):
            for inner in (layer.inner, layer.outer):
                inner.kernel.assign(take("MatMul", inner.kernel.shape)[0])
                inner.bias.assign(take("Add", inner.bias.shape)[0])
        elif isinstance(layer, BatchNorm):
            width = layer.gamma.shape
            bias = biases.get(layer.input._keras_history.operation.name)
            scale = take("Mul", width)[0] if bias is None else np.ones(width)
            shift = take("Add", width)[0] if bias is None else bias
            norms.append((layer, scale, shift))

    def behave(layer, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
        """scale * x + shift, as a normalisation of what has this mean and variance."""
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)
        layer.gamma.assign(scale * np.sqrt(variance + layer.epsilon))
        layer.beta.assign(shift + scale * mean)

    for layer, scale, shift in norms:
        behave(layer, scale, shift, np.zeros_like(scale), np.full_like(scale, 1.0 - layer.epsilon))
    seen = Model(body.input, [layer.input for layer, *_ in norms]).predict_on_batch(inputs)
    for (layer, scale, shift), values in zip(norms, seen, strict=True):
        values = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
        behave(layer, scale, shift, values.mean(axis=0), values.var(axis=0))


def _constants(path: Path) -> list[list[tuple[str, tuple[np.ndarray, ...]]]]:
    """By part of an ONNX file (one, unless `join` made it) the constants of each operation in the order of their use,
    float32; kernels of convolutions as Keras has them, (height, width, in, out)."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays.pop(node.input[0])
        elif node.op_type == "Mul" and all(name in arrays for name in node.input):  # what `narrow` made of 8 bits
            levels, step = (arrays.pop(name) for name in node.input)
            arrays[node.output[0]] = levels * step
    joined = any(name.startswith(PART.format(1)) for name in arrays)
    found: dict[str, list] = {}
    for node in graph.node:
        own = tuple(
            _as_keras(values, node.op_type)
            for values in (arrays[name] for name in node.input if name in arrays)
            if values.dtype in (np.float16, np.float32)
        )
        if not own or node.name.endswith(UNCHANGED) or (joined and not node.name):  # what `join` added is of no part
            continue
        mine = found.setdefault(node.name.split("/")[0] if joined else "", [])
        if node.op_type == "BatchNormalization":  # what `keep_blocks` made of a product and a sum
            mine += [("Mul", own[:1]), ("Add", own[1:2])]
        else:
            mine.append((node.op_type, own))
    return list(found.values()) or [[]]


def _as_keras(values: np.ndarray, operation: str) -> np.ndarray:
    """Channels last: a convolution's kernel as (height, width, in, out), one number for each channel as (channels,)."""
    if values.ndim == 4:
        values = values.transpose(2, 3, 1, 0) if operation == "Conv" else values.ravel()
    return values.astype(np.float32)
