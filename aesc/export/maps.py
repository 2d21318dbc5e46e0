"""From images to anomaly maps and scores, as ONNX operators: what differs between methods."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from aesc.detector import Detector
from aesc.errors import InputError
from aesc.experiment import METHODS
from aesc.export.graph import Graph
from aesc.export.network import add_network
from aesc.export.reading import Input
from aesc.model import AESc
from aesc.plus import AEScPlus, defect_map
from aesc.plus.gradients import SCALES, TINY, C
from aesc.scoring import top_count

SQUARED_ERROR, PROBABILITY = ("residual", "l2"), ("defect", "top")
"""The maps that can be written as operators, and the norms that make them a score."""


def exportable(detector: Detector) -> nn.Module:
    """The network of a detector, if it is one that can be written as operators.

    Raises:
        InputError: the network or the map of another method.
    """
    model, method = detector.model, METHODS[detector.method]
    for known, scored in ((AESc, SQUARED_ERROR), (AEScPlus, PROBABILITY)):
        its_own = isinstance(model, known) and type(model).forward is known.forward
        if its_own and (method.kind, method.norm) == scored:
            return model
    raise InputError(
        f"A detector of {method.title} cannot be exported: fit one of AESc, AE or AESc+."
    )


def add_map(graph: Graph, model: nn.Module, images: str, taken: Input) -> str:
    """The map that the detector scores, N x S x S, 0 where an image is not valid."""
    side = taken.detector.preprocessing.size
    if isinstance(model, AEScPlus):
        found = _add_defect(graph, model, images, side)
    else:
        assert isinstance(model, AESc)  # checked by `exportable`
        reconstructed = add_network(graph, model, images, side)
        difference = graph.add("Abs", graph.add("Sub", images, reconstructed))
        found = graph.add("ReduceMean", difference, axes=[1], keepdims=0)  # N x S x S
    valid = taken.probe.valid
    if valid.all():
        return found
    return graph.add("Mul", found, graph.constant(valid.astype(np.float32)))


def add_score(graph: Graph, found: str, norm: str, side: int) -> str:
    """The image scores, N, of maps N x S x S, as `aesc.scoring.image_scores` gives them."""
    if norm == "l2":
        return graph.add("ReduceL2", found, axes=[1, 2], keepdims=0)
    one = graph.constant(np.array([1]))
    flat = graph.add("Reshape", found, graph.constant(np.array([0, side * side])))  # N x S S
    half = side * side // 2 + 1  # the last of them is the median that torch takes
    above = graph.highest(flat, half)
    median = graph.add("Squeeze", graph.cut(above, [half - 1], [half], [1]), one)  # N
    highest = graph.cut(above, [0], [top_count(side * side)], [1])  # N x K
    return graph.add("Sub", graph.add("ReduceMean", highest, axes=[1], keepdims=0), median)


def _add_defect(graph: Graph, model: AEScPlus, images: str, side: int) -> str:
    """The blurred probability of a defect, N x S x S, as `AEScPlus` and `defect_map` give it."""
    repaired = add_network(graph, model.repair, images, side)
    difference = graph.add("Abs", graph.add("Sub", images, repaired))
    edges = _add_edges(graph, images, repaired, side, model.config["channels"])
    seen = graph.add("Concat", images, repaired, difference, edges, axis=1)
    marked = add_network(graph, model.judge, seen, side)  # N x 1 x S x S
    blur = defect_map(_impulses(side)).mean(2).T.contiguous()  # along one axis: S x S
    blurred = _along_both(graph, marked, blur)
    return graph.add("Squeeze", blurred, graph.constant(np.array([1])))


def _add_edges(graph: Graph, first: str, second: str, side: int, channels: int) -> str:
    """One minus `gms_map`: N x C x S x S twice to N x 1 x S x S."""
    total = ""
    for scale in range(SCALES):
        if scale:
            pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
            first, second = (graph.add("AveragePool", x, **pool) for x in (first, second))
        one, other = (_add_magnitude(graph, x, channels) for x in (first, second))
        c = graph.constant(np.float32(C))
        product = graph.add("Mul", graph.add("Mul", one, other), graph.constant(np.float32(2)))
        squares = graph.add("Add", graph.add("Mul", one, one), graph.add("Mul", other, other))
        alike = graph.add("Div", graph.add("Add", product, c), graph.add("Add", squares, c))
        alike = graph.add("ReduceMean", alike, axes=[1], keepdims=1)  # N x 1 x S / 2**scale x ...
        if scale:
            grown = functional.interpolate(
                torch.eye(side >> scale).unsqueeze(0), size=side, mode="linear"
            )
            alike = _along_both(graph, alike, grown[0].T.contiguous())  # N x 1 x S x S
        total = graph.add("Add", total, alike) if total else alike
    mean = graph.add("Mul", total, graph.constant(np.float32(1 / SCALES)))
    return graph.add("Sub", graph.constant(np.float32(1)), mean)


def _add_magnitude(graph: Graph, x: str, channels: int) -> str:
    """As `gradient_magnitude`: N x C x S x S, same shape."""
    edge = graph.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    x = graph.add("Pad", x, edge, mode="edge")
    prewitt = np.array([[-1, 0, 1]] * 3, np.float32) / 3
    squares = []
    for kernel in (prewitt, prewitt.T):
        weight = graph.constant(np.tile(kernel, (channels, 1, 1, 1)))  # C x 1 x 3 x 3
        slope = graph.add("Conv", x, weight, group=channels)
        squares.append(graph.add("Mul", slope, slope))
    total = graph.add("Add", graph.add("Add", *squares), graph.constant(np.float32(TINY)))
    return graph.add("Sqrt", total)


def _along_both(graph: Graph, x: str, matrix: torch.Tensor) -> str:
    """A matrix, M x S, applied to rows and to columns: N x 1 x S x S to N x 1 x M x M."""
    array = matrix.numpy()
    x = graph.add("MatMul", x, graph.constant(array.T))
    return graph.add("MatMul", graph.constant(array), x)


def _impulses(side: int) -> torch.Tensor:
    """S images of S x S, of which image i is 1 in row i: what a linear map does to them is it."""
    return torch.eye(side).view(side, 1, side, 1).expand(side, 1, side, side).contiguous()
