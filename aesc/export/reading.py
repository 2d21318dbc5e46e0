"""From the pixels of an image file to what the network takes, as constants and operators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aesc._grey import LUMA
from aesc.data.images import Size
from aesc.detector import Detector, Picture
from aesc.errors import InputError
from aesc.export.graph import BATCH_AXIS, Graph


@dataclass(frozen=True)
class Input:
    """What the exported file takes: whole images of one size, as they are in their files.

    Attributes:
        detector: a calibrated detector.
        size: width and height of the images.

    Raises:
        InputError: no size that the good images had, or one of several that must be named.
    """

    detector: Detector
    size: Size

    @classmethod
    def of(cls, detector: Detector, size: Size | None = None) -> Input:
        """Check a size, or take the only one that the good images had."""
        if detector.familiar is None or detector.images is None:
            raise InputError(
                "The detector has no threshold: calibrate it on good images first, on the command "
                "line with aesc calibrate."
            )
        known = detector.familiar.sizes
        names = " or ".join(f"{width}x{height}" for width, height in known)
        if size is None and len(known) > 1:
            raise InputError(f"The good images were of several sizes: choose --input {names}.")
        if size is not None and size not in known:
            raise InputError(
                f"input is {size[0]}x{size[1]}: give the size of the good images, {names}."
            )
        return cls(detector, size or known[0])

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes of the good images, as Pillow calls them."""
        assert self.detector.familiar is not None  # checked by `of`
        return self.detector.familiar.modes

    @property
    def kind(self) -> str:
        """Type of the values: the smallest that holds those of all modes."""
        if set(self.modes) <= {"L", "RGB"}:
            return "uint8"
        return "uint16" if all(m == "L" or m.startswith("I;16") for m in self.modes) else "float32"

    @property
    def planes(self) -> int:
        """3 when some of the good images are in colour, else 1."""
        return 3 if "RGB" in self.modes else 1

    @property
    def shape(self) -> list[int | str]:
        """N x height x width x planes, as an image file is unpacked."""
        width, height = self.size
        return [BATCH_AXIS, height, width, self.planes]

    @cached_property
    def probe(self) -> Picture:
        """A black image, read: where it is valid, and what box of the original it covers."""
        width, height = self.size
        return self.detector.preprocessing.read(np.zeros((height, width), np.uint8))

    @property
    def shape_read(self) -> tuple[int, int]:
        """Height and width in pixels of an image that was read."""
        height, width = self.probe.valid.shape
        return height, width

    def axes(self) -> tuple[Axis, Axis]:
        """What is done to rows, and what to columns."""
        width, height = self.size
        roi = self.detector.preprocessing.roi
        x, y, across, down = roi.box if roi is not None else (0, 0, width, height)
        left, top, wide, high = self.probe.box
        rows, columns = self.shape_read
        return (
            Axis(height, (y, y + down), (top, high), rows),
            Axis(width, (x, x + across), (left, wide), columns),
        )


@dataclass(frozen=True)
class Axis:
    """What is done to an image along an axis.

    Attributes:
        length: pixels of the image along the axis.
        kept: first pixel of the region of interest, and the one after its last.
        framed: first pixel and length of the frame around it, which may begin before the image;
            outside the region, its edge is repeated.
        target: pixels after resizing.
    """

    length: int
    kept: tuple[int, int]
    framed: tuple[int, int]
    target: int

    @property
    def resized(self) -> bool:
        """Whether more is done than cutting the region of interest out."""
        first, after = self.kept
        return self.framed != (first, after - first) or self.target != after - first

    def matrix(self) -> NDArray[np.float32]:
        """Cutting out, padding and resizing as one matrix: target x length.

        Example:
            >>> Axis(2, (0, 2), (-1, 4), 2).matrix().round(2)  # 4 pixels, padded, become 2
            array([[0.86, 0.14],
                   [0.14, 0.86]], dtype=float32)
        """
        start, side = self.framed
        source = np.clip(np.arange(start, start + side), self.kept[0], self.kept[1] - 1)
        # What Pillow makes of single bright pixels are the weights that it gives them.
        single = Image.fromarray(np.eye(side, dtype=np.float32))
        weights = np.asarray(single.resize((self.target, side), Image.Resampling.BILINEAR)).T
        matrix = np.zeros((self.length, self.target))  # summed in float64
        np.add.at(matrix, source, weights.T)
        return matrix.T.astype(np.float32)


def add_reading(graph: Graph, taken: Input) -> str:
    """Images N x height x width x planes to N x C x H x W in [0, 1]."""
    reading = taken.detector.preprocessing
    graph.input("image", taken.kind, taken.shape)
    x = "image" if taken.kind == "float32" else graph.cast("image", "float32")
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])  # N x planes x height x width
    scale = 1 / reading.white_level
    if taken.planes == 3 and reading.channels == 1:
        luma = np.array(LUMA, np.float32).reshape(1, 3, 1, 1) * np.float32(scale)
        x = graph.add("Conv", x, graph.constant(luma))  # N x 1 x height x width
    else:
        x = graph.add("Mul", x, graph.constant(np.float32(scale)))
    rows, columns = taken.axes()
    if columns.resized:
        x = graph.add("MatMul", x, graph.constant(columns.matrix().T))  # N x C x height x W
    else:
        x = _kept(graph, x, columns, 3)
    if rows.resized:
        x = graph.add("MatMul", graph.constant(rows.matrix()), x)  # N x C x H x W
    else:
        x = _kept(graph, x, rows, 2)
    x = graph.add("Clip", x, graph.constant(np.float32(0)), graph.constant(np.float32(1)))
    if taken.planes == 1 and reading.channels == 3:
        x = graph.add("Concat", x, x, x, axis=1)
    return x


def _kept(graph: Graph, x: str, axis: Axis, number: int) -> str:
    """The part of an axis, the one with that number, that is looked at."""
    first, after = axis.kept
    return x if after - first == axis.length else graph.cut(x, [first], [after], [number])
