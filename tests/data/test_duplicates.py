"""Near duplicates are found by their thumbnails."""

import numpy as np
import pytest

from cyclegan.data.duplicates import THUMBNAIL_SIDE, near_pairs


@pytest.mark.parametrize(("other_share", "same"), [(0.0, True), (1.0, False)])
def test_near_pairs_have_correlated_thumbnails(other_share, same):
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    thumbnails = np.stack([one, (1 - other_share) * one + other_share * other])
    thumbnails /= np.linalg.norm(thumbnails, axis=(1, 2), keepdims=True)
    assert ({(0, 1, False)} == set(near_pairs(thumbnails))) is same


def test_thousands_of_pictures_are_compared():
    random = np.random.default_rng(0)
    coarse = random.normal(size=(5_000, 8, 8)).astype(np.float32)
    thumbnails = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)
    thumbnails[-1] = thumbnails[0]
    thumbnails /= np.linalg.norm(thumbnails, axis=(1, 2), keepdims=True)
    assert set(near_pairs(thumbnails.astype(np.float16))) == {(0, 4_999, False)}
