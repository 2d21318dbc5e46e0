"""Streams of a camera, whose next image is not there yet, and of a list, whose images are."""

import dataclasses
import threading
import time

import numpy as np
import pytest
from quick_detector import QuickDetector, quick_detector

from aesc.detector import Preprocessing

GREY = np.full((8, 8), 100, np.uint8)


@pytest.mark.parametrize("size", [1, 3])
def test_a_camera_is_asked_for_more_only_when_its_results_were_taken(size):
    taken = []

    def camera():
        for index in range(9):
            assert len(taken) == index - index % size
            yield GREY

    for result in quick_detector().stream(camera(), batch_size=size):
        taken.append(result.verdict)
    assert len(taken) == 9


def test_what_a_camera_raises_comes_after_the_results_before_it():
    def camera():
        yield GREY
        yield GREY
        raise OSError("unplugged")

    taken = []
    with pytest.raises(OSError, match="unplugged"):
        for result in quick_detector().stream(camera(), batch_size=1):
            taken.append(result.verdict)
    assert len(taken) == 2


def test_waiting_for_a_camera_is_no_time_of_an_image():
    def camera():
        for _ in range(3):
            time.sleep(0.3)
            yield GREY

    assert all(result.seconds < 0.2 for result in quick_detector().stream(camera(), batch_size=1))


def test_the_next_images_of_a_list_are_read_while_the_network_computes():
    begun = [threading.Event() for _ in range(6)]

    class Reading(Preprocessing):
        def read(self, source, name=None):
            begun[source[0, 0]].set()
            return super().read(source, name)

    class Computing(QuickDetector):
        def judge(self, pictures, last=""):
            following = round(pictures[-1].pixels[0, 0, 0] * 255) + 1
            ahead.append(following == 6 or begun[following].wait(5))
            return super().judge(pictures, last)

    ahead = []
    detector = dataclasses.replace(quick_detector(Computing), preprocessing=Reading((8, 8), 1, 255))
    images = [np.full((8, 8), index, np.uint8) for index in range(6)]
    assert len(list(detector.stream(images, batch_size=2))) == 6
    assert ahead == [True] * 3
