"""A graph of ONNX operators, written one operator after the other.

No tracing: every operator is chosen here, all of them are plain ones of opset 17, and so any
runtime of ONNX reads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
"""Of opset and file format: ONNX 1.12 of 2022, which every runtime in use reads."""

Part = tuple[str, str, Sequence[int | str]]
"""Name of a value, its type as NumPy calls it, and the shape of a part along its first axis."""

BATCH_AXIS = "N"
"""Name of the axis whose length is free: the number of images."""


class Graph:
    """Operators and constants, in the order in which they were added.

    Example:
        >>> graph = Graph()
        >>> graph.input("x", "float32", [3])
        >>> graph.output(graph.add("Mul", "x", graph.constant(np.float32(2))), "y", "float32", [3])
        >>> [node.op_type for node in graph.model({"format": "example"}).graph.node]
        ['Mul', 'Identity']
    """

    def __init__(self) -> None:
        self._count = 0
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: str, shape: Sequence[int | str]) -> None:
        """Declare an input: its name, type as NumPy calls it, and shape."""
        self._inputs.append(_declared(name, kind, shape))

    def output(self, value: str, name: str, kind: str, shape: Sequence[int | str]) -> None:
        """Make a value an output: its new name, type as NumPy calls it, and shape."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(_declared(name, kind, shape))

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """Name of a new constant."""
        name = f"c{len(self._constants)}"
        array = np.ascontiguousarray(values) if np.ndim(values) else np.asarray(values)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Name of the result of a new operator."""
        name = self._new(operator.lower())
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def highest(self, value: str, count: str) -> str:
        """Name of the highest values along the last axis, highest first; ``count`` names a [1]."""
        name, where = self._new("topk"), self._new("where")
        self._nodes.append(helper.make_node("TopK", [value, count], [name, where]))
        return name

    def cast(self, value: str, kind: str) -> str:
        """Name of a value in another type, as NumPy calls it."""
        return self.add("Cast", value, to=_element(kind))

    def cut(
        self, value: str, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int]
    ) -> str:
        """Name of the part of a value between ``starts`` and ``ends`` along ``axes``."""
        return self.add("Slice", value, *(self.constant(np.array(x)) for x in (starts, ends, axes)))

    def each(
        self,
        values: Sequence[Part],
        make: Callable[..., Sequence[str]],
    ) -> list[str]:
        """Names of what operators make of each part of values along their first axis.

        The parts are gone through one after the other, so memory is that of one.

        Args:
            values: as many as ``make`` takes.
            make: function that adds the operators: from the names of the parts to those of results.

        Example:
            >>> graph = Graph()
            >>> graph.input("x", "float32", [3, 2])
            >>> (halves,) = graph.each(
            ...     [("x", "float32", [2])], lambda row: [graph.add("Neg", row)]
            ... )
            >>> graph.output(halves, "y", "float32", [3, 2])
            >>> [node.op_type for node in graph.model({}).graph.node]
            ['Scan', 'Identity']
        """
        parts = [self._new("part") for _ in values]
        outer, self._nodes = self._nodes, []
        made = make(*parts)
        inner, self._nodes = self._nodes, outer
        taken = [
            _declared(part, kind, shape)
            for part, (_, kind, shape) in zip(parts, values, strict=True)
        ]
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in made]
        body = helper.make_graph(inner, self._new("body"), taken, given)
        results = [self._new("scan") for _ in made]
        names = [name for name, *_ in values]
        self._nodes.append(
            helper.make_node("Scan", names, results, body=body, num_scan_inputs=len(names))
        )
        return results

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    def model(self, metadata: dict[str, str]) -> onnx.ModelProto:
        """The whole model, checked.

        Args:
            metadata: texts by name, kept in the file.

        Raises:
            onnx.checker.ValidationError: operators that do not fit each other.
        """
        graph = helper.make_graph(self._nodes, "aesc", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="aesc")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


def _declared(name: str, kind: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _element(kind), list(shape))


def _element(kind: str) -> int:
    return {
        "bool": TensorProto.BOOL,
        "float32": TensorProto.FLOAT,
        "int64": TensorProto.INT64,
        "uint16": TensorProto.UINT16,
        "uint8": TensorProto.UINT8,
    }[kind]
