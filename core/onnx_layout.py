"""An exported network rewritten so that ONNX Runtime need not move its channels about: the same sums, sooner done.

ONNX Runtime convolves channels in blocks as wide as the processor's registers (NCHWc) and leaves them so from one
convolution to the next, as long as each operation between them knows blocks. Those that the exporter writes do not: a
normalisation as a product and a sum, a mask as a product, a shape told once more. All channels are copied before
and behind each of them.

Not imported by the app. Needs onnx.
"""

from __future__ import annotations

import numpy as np

UNCHANGED = "/unchanged"  # how the name of a convolution ends that only brings channels into blocks


def keep_blocks(model) -> None:
    """Rewrite the graph of an `onnx.ModelProto` in place. It answers as before, to the last bits of a float32.

    - A product and a sum with one constant for each channel become one BatchNormalization, which is done in blocks and
      together with the ReLU behind it.
    - A Reshape to the shape that is there already goes.
    - A product that is joined to other channels (Concat) goes through a convolution that changes nothing, so that all
      that is joined is in blocks.
    """
    shapes, constants = _shapes(model), _constants(model.graph)
    users: dict[str, list] = {}  # by name of what is computed: the nodes that take it
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    products = {node.output[0] for node in model.graph.node if node.op_type == "Mul"}
    nodes, added = [], {}  # of the rewritten graph: all nodes in order, and the constants that are new
    same: dict[str, str] = {}  # what a Reshape gave -> what it was given
    gone: set[str] = set()  # sums that are done by the product before them
    for node in model.graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        behind = users.get(node.output[0], [])
        if node.output[0] in gone:
            continue
        if node.op_type == "Reshape" and _is_no_change(node, shapes, constants):
            same[node.output[0]] = node.input[0]
        elif len(behind) == 1 and (parts := _normalisation(node, behind[0], shapes, constants)):
            nodes.append(_batch_normalisation(node, behind[0], *parts, added))
            gone.add(behind[0].output[0])
        else:
            if node.op_type == "Concat" and len(shapes.get(node.output[0], ())) == 4:
                for place, name in enumerate(node.input):
                    if name in products and shapes[name][1]:
                        nodes.append(_unchanged(name, shapes[name][1], added))
                        node.input[place] = nodes[-1].output[0]
            nodes.append(node)
    _replace(model.graph, nodes, added)


def _shapes(model) -> dict[str, tuple[int, ...]]:
    """Of all that is computed, 0 where a length is open or not known."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    told = [*graph.value_info, *graph.input, *graph.output]
    return {one.name: tuple(d.dim_value for d in one.type.tensor_type.shape.dim) for one in told}


def _constants(graph) -> dict[str, np.ndarray]:
    """By name, also those that are stored with 16 bits and widened (`core.exchange.narrow`)."""
    from onnx import numpy_helper

    found = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]].astype(np.float32)
    return found


def _is_no_change(node, shapes: dict, constants: dict) -> bool:
    """Is it a Reshape of (n, C, 1, 1), any n, to the same?"""
    wanted, there = constants.get(node.input[1]), shapes.get(node.input[0], ())
    return wanted is not None and len(there) == 4 and tuple(wanted[1:]) == there[1:] and there[2:] == (1, 1)


def _normalisation(product, total, shapes: dict, constants: dict) -> tuple[str, np.ndarray, np.ndarray] | None:
    """Where the two nodes are x * scale and + shift, with one number each for each channel of x (n, C, H, W): the name
    of x, scale (C,), shift (C,). None where they are anything else."""
    found = []
    for node, operation in ((product, "Mul"), (total, "Add")):
        mine = [constants[name] for name in node.input if name in constants]
        channels = shapes.get(node.output[0], ())[1:2]
        if node.op_type != operation or len(mine) != 1 or not channels:
            return None
        if len(shapes[node.output[0]]) != 4 or mine[0].shape not in {(1, *channels, 1, 1), (*channels, 1, 1)}:
            return None
        found.append(mine[0].ravel())
    (seen,) = (name for name in product.input if name not in constants)
    return seen, *found


def _batch_normalisation(product, total, seen: str, scale: np.ndarray, shift: np.ndarray, added: dict):
    from onnx import helper

    own, size = product.output[0], len(scale)
    values = {f"{own}/scale": scale, f"{own}/shift": shift}
    values |= {f"zeros/{size}": np.zeros(size), f"ones/{size}": np.ones(size)}  # mean and variance
    added.update(values)
    return helper.make_node("BatchNormalization", [seen, *values], [total.output[0]], name=product.name, epsilon=0.0)


def _unchanged(name: str, channels: int, added: dict):
    """A convolution of each channel with a single 1, which changes nothing but brings the channels into blocks."""
    from onnx import helper

    out, kernel = name + UNCHANGED, f"kernels/{channels}"
    added[kernel] = np.ones((channels, 1, 1, 1))
    return helper.make_node("Conv", [name, kernel], [out], name=out, group=channels, kernel_shape=[1, 1])


def _replace(graph, nodes: list, added: dict[str, np.ndarray]) -> None:
    """Let `graph` have these nodes, `added` constants, and none that are no longer used."""
    from onnx import numpy_helper

    wanted, kept = {one.name for one in graph.output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    constants = [one for one in graph.initializer if one.name in wanted]
    constants += [numpy_helper.from_array(values.astype(np.float32), name) for name, values in added.items()]
    for old, new in ((graph.node, kept[::-1]), (graph.initializer, constants)):
        del old[:]
        old.extend(new)
