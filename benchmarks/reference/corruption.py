"""The corruptions as one would write them from the paper: one image, one step, at a time.

Source: Collin & De Vleeschouwer (ICPR 2020), section III, with the parameters of `aesc.noise`.
Images are float H x W in [0, 1]; every function returns a corrupted copy and a boolean mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from skimage import draw

from aesc.noise import Corruption, Drops, Gaussian, Mix, Scratch, Stain

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
Fill = Callable[[NDArray[np.float64], tuple[int, int]], Mask]


def scan_lines(outline: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Fill a polygon (V x 2, y and x) with scikit-image, which looks at its bounding box only."""
    mask = np.zeros(shape, np.bool_)
    mask[draw.polygon(outline[:, 0], outline[:, 1], shape)] = True
    return mask


def every_pixel(outline: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Fill a polygon (V x 2, y and x) with matplotlib, which is asked about every pixel."""
    pixels = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1).reshape(-1, 2)
    return Path(outline).contains_points(pixels).reshape(shape)


def corrupt_batch(
    images: Image, corruption: Corruption, rng: np.random.Generator, fill: Fill = scan_lines
) -> tuple[Image, Mask]:
    """Corrupt N x H x W images one after the other; returns images and masks, N x H x W."""
    results = [corrupt(image, corruption, rng, fill) for image in images]
    return np.stack([image for image, _ in results]), np.stack([mask for _, mask in results])


def corrupt(
    image: Image, corruption: Corruption, rng: np.random.Generator, fill: Fill = scan_lines
) -> tuple[Image, Mask]:
    """Corrupt one image (H x W in [0, 1]); ``fill`` is how a stain's outline becomes a mask."""
    if isinstance(corruption, Mix):
        part = rng.choice(len(corruption.weights), p=corruption.weights)
        return corrupt(image, corruption.corruptions[part], rng, fill)
    if isinstance(corruption, Stain):
        return stain(image, corruption, rng, fill)
    if isinstance(corruption, Scratch):
        return scratch(image, corruption, rng)
    if isinstance(corruption, Drops):
        return drops(image, corruption, rng)
    assert isinstance(corruption, Gaussian), corruption
    return gaussian(image, corruption, rng)


def gaussian(image: Image, noise: Gaussian, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Add noise to every pixel and cut to [0, 1]."""
    noisy = np.clip(image + rng.normal(0, noise.sigma, image.shape), 0, 1)
    return noisy.astype(image.dtype), np.ones(image.shape, np.bool_)


def stain(
    image: Image, noise: Stain, rng: np.random.Generator, fill: Fill = scan_lines
) -> tuple[Image, Mask]:
    """Outline, polygon, blurred border, noisy grey over the whole image, blend."""
    side = min(image.shape)
    axes = rng.uniform(*noise.semi_axis, 2) * side
    margin = axes.max()
    centre = rng.uniform(margin, np.array(image.shape) - 1 - margin)
    points = ellipse_points(axes, rng.uniform(0, 2 * math.pi), noise.points)
    reach = rng.uniform(*noise.irregularity) * axes.mean()
    points = points + rng.uniform(-reach, reach, points.shape)
    opacity = fill(closed_curve(points) + centre, image.shape).astype(float)
    opacity[tuple(np.rint(centre).astype(int))] = 1
    if noise.border > 0:
        opacity = gaussian_filter(opacity, noise.border * axes.max(), truncate=3, mode="constant")
        opacity[opacity < 0.5 / 255] = 0
    return blend(image, opacity, rng.uniform(*noise.grey), noise.grain, rng)


def ellipse_points(axes: NDArray[np.float64], rotation: float, points: int) -> NDArray[np.float64]:
    """Evenly spaced points of a rasterised ellipse around the origin: points x 2."""
    down, across = np.rint(axes).astype(int)
    rows, columns = draw.ellipse_perimeter(0, 0, down, across, orientation=rotation)
    boundary = by_angle(np.stack([rows, columns], axis=1).astype(float))
    return boundary[np.arange(points) * len(boundary) // points]


def closed_curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join points around the origin, in the order of their angle, by a closed cubic curve."""
    points = by_angle(points)
    closed = np.concatenate([points, points[:1]])
    spline = CubicSpline(np.arange(len(closed)), closed, bc_type="periodic")
    return spline(np.arange(0, len(points), 0.1))


def by_angle(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sort points (P x 2) by their angle around the origin."""
    return np.array(sorted(points, key=lambda point: math.atan2(point[0], point[1])))


def drops(image: Image, noise: Drops, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Draw the discs of a cluster one by one."""
    radius = rng.uniform(*noise.radius) * min(image.shape)
    centre = rng.uniform(0, np.array(image.shape) - 1)
    opacity = np.zeros(image.shape)
    for number in range(noise.number):
        offset = np.clip(rng.normal(size=2), -3, 3) * noise.spread * radius if number else 0
        opacity[draw.disk(centre + offset, max(radius, math.sqrt(0.5)), shape=image.shape)] = 1
    return blend(image, opacity, rng.uniform(*noise.grey), noise.grain, rng)


def blend(
    image: Image, opacity: NDArray[np.float64], grey: float, grain: float, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Blend a noisy grey into the image."""
    colour = np.clip(rng.normal(grey, grain, image.shape), 0, 1)
    result = image * (1 - opacity) + colour * opacity
    return result.astype(image.dtype), opacity > 0


def scratch(image: Image, noise: Scratch, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Walk along a curve in small steps and dab a disc at each."""
    side = min(image.shape)
    kind = int(rng.integers(3))
    length = rng.uniform(*noise.length) * side
    if kind == 2:
        length = min(length, side / 2) * 0.6
    rotation = rng.uniform(0, 2 * math.pi)
    centre = rng.uniform(1 / 6, 5 / 6, 2) * (np.array(image.shape) - 1)
    grey = rng.uniform(*noise.grey)
    result, mask = image.copy(), np.zeros(image.shape, np.bool_)
    for step in np.arange(0, length, 0.1):
        along, across = step - length / 2, _height(kind, step, length, noise, side)
        row = centre[0] + along * math.sin(rotation) + across * math.cos(rotation)
        column = centre[1] + along * math.cos(rotation) - across * math.sin(rotation)
        _dab(result, mask, (row, column), noise.thickness / 2, grey, noise.grain, rng)
    return result, mask


def _height(kind: int, step: float, length: float, noise: Scratch, side: int) -> float:
    """Height of a line, a sine or a square root (lying on its side) at a place along it."""
    if kind == 1:
        return noise.amplitude * side * math.sin(2 * math.pi * step / (noise.period * side))
    if kind == 2:
        return (step**2 - length**2 / 2) / (noise.root * side)
    return 0.0


def _dab(
    image: Image,
    mask: Mask,
    place: tuple[float, float],
    radius: float,
    grey: float,
    grain: float,
    rng: np.random.Generator,
) -> None:
    """Set the pixels within ``radius`` of a place to a noisy grey."""
    height, width = image.shape
    for row in range(math.ceil(place[0] - radius), math.floor(place[0] + radius) + 1):
        for column in range(math.ceil(place[1] - radius), math.floor(place[1] + radius) + 1):
            inside = 0 <= row < height and 0 <= column < width
            if inside and math.hypot(row - place[0], column - place[1]) <= radius:
                image[row, column] = min(max(rng.normal(grey, grain), 0), 1)
                mask[row, column] = True
