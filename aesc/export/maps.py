"""From images to anomaly maps and scores, as ONNX operators: what differs between methods."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from aesc.detector import Detector
from aesc.errors import InputError
from aesc.experiment import METHODS
from aesc.export.graph import Graph
from aesc.export.network import Shape, add_network
from aesc.model import AESc
from aesc.plus import AEScPlus, defect_map
from aesc.plus.gradients import SCALES, TINY, C
from aesc.plus.network import BLUR
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


def add_map(graph: Graph, model: nn.Module, images: str, shape: Shape) -> str:
    """The map that a detector scores: N x C x H x W to N x H x W."""
    if isinstance(model, AEScPlus):
        return _add_defect(graph, model, images, shape)
    assert isinstance(model, AESc)  # checked by `exportable`
    reconstructed = add_network(graph, model, images, shape)
    difference = graph.add("Abs", graph.add("Sub", images, reconstructed))
    return graph.add("ReduceMean", difference, axes=[1], keepdims=0)


def add_score(graph: Graph, found: str, norm: str, shape: Shape) -> str:
    """The image scores, N, of maps N x H x W, as `aesc.scoring.image_scores` gives them."""
    if norm == "l2":
        return graph.add("ReduceL2", found, axes=[1, 2], keepdims=0)
    one, pixels = graph.constant(np.array([1])), shape[0] * shape[1]
    flat = graph.add("Reshape", found, graph.constant(np.array([0, pixels])))  # N x H W
    half = pixels // 2 + 1  # the last of them is the median that torch takes
    above = graph.highest(flat, half)
    median = graph.add("Squeeze", graph.cut(above, [half - 1], [half], [1]), one)  # N
    highest = graph.cut(above, [0], [top_count(pixels)], [1])  # N x K
    return graph.add("Sub", graph.add("ReduceMean", highest, axes=[1], keepdims=0), median)


def _add_defect(graph: Graph, model: AEScPlus, images: str, shape: Shape) -> str:
    """The blurred probability of a defect, N x H x W, as `AEScPlus` and `defect_map` give it."""
    repaired = add_network(graph, model.repair, images, shape)
    difference = graph.add("Abs", graph.add("Sub", images, repaired))
    edges = _add_edges(graph, images, repaired, shape, model.config["channels"])
    seen = graph.add("Concat", images, repaired, difference, edges, axis=1)
    marked = add_network(graph, model.judge, seen, shape)  # N x 1 x H x W
    blurred = _along_both(graph, marked, *(_blur(side, min(shape)) for side in shape))
    return graph.add("Squeeze", blurred, graph.constant(np.array([1])))


def _add_edges(graph: Graph, first: str, second: str, shape: Shape, channels: int) -> str:
    """One minus `gms_map`: N x C x H x W twice to N x 1 x H x W."""
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
        alike = graph.add("ReduceMean", alike, axes=[1], keepdims=1)  # N x 1 x H / 2**scale x ...
        if scale:
            alike = _along_both(graph, alike, *(_growth(side, scale) for side in shape))
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


def _along_both(graph: Graph, x: str, rows: torch.Tensor, columns: torch.Tensor) -> str:
    """Matrices applied to rows, M x H, and columns, L x W: N x 1 x H x W to N x 1 x M x L."""
    x = graph.add("MatMul", x, graph.constant(columns.numpy().T))
    return graph.add("MatMul", graph.constant(rows.numpy()), x)


def _blur(side: int, smaller: int) -> torch.Tensor:
    """What `defect_map` does along an axis, side x side, in an image of that smaller side."""
    line = torch.zeros(1, 1, smaller, smaller)
    line[..., smaller // 2, :] = 1
    radius = math.ceil(3 * BLUR * smaller)
    middle = slice(smaller // 2 - radius, smaller // 2 + radius + 1)
    kernel = defect_map(line)[0, middle, 0]
    sources = torch.arange(side).unsqueeze(1) + torch.arange(-radius, radius + 1)
    sources = sources.clamp(0, side - 1)  # beyond the border the edge is repeated
    return torch.zeros(side, side).scatter_add_(1, sources, kernel.expand(side, -1))


def _growth(side: int, scale: int) -> torch.Tensor:
    """Interpolation from a side halved so often: side x (side >> scale)."""
    grown = functional.interpolate(torch.eye(side >> scale)[None], size=side, mode="linear")
    return grown[0].T.contiguous()
