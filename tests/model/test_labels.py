"""Label sets: shares, intensity, and the alignment of one set to another."""

from __future__ import annotations

import numpy as np
import pytest

from model.labels import (
    IPANAS_SF,
    LABEL_SETS,
    PANAS10,
    LabelSet,
    align,
    distribution,
    intensity,
    label_set,
)
from realtime.errors import InputError


def test_shares_are_scores_over_their_sum() -> None:
    shares = distribution([[1, 3, 4], [5, 5, 5]])
    np.testing.assert_allclose(shares, [[1 / 8, 3 / 8, 4 / 8], [1 / 3, 1 / 3, 1 / 3]])


def test_shares_say_nothing_of_strength_but_intensity_does() -> None:
    weak, strong = np.ones(10), np.full(10, 5.0)
    np.testing.assert_allclose(distribution(weak), distribution(strong))
    assert intensity(weak, (1, 5)) == 0.0
    assert intensity(strong, (1, 5)) == 1.0
    assert intensity([1, 2, 3], (1, 5)) == pytest.approx(0.25)


def test_a_missing_answer_makes_both_unknown() -> None:
    ratings = [[1.0, np.nan, 2.0], [1.0, 1.0, 2.0]]
    assert np.isnan(distribution(ratings)[0]).all()
    assert np.isfinite(distribution(ratings)[1]).all()
    np.testing.assert_array_equal(np.isnan(intensity(ratings, (1, 5))), [True, False])


@pytest.mark.parametrize("bad", [-1.0, np.inf])
def test_a_score_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match=f"rating {bad:g}"):
        distribution([1.0, bad])


def test_a_score_off_the_scale_is_refused() -> None:
    with pytest.raises(InputError, match="rating 7 lies outside the scale 1 to 5"):
        intensity([1.0, 7.0], (1, 5))


def test_six_items_are_shared_and_renormalised() -> None:
    source = distribution([[4, 3, 2, 5, 5, 1, 5, 5, 1, 1]])
    aligned, items = align(source, IPANAS_SF, PANAS10)
    shared = {n for n, has in zip(PANAS10.emotions, items, strict=True) if has}
    assert shared == {"alert", "inspired", "determined", "upset", "nervous", "afraid"}
    # inspired 3, alert 4, determined 2, afraid 1, upset 1, nervous 1: their sum is 12.
    np.testing.assert_allclose(aligned[0], np.array([3, 4, 0, 0, 2, 1, 1, 1, 0, 0]) / 12)


def test_alignment_to_itself_changes_nothing() -> None:
    source = distribution(np.random.default_rng(0).integers(1, 6, (7, 10)).astype(float))
    aligned, items = align(source, PANAS10, PANAS10)
    np.testing.assert_allclose(aligned, source)
    assert items.all()


def test_sets_without_common_items_are_refused() -> None:
    other = LabelSet("basic", "none", ("joy", "alert"), (1, 1), (0, 1))
    with pytest.raises(InputError, match="share 1 items"):
        align(np.full((1, 2), 0.5), other, PANAS10)


def test_negative_share() -> None:
    shares = np.array([[0.1] * 10, [0.2] * 5 + [0.0] * 5])
    np.testing.assert_allclose(PANAS10.negative_share(shares), [0.5, 0.0])
    with pytest.raises(ValueError, match=r"\(2, 9\)"):
        PANAS10.negative_share(shares[:, :9])


def test_valence_splits_every_shipped_set_in_two() -> None:
    for one in LABEL_SETS.values():
        assert set(one.positive) | set(one.negative) == set(one.emotions)
        assert abs(len(one.positive) - len(one.negative)) <= 1


def test_look_up_by_name() -> None:
    assert label_set("panas10") is PANAS10
    with pytest.raises(InputError, match="'panas'.*panas10"):
        label_set("panas")


@pytest.mark.parametrize(
    ("emotions", "valence", "scale"),
    [(("a", "a"), (1, 1), (1, 5)), (("a",), (0,), (1, 5)), (("a",), (1,), (5, 1))],
)
def test_absurd_sets_cannot_be_made(
    emotions: tuple[str, ...], valence: tuple[int, ...], scale: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match="must be"):
        LabelSet("x", "x", emotions, valence, scale)
