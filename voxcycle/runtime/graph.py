"""A writer of ONNX graphs: the few protobuf messages that our networks need.

A file that somebody shares holds weights and numbers. The graph is made here, so that nobody's
graph is ever run. Field numbers are those of `onnx.proto`, which is stable.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRODUCER = b"voxcycle"
OPSET, IR_VERSION = 20, 9  # the first with Gelu; ONNX Runtime 1.17 and newer read it
FLOAT, INT8, INT64, FLOAT16 = 1, 3, 7, 10  # TensorProto.DataType
KINDS = {"float32": FLOAT, "int8": INT8, "int64": INT64, "float16": FLOAT16}
VARINT, BYTES, FIXED32 = 0, 2, 5  # wire types
Attribute = float | int | str | Sequence[int]
Shape = Sequence[int | str]


class Graph:
    """Operators in the order in which they run; values are known by the names of their outputs.

    With `is_int8`, layers multiply by weights of eight bits.
    """

    def __init__(self, is_int8: bool = False) -> None:
        self.is_int8 = is_int8
        self._nodes: list[bytes] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def add_input(self, name: str, shape: Shape) -> str:
        """Declare a float32 input; a dimension may be a name."""
        self._inputs.append(_value(name, shape))
        return name

    def add_constant(self, array: NDArray[np.floating] | NDArray[np.integer]) -> str:
        """Store a tensor: float16 and int8 as they are, other floats as float32, the rest as int64.

        To operators all floats are float32.
        """
        name = f"c{len(self._constants)}"
        kind: Any = "<f4" if np.issubdtype(array.dtype, np.floating) else "<i8"
        if array.dtype in (np.float16, np.int8):
            kind = array.dtype
        self._constants[name] = np.ascontiguousarray(array, kind)
        return self.add("Cast", name, to=FLOAT) if array.dtype == np.float16 else name

    def add(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator with one output."""
        return self.add_many(operator, 1, *inputs, **attributes)[0]

    def add_many(
        self, operator: str, n_outputs: int, *inputs: str, **attributes: Attribute
    ) -> list[str]:
        """Add an operator with several outputs."""
        outputs = [f"v{len(self._nodes)}_{index}" for index in range(n_outputs)]
        self._nodes.append(
            _join(_bytes(1, name.encode()) for name in inputs)
            + _join(_bytes(2, name.encode()) for name in outputs)
            + _bytes(4, operator.encode())
            + _join(_bytes(5, _attribute(*item)) for item in attributes.items())
        )
        return outputs

    def add_output(self, name: str, value: str, shape: Shape) -> None:
        """Give a value a name under which it is returned."""
        self._nodes.append(
            _bytes(1, value.encode()) + _bytes(2, name.encode()) + _bytes(4, b"Identity")
        )
        self._outputs.append(_value(name, shape))

    def to_bytes(self) -> bytes:
        """Return the model, as an .onnx file holds it."""
        parts: list[bytes | memoryview] = [_bytes(1, node) for node in self._nodes]
        parts.append(_bytes(2, PRODUCER))
        for name, array in self._constants.items():
            parts += _tensor(name, array)
        parts += [_bytes(11, value) for value in self._inputs]
        parts += [_bytes(12, value) for value in self._outputs]
        opset = _bytes(1, b"") + _integer(2, OPSET)
        head = _integer(1, IR_VERSION) + _bytes(2, PRODUCER) + _bytes(8, opset)
        head += _key(7, BYTES) + _varint(sum(map(len, parts)))
        # Joined once: copies of the weights would be most of the memory of a conversion.
        return b"".join([head, *parts])


def _tensor(name: str, array: NDArray[Any]) -> list[bytes | memoryview]:
    """Return the message of a constant in two parts, of which the second holds the values."""
    head = _join(_integer(1, size) for size in array.shape) + _integer(2, KINDS[array.dtype.name])
    head += _bytes(8, name.encode()) + _key(9, BYTES) + _varint(array.nbytes)
    values = array.reshape(-1).view(np.uint8).data  # not a copy
    return [_key(5, BYTES) + _varint(len(head) + array.nbytes) + head, values]


def _value(name: str, shape: Shape) -> bytes:
    dims = _join(
        _bytes(1, _integer(1, size) if isinstance(size, int) else _bytes(2, size.encode()))
        for size in shape
    )
    tensor = _integer(1, FLOAT) + _bytes(2, dims)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _attribute(name: str, value: Attribute) -> bytes:
    head = _bytes(1, name.encode())
    if isinstance(value, float):
        return head + _key(2, FIXED32) + np.float32(value).tobytes() + _integer(20, 1)
    if isinstance(value, int):
        return head + _integer(3, value) + _integer(20, 2)
    if isinstance(value, str):
        return head + _bytes(4, value.encode()) + _integer(20, 3)
    return head + _join(_integer(8, number) for number in value) + _integer(20, 7)


def _integer(field: int, value: int) -> bytes:
    return _key(field, VARINT) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, BYTES) + _varint(len(value)) + value


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers take ten bytes
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _join(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts)
