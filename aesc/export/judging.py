"""From images and maps to score, p-value, verdict and regions, as ONNX operators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from aesc.detector import Calibration, Detector, Familiar
from aesc.detector.calibration import TIE
from aesc.detector.familiar import LEAST_SLACK, SLACK, reduction
from aesc.export.graph import BATCH_AXIS, Graph
from aesc.export.maps import Valid
from aesc.export.network import Shape
from aesc.scoring import SMOOTHING

TRUNCATE = 4
"""Standard deviations after which SciPy cuts a Gaussian off."""

VERDICTS = ("good", "review", "reject", "error")
"""What the numbers of the output ``verdict`` stand for."""


def add_regions(graph: Graph, found: str, detector: Detector, valid: NDArray[np.bool_]) -> None:
    """Outputs ``map``, blurred, in units of the pixel threshold, and ``regions``, where above 1.

    Args:
        graph: what the operators are added to.
        found: maps, N x H x W, 0 where they are not valid.
        detector: calibrated.
        valid: bool H x W; elsewhere the blurred maps are 0, too.
    """
    sigma = SMOOTHING * min(detector.preprocessing.shape)
    unit = np.float32(1 / max(detector.pixel_threshold, 1e-12))
    kernel = blur_kernel(sigma)
    radius, one = len(kernel) // 2, graph.constant(np.array([1]))
    x = graph.add("Unsqueeze", found, one)  # N x 1 x H x W
    x = graph.add("Pad", x, graph.constant(np.array([0, 0, radius, radius] * 2)), mode="edge")
    x = graph.add("Conv", x, graph.constant(kernel.reshape(1, 1, 1, -1) * unit))
    x = graph.add("Conv", x, graph.constant(kernel.reshape(1, 1, -1, 1)))
    x = Valid.of(graph, valid).masked(graph, graph.add("Squeeze", x, one), 0)  # N x H x W
    regions = graph.add("Greater", x, graph.constant(np.float32(1)))
    graph.output(x, "map", "float32", [BATCH_AXIS, *valid.shape])
    graph.output(regions, "regions", "bool", [BATCH_AXIS, *valid.shape])


def add_verdict(graph: Graph, images: str, score: str, detector: Detector, shape: Shape) -> None:
    """Outputs ``score``, ``p_value``, ``measured`` and ``verdict``."""
    calibration, familiar = detector.images, detector.familiar
    assert calibration is not None and familiar is not None  # checked by `Input.of`
    measured, odd = _add_measurements(graph, images, familiar, shape)
    limits = [
        calibration.threshold(share) * (1 + TIE)
        for share in (detector.review, detector.false_rejects)
    ]
    above, rejected = (
        graph.add("Greater", score, graph.constant(np.float32(limit))) for limit in limits
    )
    review = graph.cast(graph.add("Or", above, odd), "int64")
    verdict = graph.add("Where", rejected, graph.constant(np.int64(2)), review)
    # No comparison with NaN is true, so that it would be good.
    finite = graph.add("Less", graph.add("Abs", score), graph.constant(np.float32(np.inf)))
    verdict = graph.add("Where", finite, verdict, graph.constant(np.int64(3)))
    graph.output(score, "score", "float32", [BATCH_AXIS])
    p_value = _add_p_value(graph, score, calibration)
    graph.output(p_value, "p_value", "float32", [BATCH_AXIS])
    graph.output(measured, "measured", "float32", [BATCH_AXIS, len(familiar.ranges)])
    graph.output(verdict, "verdict", "int64", [BATCH_AXIS])


def limits(familiar: Familiar) -> dict[str, tuple[float, float]]:
    """By measurement, the values outside which an image is odd, as in `Familiar.oddities`."""
    return {
        name: (low - slack, high + slack)
        for name, (low, high) in familiar.ranges.items()
        for slack in [SLACK * (high - low) + LEAST_SLACK[name]]
    }


def blur_kernel(sigma: float) -> NDArray[np.float32]:
    """The blur of `aesc.scoring.smooth` along an axis, as a kernel.

    Example:
        >>> [f"{weight:.2f}" for weight in blur_kernel(0.5)]
        ['0.00', '0.11', '0.79', '0.11', '0.00']
    """
    single = np.zeros(2 * round(TRUNCATE * sigma + 0.5) + 3)
    single[len(single) // 2] = 1
    kernel = np.trim_zeros(gaussian_filter1d(single, sigma, mode="constant"))
    return np.asarray(kernel, np.float32)


def _add_p_value(graph: Graph, score: str, calibration: Calibration) -> str:
    """Share of good images, the new one included, that score at least as high."""
    scores = graph.constant((calibration.scores * (1 + TIE)).astype(np.float32)[None])  # 1 x n
    column = graph.add("Unsqueeze", score, graph.constant(np.array([1])))  # N x 1
    above = graph.cast(graph.add("GreaterOrEqual", scores, column), "float32")  # N x n
    count = graph.add("ReduceSum", above, graph.constant(np.array([1])), keepdims=0)  # N
    one_more = graph.add("Add", count, graph.constant(np.float32(1)))
    return graph.add("Div", one_more, graph.constant(np.float32(len(calibration) + 1)))


def _add_measurements(
    graph: Graph, images: str, familiar: Familiar, shape: Shape
) -> tuple[str, str]:
    """What `aesc.detector.familiar.measure` gives, N x K, and whether any of it is odd, N."""
    grey = graph.add("ReduceMean", images, axes=[1], keepdims=0)  # N x C x H x W to N x H x W
    values = {"brightness": graph.add("ReduceMean", grey, axes=[1, 2], keepdims=0)}
    values["sharpness"] = _add_sharpness(graph, grey, shape)
    if any(name.startswith("shift") for name in familiar.ranges):
        shift = _add_shift(graph, grey, familiar.mean, reduction(*shape))
        values["shift down"], values["shift right"] = shift
    one = graph.constant(np.array([1]))
    columns = [graph.add("Unsqueeze", values[name], one) for name in familiar.ranges]
    measured = graph.add("Concat", *columns, axis=1)  # N x K
    low, high = np.array(list(limits(familiar).values()), np.float32).T
    outside = graph.add(
        "Or",
        graph.add("Less", measured, graph.constant(low)),
        graph.add("Greater", measured, graph.constant(high)),
    )
    any_odd = graph.add("ReduceMax", graph.cast(outside, "float32"), axes=[1], keepdims=0)
    return measured, graph.cast(any_odd, "bool")


def _add_sharpness(graph: Graph, grey: str, shape: Shape) -> str:
    """Mean absolute difference of neighbours."""
    means = []
    for axis, side in enumerate(shape, start=1):
        ahead = graph.cut(grey, [1], [side], [axis])
        behind = graph.cut(grey, [0], [side - 1], [axis])
        change = graph.add("Abs", graph.add("Sub", ahead, behind))
        means.append(graph.add("ReduceMean", change, axes=[1, 2], keepdims=0))
    return graph.add("Mul", graph.add("Add", *means), graph.constant(np.float32(0.5)))


def _add_shift(graph: Graph, grey: str, mean: NDArray[np.float32], factor: int) -> tuple[str, str]:
    """How far images lie below and to the right of the mean image, by cross-correlation.

    The Fourier transforms are products with matrices of cosines and sines, of half the columns: the
    spectrum of a real image is symmetric. The mean is of blocks of ``factor`` pixels.
    """
    height, width = mean.shape
    if factor > 1:
        one = graph.constant(np.array([1]))
        blocks = {"kernel_shape": [factor] * 2, "strides": [factor] * 2}
        x = graph.add("AveragePool", graph.add("Unsqueeze", grey, one), **blocks)
        grey = graph.add("Squeeze", x, one)  # N x h x w
    grey = graph.add("Sub", grey, graph.add("ReduceMean", grey, axes=[1, 2], keepdims=1))
    half = width // 2 + 1
    down, across = _angles(height), _angles(width)
    cosines, sines = (graph.constant(f(down).astype(np.float32)) for f in (np.cos, np.sin))
    narrow = [graph.constant(f(across[:, :half]).astype(np.float32)) for f in (np.cos, np.sin)]
    by_columns = [graph.add("MatMul", grey, each) for each in narrow]  # N x h x half
    cc, cs = (graph.add("MatMul", cosines, each) for each in by_columns)
    sc, ss = (graph.add("MatMul", sines, each) for each in by_columns)
    real, minus_imaginary = graph.add("Sub", cc, ss), graph.add("Add", cs, sc)
    # Times the conjugate spectrum of the mean; columns that stand for two count twice.
    spectrum = np.conj(np.fft.rfft2(mean - mean.mean()))
    spectrum = spectrum / max(np.abs(spectrum).max(), 1e-12)
    spectrum[:, 1 : (width + 1) // 2] *= 2
    a, b = (graph.constant(part.astype(np.float32)) for part in (spectrum.real, spectrum.imag))

    def product(x: str, y: str) -> str:
        return graph.add("Mul", x, y)

    real, imaginary = (
        graph.add("Add", product(real, a), product(minus_imaginary, b)),
        graph.add("Sub", product(real, b), product(minus_imaginary, a)),
    )
    # (C + iS) (R + iI) (C + iS), whose real part is wanted
    first = [
        graph.add("MatMul", each, part) for part in (real, imaginary) for each in (cosines, sines)
    ]
    left = graph.add("Sub", first[0], first[3])
    right = graph.add("Add", first[2], first[1])
    wide = [graph.constant(f(across[:half]).astype(np.float32)) for f in (np.cos, np.sin)]
    correlation = graph.add(
        "Sub", graph.add("MatMul", left, wide[0]), graph.add("MatMul", right, wide[1])
    )  # N x h x w
    flat = graph.add("Flatten", correlation, axis=1)  # N x h*w
    peak = graph.add("ArgMax", flat, axis=1, keepdims=0)  # N
    columns = graph.constant(np.int64(width))
    row, column = graph.add("Div", peak, columns), graph.add("Mod", peak, columns)
    return _add_wrapped(graph, row, height, factor), _add_wrapped(graph, column, width, factor)


def _angles(side: int) -> NDArray[np.float64]:
    """Of the Fourier transform along an axis: side x side."""
    return 2 * np.pi * (np.outer(np.arange(side), np.arange(side)) % side) / side


def _add_wrapped(graph: Graph, place: str, side: int, factor: int) -> str:
    """0 to side - 1 as a shift, of which the upper half is negative, in pixels."""
    back = graph.add("Sub", place, graph.constant(np.int64(side)))
    beyond = graph.add("Greater", place, graph.constant(np.int64(side // 2)))
    shift = graph.cast(graph.add("Where", beyond, back, place), "float32")
    return graph.add("Mul", shift, graph.constant(np.float32(factor)))
