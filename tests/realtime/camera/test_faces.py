"""Faces and eyes in real pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.camera.faces import eye_distance, find_again, find_faces, is_dark, similarity
from tests.data import data_folder
from tests.realtime.camera.recordings import NOBODY, SMILE, grey_of


def test_faces_among_small_pictures() -> None:
    pictures = np.load(data_folder("face") / "skimage__lfw_subset.npy")[::2]
    found = []
    for picture in pictures:
        large = cv2.resize(np.round(255 * picture).astype(np.uint8), (100, 100))
        found.append(
            bool(find_faces(cv2.copyMakeBorder(large, 40, 40, 40, 40, cv2.BORDER_REPLICATE)))
        )
    hits, false = np.mean(found[:50]), np.mean(found[50:])
    assert hits >= 0.95, f"found {hits:.0%} of the faces"
    assert false <= 0.02, f"found {false:.0%} faces where there are none"


def test_nobody_in_a_cartoon() -> None:
    false = np.mean([bool(find_faces(grey)) for grey in grey_of(NOBODY)[::5]])
    assert false <= 0.05, f"false finds in {false:.1%} of the frames"


def test_eyes_lie_where_they_are() -> None:
    astronaut = cv2.imread(str(data_folder("face") / "skimage__astronaut.png"), 0)
    (eyes,) = find_faces(astronaut)
    # Read off the picture by eye.
    np.testing.assert_allclose(eyes, [[203.5, 101.0], [247.0, 103.3]], atol=3)


@pytest.mark.parametrize("turn", [-25, -10, 15, 25])
def test_a_followed_face_is_found_again_when_it_is_tilted(turn: float) -> None:
    grey = grey_of(SMILE)[0]
    (eyes,) = find_faces(grey)
    matrix = cv2.getRotationMatrix2D(tuple(eyes.mean(axis=0)), turn, 1.0)
    tilted = cv2.warpAffine(grey, matrix, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    expected = eyes @ matrix[:, :2].T + matrix[:, 2]
    again = find_again(tilted, expected + 3.0)
    assert again is not None
    assert np.abs(again - expected).max() < 0.12 * eye_distance(eyes)


def test_a_wall_is_not_found_again() -> None:
    grey = grey_of(SMILE)[0]
    assert find_again(grey, np.array([[60.0, 60.0], [110.0, 60.0]])) is None


def test_light_loss_is_dark_and_evening_is_not() -> None:
    grey = grey_of(SMILE)[0]
    assert not is_dark(grey) and not is_dark((0.3 * grey).astype(np.uint8))
    assert is_dark((0.1 * grey).astype(np.uint8)) and is_dark(np.zeros_like(grey))


def test_similarity_carries_points_onto_points() -> None:
    rng = np.random.default_rng(8)
    source, target = rng.uniform(0, 100, (2, 2, 2))
    matrix = similarity(source, target)
    np.testing.assert_allclose(source @ matrix[:, :2].T + matrix[:, 2], target, atol=1e-9)
    assert np.linalg.det(matrix[:, :2]) > 0
    np.testing.assert_allclose(matrix[0, 0], matrix[1, 1])
