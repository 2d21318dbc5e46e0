"""From images to anomaly maps and scores, as ONNX operators: what differs between methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from aesc._bands import band_matrix
from aesc.baselines.ssim import C1, C2, SIGMA, WINDOW
from aesc.detector import Detector
from aesc.errors import InputError
from aesc.experiment import METHODS
from aesc.export.graph import Graph
from aesc.export.network import Shape, add_network
from aesc.model import AESc
from aesc.plus import AEScPlus
from aesc.plus.gradients import SCALES, TINY, C
from aesc.plus.network import SHARE, blur_of
from aesc.scoring import top_count

SQUARED_ERROR, PROBABILITY = ("residual", "l2"), ("defect", "top")
"""The maps that can be written as operators, and the norms that make them a score."""

OUTSIDE = -1
"""Below all values of a map: what counts as the last among the highest."""


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


@dataclass(frozen=True)
class Valid:
    """Which pixels of images or tiles are valid.

    Attributes:
        inside: name of bool 1 x H x W; empty where all are.
        ranks: their `ranks`, or the name of them.
    """

    inside: str
    ranks: NDArray[np.int64] | str

    @classmethod
    def of(cls, graph: Graph, valid: NDArray[np.bool_]) -> Valid:
        """Of all images or tiles alike: H x W."""
        return cls("" if valid.all() else graph.constant(valid[None]), ranks(valid))

    def masked(self, graph: Graph, found: str, outside: float) -> str:
        """Maps N x H x W with a number where they are not valid."""
        if not self.inside:
            return found
        return graph.add("Where", self.inside, found, graph.constant(np.float32(outside)))


def ranks(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of the valid pixels, from above: the place of the median that torch takes, and `top_count`.

    Example:
        >>> ranks(np.array([[True, True, False], [True, True, False]]))
        array([3, 1])
    """
    count = int(valid.sum())
    return np.array([count // 2 + 1, top_count(count)])


def add_score(graph: Graph, found: str, norm: str, valid: Valid) -> str:
    """Image scores, N, as `aesc.scoring.image_scores` gives them of the valid pixels alone.

    Args:
        graph: what the operators are added to.
        found: maps, N x H x W, 0 where they are not valid.
        norm: ``l2`` or ``top``.
        valid: where they are.
    """
    if norm == "l2":
        return graph.add("ReduceL2", found, axes=[1, 2], keepdims=0)
    flat = graph.add("Flatten", valid.masked(graph, found, OUTSIDE), axis=1)  # N x H W
    places = valid.ranks if isinstance(valid.ranks, str) else graph.constant(valid.ranks)
    half, top = (graph.cut(places, [i], [i + 1], [0]) for i in (0, 1))
    above = graph.highest(flat, half)
    median = graph.add("Gather", above, graph.constant(np.int64(-1)), axis=1)  # N
    zero, one = (graph.constant(np.array([i])) for i in (0, 1))
    highest = graph.add("Slice", above, zero, top, one)  # N x K
    return graph.add("Sub", graph.add("ReduceMean", highest, axes=[1], keepdims=0), median)


def _add_defect(graph: Graph, model: AEScPlus, images: str, shape: Shape) -> str:
    """The defect map, N x H x W, as `AEScPlus` and `defect_map` give it."""
    channels = model.config["channels"]

    def compared(version: str) -> list[str]:
        """As `aesc.plus.network.compared`."""
        difference = graph.add("Abs", graph.add("Sub", images, version))
        return [version, difference, _add_edges(graph, images, version, shape, channels)]

    first = compared(add_network(graph, model.repair, images, shape))
    if model.trusted:
        redrawn = add_network(graph, model.redraw, images, shape)
        second = [*compared(redrawn), _add_unlike(graph, images, redrawn, shape)]
    else:
        nothing = graph.constant(np.float32(0))
        second = [graph.add("Mul", part, nothing) for part in (*first, first[-1])]
    seen = graph.add("Concat", images, *first, *second, axis=1)  # N x (5 C + 3) x H x W
    marked = add_network(graph, model.judge, seen, shape)  # N x 1 x H x W
    share = graph.add("Mul", second[-1], graph.constant(np.float32(SHARE)))
    blur = (band_matrix(side, *blur_of(*shape), "repeated") for side in shape)
    blurred = _along_both(graph, graph.add("Add", marked, share), *blur)
    return graph.add("Squeeze", blurred, graph.constant(np.array([1])))


def _add_unlike(graph: Graph, images: str, version: str, shape: Shape) -> str:
    """As `aesc.plus.unlikeness`: N x C x H x W twice to N x 1 x H x W."""

    def product(first: str, second: str) -> str:
        return graph.add("Mul", first, second)

    def squares(first: str, second: str) -> str:
        return graph.add("Add", product(first, first), product(second, second))

    def mean(x: str) -> str:
        return _along_both(
            graph, x, *(band_matrix(side, WINDOW, SIGMA, "mirrored") for side in shape)
        )

    half = graph.constant(np.float32(0.5))  # moved around 0, where less is lost to rounding
    x, y = (graph.add("Sub", each, half) for each in (images, version))
    mean_x, mean_y = mean(x), mean(y)
    covariance = graph.add("Sub", mean(product(x, y)), product(mean_x, mean_y))
    variances = graph.add("Sub", mean(squares(x, y)), squares(mean_x, mean_y))
    mean_x, mean_y = (graph.add("Add", each, half) for each in (mean_x, mean_y))
    lights = _add_alike(graph, product(mean_x, mean_y), squares(mean_x, mean_y), C1)
    alike = product(lights, _add_alike(graph, covariance, variances, C2))
    alike = graph.add("ReduceMean", alike, axes=[1], keepdims=1)
    return product(graph.add("Sub", graph.constant(np.float32(1)), alike), half)


def _add_alike(graph: Graph, product: str, squares: str, c: float) -> str:
    """How alike two numbers are, from their product and the sum of their squares."""
    small = graph.constant(np.float32(c))
    doubled = graph.add("Mul", product, graph.constant(np.float32(2)))
    return graph.add("Div", graph.add("Add", doubled, small), graph.add("Add", squares, small))


def _add_edges(graph: Graph, first: str, second: str, shape: Shape, channels: int) -> str:
    """One minus `gms_map`: N x C x H x W twice to N x 1 x H x W."""
    total = ""
    for scale in range(SCALES):
        if scale:
            pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
            first, second = (graph.add("AveragePool", x, **pool) for x in (first, second))
        one, other = (_add_magnitude(graph, x, channels) for x in (first, second))
        squares = graph.add("Add", graph.add("Mul", one, one), graph.add("Mul", other, other))
        alike = _add_alike(graph, graph.add("Mul", one, other), squares, C)
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


def _growth(side: int, scale: int) -> torch.Tensor:
    """Interpolation from a side halved so often: side x (side >> scale)."""
    grown = functional.interpolate(torch.eye(side >> scale)[None], size=side, mode="linear")
    return grown[0].T.contiguous()
