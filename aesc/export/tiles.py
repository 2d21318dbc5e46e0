"""Maps and scores of whole images, or of images that are cut into tiles, as ONNX operators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from aesc.detector import Tiling
from aesc.errors import InputError
from aesc.experiment import METHODS
from aesc.export.graph import BATCH_AXIS, Graph, Part
from aesc.export.maps import Valid, add_map, add_score, ranks
from aesc.export.reading import Input

MOST_VALUES = 2**27
"""Numbers that lay tiles together, at most: half a gigabyte in the file."""


def add_scored(graph: Graph, model: nn.Module, images: str, taken: Input) -> tuple[str, str]:
    """Images N x C x H x W to the maps that the detector scores, N x H x W, and the scores, N."""
    detector, valid = taken.detector, taken.probe.valid
    tiling, norm = detector.preprocessing.tiling, METHODS[detector.method].norm
    if tiling is not None:
        found, score = _add_tiled(graph, model, images, taken, tiling)
    else:
        seen = Valid.of(graph, valid)
        found = seen.masked(graph, add_map(graph, model, images, taken.shape_read), 0)
        score = add_score(graph, found, norm, seen)
    return found, _add_finite(graph, found, score)


def _add_finite(graph: Graph, found: str, score: str) -> str:
    """Scores that are NaN where a map holds NaN or infinity, which TopK and maxima may drop."""
    total = graph.add("ReduceSum", found, graph.constant(np.array([1, 2])), keepdims=0)  # N
    return graph.add("Add", score, graph.add("Mul", total, graph.constant(np.float32(0))))


def _add_tiled(
    graph: Graph, model: nn.Module, images: str, taken: Input, tiling: Tiling
) -> tuple[str, str]:
    """As `add_scored`: the network sees one tile after the other, which keeps memory small."""
    norm, channels = METHODS[taken.detector.method].norm, taken.detector.preprocessing.channels
    side, starts = tiling.side, [tiling.starts(length) for length in taken.shape_read]
    rows, columns = (np.array(each)[:, None] + np.arange(side) for each in starts)  # R x S, K x S
    valid = taken.probe.valid[rows[:, None, :, None], columns[None, :, None, :]]
    valid = valid.reshape(-1, 1, side, side)  # T x 1 x S x S

    def one_tile(tile: str, *partly: str) -> tuple[str, str]:
        seen = Valid(*partly) if partly else Valid.of(graph, valid[0, 0])
        found = seen.masked(graph, add_map(graph, model, tile, (side, side)), 0)  # N x S x S
        return found, add_score(graph, found, norm, seen)

    tiles = _add_cut(graph, images, rows, columns)  # T x N x C x S x S
    part: Part = (tiles, "float32", [BATCH_AXIS, channels, side, side])
    found, scores = graph.each([part, *_valid_parts(graph, valid)], one_tile)
    score = graph.add("ReduceMax", scores, axes=[0], keepdims=0)  # T x N to N
    return _add_blended(graph, found, taken, tiling), score


def _valid_parts(graph: Graph, valid: NDArray[np.bool_]) -> list[Part]:
    """What makes a `Valid` of each tile, of T x 1 x S x S; nothing where all is valid."""
    if valid.all():  # it would be as large as the tiles
        return []
    of_each = np.array([ranks(tile) for tile in valid])  # T x 2
    return [
        (graph.constant(valid), "bool", valid.shape[1:]),
        (graph.constant(of_each), "int64", [2]),
    ]


def _add_cut(graph: Graph, images: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> str:
    """N x C x H x W to T x N x C x S x S, the tiles row by row."""
    x = graph.add("Gather", images, graph.constant(rows), axis=2)  # N x C x R x S x W
    x = graph.add("Gather", x, graph.constant(columns), axis=4)  # N x C x R x S x K x S
    x = graph.add("Transpose", x, perm=[2, 4, 0, 1, 3, 5])  # R x K x N x C x S x S
    # Merges the first two axes; the others are known only when the file is run.
    others = graph.cut(graph.add("Shape", x), [2], [6], [0])
    count = graph.constant(np.array([len(rows) * len(columns)]))
    wanted = graph.add("Concat", count, others, axis=0)
    return graph.add("Reshape", x, wanted)


def _add_blended(graph: Graph, found: str, taken: Input, tiling: Tiling) -> str:
    """Maps of tiles, T x N x S x S, laid together to N x H x W as `Tiling.blend` does."""
    height, width = taken.shape_read
    side, rows, columns = tiling.side, tiling.starts(height), tiling.starts(width)
    values = side * (height * len(rows) + width * len(columns))
    if values > MOST_VALUES:
        raise InputError(
            f"Images of {width} x {height} pixels in tiles of {side} are too large for an ONNX "
            "file: use aesc predict, or fit with a --size that reduces them."
        )
    sizes = graph.cut(graph.add("Shape", found), [1], [2], [0])  # N
    apart = [graph.constant(np.array(each)) for each in ([len(rows), len(columns)], [side, side])]
    x = graph.add("Reshape", found, graph.add("Concat", apart[0], sizes, apart[1], axis=0))
    x = graph.add("Transpose", x, perm=[2, 0, 3, 1, 4])  # N x R x S x K x S
    flat = graph.constant(np.array([len(rows) * side, len(columns) * side]))
    x = graph.add("Reshape", x, graph.add("Concat", sizes, flat, axis=0))  # N x R S x K S
    down, across = (blending(tiling, length) for length in (height, width))
    x = graph.add("MatMul", x, graph.constant(across.T))  # N x R S x W
    return graph.add("MatMul", graph.constant(down), x)  # N x H x W


def blending(tiling: Tiling, length: int) -> NDArray[np.float32]:
    """What each pixel of each tile counts in the pixels of an axis: length x (tiles * side).

    Example:
        >>> blending(Tiling(side=2, overlap=1), length=3)
        array([[1. , 0. , 0. , 0. ],
               [0. , 0.5, 0.5, 0. ],
               [0. , 0. , 0. , 1. ]], dtype=float32)
    """
    starts, side = tiling.starts(length), tiling.side
    matrix = np.zeros((length, len(starts) * side))
    for number, start in enumerate(starts):
        place = np.arange(side)
        matrix[start + place, number * side + place] = tiling.weights
    return np.asarray(matrix / matrix.sum(1, keepdims=True), np.float32)
