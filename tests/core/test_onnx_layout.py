"""core.onnx_layout: a rewritten graph answers as before, and its channels stay in blocks."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.embedder import PRETRAINED
from core.onnx_layout import UNCHANGED, keep_blocks

onnx = pytest.importorskip("onnx", reason="onnx is not installed: training needs it (pip install -e '.[train]')")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WIDTH = 32  # channels


def model_of(nodes: list[tuple], constants: dict[str, np.ndarray], output: str):
    """(operation, inputs, output, attributes) of each node; sees "x" (n, WIDTH, 1, time)."""
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(kind, seen, [out], name=out, **more) for kind, seen, out, more in nodes],
            "made",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH, 1, "time"])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * 4)],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 15)],
        ir_version=8,
    )


@pytest.fixture
def dense(chance):
    """A dense layer as the exporter writes it, with a layer that sees what it adds: what CAM++ is made of."""
    normal = {
        "in": (WIDTH, WIDTH, 1, 1),
        "local": (WIDTH, WIDTH, 1, 3),
        "context": (WIDTH, WIDTH, 1, 1),
        "out": (WIDTH, 2 * WIDTH, 1, 1),
        "scale": (1, 2 * WIDTH, 1, 1),
        "shift": (1, 2 * WIDTH, 1, 1),
    }
    constants = {name: (0.2 * chance.standard_normal(shape)).astype("f4") for name, shape in normal.items()}
    constants["shape"] = np.array([-1, WIDTH, 1, 1], np.int64)
    nodes = [
        ("Conv", ["x", "in"], "first", {}),
        ("Relu", ["first"], "seen", {}),
        ("Conv", ["seen", "local"], "heard", {"pads": [0, 1, 0, 1]}),
        ("GlobalAveragePool", ["seen"], "mean", {}),
        ("Reshape", ["mean", "shape"], "again", {}),
        ("Conv", ["again", "context"], "how", {}),
        ("Sigmoid", ["how"], "mask", {}),
        ("Mul", ["heard", "mask"], "masked", {}),
        ("Concat", ["seen", "masked"], "both", {"axis": 1}),
        ("Mul", ["both", "scale"], "scaled", {}),
        ("Add", ["scaled", "shift"], "moved", {}),
        ("Relu", ["moved"], "active", {}),
        ("Conv", ["active", "out"], "made", {}),
    ]
    return model_of(nodes, constants, "made")


def session(model, optimized: Path | None = None):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def operations(graph) -> Counter:
    return Counter(node.op_type for node in graph.node)


def rewritten(model):
    again = onnx.ModelProto()
    again.CopyFrom(model)
    keep_blocks(again)
    onnx.checker.check_model(again)
    return again


def test_it_answers_as_before(dense, chance):
    again = rewritten(dense)
    for shape in ((1, WIDTH, 1, 50), (3, WIDTH, 1, 7)):
        sound = chance.standard_normal(shape).astype("f4")
        before, now = (session(one).run(None, {"x": sound})[0] for one in (dense, again))
        assert before.std() > 0.1
        np.testing.assert_allclose(now, before, rtol=1e-5, atol=1e-6)


def test_channels_are_copied_less_often(dense, tmp_path):
    """Into blocks and out again, as ONNX Runtime itself says once it has laid out the graph."""
    counts = []
    for name, model in (("before", dense), ("now", rewritten(dense))):
        session(model, tmp_path / name)
        counts.append(operations(onnx.load(tmp_path / name).graph))
    before, now = counts
    if not before["ReorderInput"]:
        pytest.skip("ONNX Runtime has no blocks on this processor")
    assert now["ReorderInput"] + now["ReorderOutput"] < before["ReorderInput"] + before["ReorderOutput"]
    assert not now["Reshape"] and not now["Add"] and not now["Relu"] and now["Mul"] == 1  # the mask


def test_what_changes_nothing_any_more_is_gone(dense):
    now = rewritten(dense).graph
    assert operations(now) == {
        "Conv": 5,
        "Relu": 2,
        "GlobalAveragePool": 1,
        "Sigmoid": 1,
        "Mul": 1,
        "Concat": 1,
        "BatchNormalization": 1,
    }
    assert {one.name for one in now.initializer} == {
        *("in", "local", "context", "out", "scaled/scale", "scaled/shift", "zeros/64", "ones/64", "kernels/32")
    }
    assert [node.input[:] for node in now.node if node.op_type == "Concat"] == [["seen", "masked" + UNCHANGED]]


def test_once_is_enough(dense):
    once = rewritten(dense)
    assert rewritten(once).SerializeToString() == once.SerializeToString()


CHANNELS = (WIDTH, 1, 1)
OTHERS = {
    "a product seen twice": (
        [("Mul", ["x", "c"], "m", {}), ("Add", ["m", "c"], "a", {}), ("Add", ["m", "a"], "y", {})],
        {"c": CHANNELS},
    ),
    "one number for each time": (
        [("Mul", ["x", "c"], "m", {}), ("Add", ["m", "d"], "y", {})],
        {"c": (1, 1, 1, 5), "d": CHANNELS},
    ),
    "no constant sum": ([("Mul", ["x", "c"], "m", {}), ("Add", ["m", "x"], "y", {})], {"c": CHANNELS}),
    "the sum first": ([("Add", ["x", "c"], "m", {}), ("Mul", ["m", "c"], "y", {})], {"c": CHANNELS}),
    "another shape": ([("Reshape", ["x", "c"], "y", {})], {"c": np.array([-1, WIDTH, 5, 1])}),
    "no product joined": (
        [("Mul", ["x", "c"], "m", {}), ("Relu", ["m"], "r", {}), ("Concat", ["r", "x"], "y", {"axis": 1})],
        {"c": (1,)},
    ),
}


@pytest.mark.parametrize(("nodes", "constants"), OTHERS.values(), ids=OTHERS.keys())
def test_all_else_is_left_alone(nodes, constants, chance):
    values = {
        name: one if isinstance(one, np.ndarray) else chance.standard_normal(one).astype("f4")
        for name, one in constants.items()
    }
    model = model_of(nodes, values, "y")
    assert operations(rewritten(model).graph) == operations(model.graph)
    sound = chance.standard_normal((2, WIDTH, 1, 5)).astype("f4")
    before, now = (session(one).run(None, {"x": sound})[0] for one in (model, rewritten(model)))
    np.testing.assert_array_equal(now, before)


def test_what_ships_is_in_blocks():
    model = onnx.load(PRETRAINED / "cnn.onnx")
    assert operations(model.graph)["BatchNormalization"] > 50
    assert operations(rewritten(model).graph) == operations(model.graph)
