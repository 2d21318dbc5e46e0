"""The object categories: parts lie where they should, and each defect does what its name says."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from aesc.synthetic.fields import grid
from aesc.synthetic.objects import OBJECTS
from aesc.synthetic.objects import circuit_board as board
from aesc.synthetic.objects.shapes import Pose, box_inside, canvas, cast, lettering, normals, ribbon

SPECS = {spec.name: spec for spec in OBJECTS}
DEFECTS = [(spec.name, defect) for spec in OBJECTS for defect in spec.defects]
SIZE = 96

Grey = NDArray[np.float64]
Area = NDArray[np.bool_]


@cache
def _grey(name: str, seed: int, defect: str | None = None) -> tuple[Grey, Area]:
    image, mask = SPECS[name].render(np.random.default_rng(seed), SIZE, defect)
    return image @ (0.299, 0.587, 0.114), mask


def _part(grey: Grey) -> Area:
    """What stands out from the ground that the border shows, holes included."""
    border = np.concatenate([grey[:2].ravel(), grey[-2:].ravel(), grey[:, :2].ravel()])
    return np.abs(grey - np.median(border)) > 0.17


def _axes(area: Area) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard deviations along the principal axes (long one first) and the long axis (y, x)."""
    spread, directions = np.linalg.eigh(np.cov(np.argwhere(area).T))
    return np.sqrt(spread[::-1]), directions[:, 1]


def _centroid(mask: Area) -> NDArray[np.float64]:
    """Centre of a mask on the board, whose middle lies near the middle of the image."""
    return (np.argwhere(mask).mean(axis=0) + 0.5) / SIZE - 0.5


@pytest.mark.parametrize("name", SPECS)
def test_the_part_stays_inside_the_frame(name: str):
    for seed in range(8):
        part = _part(_grey(name, seed)[0])
        edge = np.ones_like(part)
        edge[2:-2, 2:-2] = False
        assert 0.05 < part.mean() < 0.75
        assert not (part & edge).any()


@pytest.mark.parametrize(("name", "defect"), DEFECTS)
def test_a_defect_lies_on_the_part(name: str, defect: str):
    for seed in (0, 1):
        part = ndimage.binary_dilation(_part(_grey(name, seed)[0]), iterations=4)
        _, mask = _grey(name, seed, defect)
        assert (mask & part).sum() > 0.5 * mask.sum()


def test_screws_lie_at_every_angle_and_capsules_nearly_level():
    screws = []
    for seed in range(16):
        spread, (y, x) = _axes(_part(_grey("screw", seed)[0]))
        assert spread[0] > 4 * spread[1]
        screws.append(np.arctan2(y, x) % np.pi)
    assert set(np.floor(np.array(screws) / (np.pi / 4)).astype(int)) == {0, 1, 2, 3}
    for seed in range(6):
        _, (y, x) = _axes(_part(_grey("capsule", seed)[0]))
        assert abs(np.arctan(y / x)) < 0.25


@pytest.mark.parametrize("defect", ["missing", "turned"])
def test_a_missing_or_turned_component_is_marked_at_its_place(defect: str):
    places = np.array([(part.v, part.u) for part in board.PARTS])
    marked = set()
    for seed in range(8):
        _, mask = _grey("circuit", seed, defect)
        away = np.hypot(*(places - _centroid(mask)).T)
        assert away.min() < 0.05
        marked.add(int(away.argmin()))
    assert len(marked) >= 3  # not always the same component


def test_solder_bridges_join_two_neighbouring_leads():
    feet = np.array([foot for _, foot in board.leads(board.PARTS[0])]).reshape(2, -1, 2)
    between = (0.5 * (feet[:, 1:] + feet[:, :-1])).reshape(-1, 2)
    for seed in range(8):
        _, mask = _grey("circuit", seed, "bridge")
        assert np.hypot(*(between - _centroid(mask)).T).min() < 0.04


def test_a_clipped_wire_is_thin_and_bright():
    for seed in range(8):
        good, _ = _grey("circuit", seed)
        grey, mask = _grey("circuit", seed, "wire")
        assert 0.003 < mask.mean() < 0.04
        assert (grey - good)[mask].max() > 0.25


def test_a_broken_board_lacks_one_of_its_corners():
    half = np.array(board.BOARD_HALF)
    for seed in range(8):
        _, mask = _grey("circuit", seed, "broken")
        assert np.hypot(*(half - np.abs(_centroid(mask)))) < 0.2


@pytest.mark.parametrize(
    ("name", "defect", "grows"),
    [
        ("washer", "chip", False),
        ("washer", "burr", True),
        ("screw", "head_chip", False),
        ("screw", "burr", True),
        ("capsule", "loose_cap", True),
        ("circuit", "broken", False),
    ],
)
def test_what_breaks_off_is_gone_and_what_sticks_out_is_there(name: str, defect: str, grows: bool):
    seeds = range(4)
    good = sum(_part(_grey(name, seed)[0]).sum() for seed in seeds)
    flawed = sum(_part(_grey(name, seed, defect)[0]).sum() for seed in seeds)
    assert flawed - good > 20 if grows else good - flawed > 20


