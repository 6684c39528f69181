"""What the ANN's ONNX file subtracts from a feature row and divides it by: the training voices' mean and deviation.

ONNX Runtime runs a graph but does not show its constants, and the `onnx` package is no part of the app; this reads the
few fields that are needed (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, protocol buffers' wire format).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.errors import ModelError

_GRAPH, _NODE, _INITIALIZER, _INPUT = 7, 1, 5, 11  # field numbers of ModelProto and GraphProto
_KINDS = {1: "<f4", 10: "<f2"}  # TensorProto.DataType: float32, float16


@dataclass(frozen=True, eq=False)
class Standardisation:
    """`centre`, `spread`: float32 (columns,), in the columns' own units."""

    centre: np.ndarray
    spread: np.ndarray


def standardisation(content: bytes) -> Standardisation:
    """Of an ONNX file that begins with (rows - centre) / spread. `ModelError` when it does not."""
    try:
        graph = next(value for number, value in _fields(content) if number == _GRAPH)
        parts = list(_fields(graph))
        tensors = dict(_tensor(value) for number, value in parts if number == _INITIALIZER)
        rows = next(_name(value) for number, value in parts if number == _INPUT and _name(value) not in tensors)
        nodes = [_node(value) for number, value in parts if number == _NODE]
        tensors |= {out: tensors[i[0]] for op, i, out in nodes if op == "Cast" and i[0] in tensors}  # kept as float16
        taken, centre = next((out, tensors[i[1]]) for op, i, out in nodes if op == "Sub" and i[0] == rows)
        scale, divided = next((tensors[i[1]], op == "Div") for op, i, _ in nodes if i and i[0] == taken)
        return Standardisation(centre.ravel(), (scale if divided else 1.0 / scale).ravel())
    except (StopIteration, KeyError, IndexError, ValueError) as error:
        raise ModelError("the ANN does not begin with a standardisation: its features cannot be explained") from error


def _fields(message: memoryview | bytes) -> Iterator[tuple[int, memoryview | int]]:
    """(field number, value): a number for varints, bytes for all others."""
    message, at = memoryview(message), 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
            value, at = message[at : at + size], at + size
        yield number, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _name(value_info: memoryview) -> str:
    return next(bytes(value).decode() for number, value in _fields(value_info) if number == 1)


def _node(message: memoryview) -> tuple[str, list[str], str]:
    """Operation, inputs, first output."""
    inputs, outputs, operation = [], [], ""
    for number, value in _fields(message):
        if number in (1, 2):
            (inputs if number == 1 else outputs).append(bytes(value).decode())
        elif number == 4:
            operation = bytes(value).decode()
    return operation, inputs, outputs[0] if outputs else ""


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    """Name and values, float32; empty for what is neither float32 nor float16."""
    name, kind, raw = "", 0, b""
    for number, value in _fields(message):
        if number == 2:
            kind = value
        elif number == 8:
            name = bytes(value).decode()
        elif number in (4, 9):  # float_data, raw_data: both are little-endian
            raw += bytes(value)
    return name, np.frombuffer(raw if kind in _KINDS else b"", _KINDS.get(kind, "<f4")).astype(np.float32)
