"""Cutting a face out of a picture, so that its eyes always lie in the same places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.camera.faces import Eyes, Picture, eye_distance, similarity
from realtime.features.lbp_top import SIZE

EYE_DISTANCE = 48.0
"""Pixels between the eyes in a crop: it then reaches from the hairline to the chin."""

EYES = np.array([[(SIZE - EYE_DISTANCE) / 2, 42.0], [(SIZE + EYE_DISTANCE) / 2, 42.0]])
"""Where the eyes lie in a crop, in pixels."""


def crop_face(picture: Picture, eyes: Eyes) -> NDArray[np.uint8]:
    """Cut out a face, upright and 128 by 128 pixels.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width)
    eyes : ndarray of float64, shape (2, 2)

    Returns
    -------
    ndarray of uint8, shape (128, 128)
        What lies outside the picture repeats its border. Never all zeros, which would mean that
        there is no face.
    """
    turn = similarity(eyes, EYES)
    scale = EYE_DISTANCE / eye_distance(eyes)
    if scale < 1:
        # Smoothed by as much as the crop is smaller, or fine detail would fold into its texture.
        reach = SIZE / scale
        middle = eyes.mean(axis=0)
        left, top = (max(int(place - reach), 0) for place in middle)
        right, bottom = (int(place + reach) + 1 for place in middle)
        sigma = 0.45 * float(np.sqrt(1 / scale**2 - 1))
        picture = cv2.GaussianBlur(picture[top:bottom, left:right], (0, 0), sigma)
        turn[:, 2] += turn[:, :2] @ (left, top)
    crop = cv2.warpAffine(
        picture, turn, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if not crop.any():
        crop[0, 0] = 1
    return np.asarray(crop, dtype=np.uint8)