def test_a_loose_cap_makes_the_capsule_longer_and_a_bend_the_screw_shorter():
    for seed in range(3):
        for name, defect, sign in (("capsule", "loose_cap", 1), ("screw", "bent", -1)):
            good = _part(_grey(name, seed)[0])
            _, axis = _axes(good)
            places = [np.argwhere(p) @ axis for p in (good, _part(_grey(name, seed, defect)[0]))]
            change = sign * (np.ptp(places[1]) - np.ptp(places[0])) / SIZE
            assert 0.015 < change < 0.1


def test_an_oval_mouth_is_out_of_round():
    y, x = np.indices((SIZE, SIZE)) / SIZE - 0.5
    for seed in range(4):
        for defect, low, high in ((None, 1.0, 1.04), ("oval", 1.05, 1.25)):
            grey, _ = _grey("bottle", seed, defect)
            spread, _ = _axes((grey > 0.45) & (np.hypot(y, x) < 0.18))
            assert low <= spread[0] / spread[1] < high


def test_bleeding_smeared_and_doubled_ink_is_more_ink():
    for seed in range(4):
        good = _grey("capsule", seed)[0].sum()
        for defect, least in (("bleeding", 20), ("smeared", 20), ("misprint", 5)):
            assert good - _grey("capsule", seed, defect)[0].sum() > least


@pytest.mark.parametrize("size", [32, 33, 100, 128, 300])
def test_a_canvas_is_a_fine_multiple_of_the_image(size: int):
    assert canvas(size) % size == 0
    assert canvas(size) >= max(256, 2 * size)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(0.4, 0.6)] * 2),
    st.floats(-np.pi, np.pi),
    st.floats(0.8, 1.2),
    st.tuples(*[st.floats(-0.25, 0.25)] * 2),
)
def test_looking_at_a_placed_point_finds_it_again(centre, angle, scale, point):
    pose = Pose(centre, angle, scale)
    row, column = (pose.place(point) * 128).astype(int)
    v, u = pose.look(128)
    assert np.hypot(v[row, column] - point[0], u[row, column] - point[1]) < 1 / 128 / scale


def test_box_distance_agrees_with_the_nearest_point_of_its_outline():
    half_v, half_u, corner = 0.12, 0.2, 0.05
    y, x = grid(40)
    turn = np.linspace(0, 2 * np.pi, 400)
    arcs = [
        np.stack([sv * (half_v - corner), su * (half_u - corner)])[:, None]
        + corner * np.stack([sv * np.abs(np.sin(turn)), su * np.abs(np.cos(turn))])
        for sv in (-1, 1)
        for su in (-1, 1)
    ]
    along = np.linspace(-1, 1, 400)
    sides = [np.stack([0 * along + s * half_v, along * (half_u - corner)]) for s in (-1, 1)]
    ends = [np.stack([along * (half_v - corner), 0 * along + s * half_u]) for s in (-1, 1)]
    outline = np.concatenate([*arcs, *sides, *ends], axis=1)
    points = np.stack([y.ravel() - 0.5, x.ravel() - 0.5])
    nearest = np.hypot(*(points[:, :, None] - outline[:, None, :])).min(axis=1)
    found = box_inside(points[0], points[1], half_v, half_u, corner)
    np.testing.assert_allclose(np.abs(found), nearest, atol=1e-3)
    assert found[np.argmin(np.hypot(*points))] > 0 > found[0]


def test_normals_of_a_sphere_point_away_from_its_centre():
    y, x = grid(200)
    y, x, radius = y - 0.5, x - 0.5, 0.9
    height = np.sqrt(radius**2 - y**2 - x**2)
    for found, expected in zip(normals(height), (x, y, height), strict=True):
        np.testing.assert_allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2] / radius, atol=0.002)


def test_a_cast_shadow_is_the_outline_moved_away_from_the_lamp():
    y, x = grid(100)
    disc, moved = 0.2 - np.hypot(y - 0.5, x - 0.5), 0.2 - np.hypot(y - 0.44, x - 0.5)
    shadow = cast(disc, np.pi / 2, 0.06)  # a lamp below throws the shadow up
    np.testing.assert_allclose(shadow[20:80, 20:80], moved[20:80, 20:80], atol=0.004)


def test_a_straight_ribbon_has_the_area_of_its_length_and_width():
    path = np.linspace((0.1, 0.2), (0.4, 0.6), 5)
    y, x = ribbon(path, 0.03).T
    area = 0.5 * abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1)))
    assert area == pytest.approx(0.5 * 0.03)


def test_lettering_is_centred_and_as_high_as_asked():
    points = np.concatenate(lettering("012345", 0.2))
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose(high[0] - low[0], 0.2, rtol=0.1)
    np.testing.assert_allclose((low + high) / 2, 0.0, atol=0.02)
