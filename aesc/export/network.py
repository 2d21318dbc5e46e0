"""The networks of the paper as ONNX operators."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aesc.export.graph import Graph
from aesc.model import SLOPE, AESc, DownConv, Level, UpConv, same_padding
from aesc.model._folding import fold, fold_matrix
from aesc.model._inference import absorb_norm

Shape = tuple[int, int]
"""Height and width in pixels."""


@torch.no_grad()
def add_network(graph: Graph, model: AESc, images: str, shape: Shape) -> str:
    """Images N x C x H x W in [0, 1] to their reconstructions, as `AESc.forward` in evaluation."""
    maps, shapes = [images], [shape]
    for level in _levels(model.encoder):
        maps.append(_activated(graph, _add_down(graph, maps[-1], shapes[-1], level)))
        height, width = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2)))  # N x 16 x H/2 x W/2, 32, 64 ...
    x, reached = maps[-1], shapes[-1]
    for level, skip, wanted in zip(
        _levels(model.decoder), maps[-2:0:-1], shapes[-2:0:-1], strict=True
    ):
        assert isinstance(level.conv, UpConv)
        x = _add_up(graph, x, level.conv.weight.shape[-1], *absorb_norm(level.conv, level.norm))
        x = _cropped(graph, _activated(graph, x), reached, wanted)
        x = graph.add("Add", x, skip) if model.skips else x
        reached = wanted
    head = model.head
    x = _add_up(graph, x, head.weight.shape[-1], head.weight, head.bias)
    return graph.add("Sigmoid", _cropped(graph, x, reached, shape))  # N x C x H x W


def _add_down(graph: Graph, x: str, shape: Shape, level: Level) -> str:
    assert isinstance(level.conv, DownConv)
    kernel = level.conv.kernel_size[0]
    (top, bottom), (left, right) = (same_padding(side, kernel) for side in shape)
    weight, bias = absorb_norm(level.conv, level.norm)
    constants = graph.constant(_array(weight)), graph.constant(_array(bias))
    return graph.add("Conv", x, *constants, strides=[2, 2], pads=[top, left, bottom, right])


def _add_up(graph: Graph, x: str, kernel: int, weight: Tensor, bias: Tensor) -> str:
    """Nearest up-sampling and convolution: one with folded kernels, its outputs side by side."""
    matrix = fold_matrix(kernel).to(weight)
    weight, bias = fold(weight, bias, matrix)  # 4 O x I x taps x taps
    before, after = ((kernel - 1) // 2 + 1) // 2, (kernel // 2 + 1) // 2
    constants = graph.constant(_array(weight)), graph.constant(_array(bias))
    x = graph.add("Conv", x, *constants, pads=[before] * 2 + [after] * 2)  # N x 4 O x H x W
    return graph.add("DepthToSpace", x, blocksize=2, mode="DCR")  # N x O x 2H x 2W


def _activated(graph: Graph, x: str) -> str:
    return graph.add("LeakyRelu", x, alpha=SLOPE)


def _cropped(graph: Graph, x: str, before: Shape, wanted: Shape) -> str:
    """The upper left part of a map that was made twice as large as before."""
    doubled = tuple(2 * side for side in before)
    return x if doubled == wanted else graph.cut(x, [0, 0], wanted, [2, 3])


def _levels(levels: nn.ModuleList) -> list[Level]:
    return [level for level in levels if isinstance(level, Level)]


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().cpu().float().contiguous().numpy()
