from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.ratings import MAX_ITEMS, MAX_NAME, MAX_TEXT, Rating
from model.labels import EDL7, IPANAS_SF, PANAS10, distribution, intensity
from realtime.errors import InputError
from realtime.markers import Event, format_marker, parse_marker
from realtime.metadata import clean

SCORES = dict(zip(IPANAS_SF.emotions, (3, 1, 2, 5, 1, 1, 4, 1, 2, 2), strict=True))


def rating(**items: float | None) -> Rating:
    return Rating("ipanas-sf", {**SCORES, **items}, (1, 5))


def test_shares_and_intensity_are_those_of_the_label_set() -> None:
    one = rating()
    scores = [SCORES[name] for name in IPANAS_SF.emotions]
    np.testing.assert_array_equal(one.shares(IPANAS_SF), distribution(scores))
    assert one.intensity(IPANAS_SF) == pytest.approx(intensity(scores, (1.0, 5.0)))
    assert one.shares(IPANAS_SF).sum() == pytest.approx(1)
    assert (one.complete, one.unanswered, one.missing(IPANAS_SF)) == (True, (), ())


def test_without_an_answer_there_is_no_label() -> None:
    one = rating(ashamed=None)
    assert not one.complete
    assert one.unanswered == ("ashamed",)
    assert one.missing(IPANAS_SF) == ("ashamed",)
    assert np.isnan(one.shares(IPANAS_SF)).all()
    assert math.isnan(one.intensity(IPANAS_SF))


def test_an_item_that_the_labels_do_not_need_may_be_open() -> None:
    items = dict.fromkeys(PANAS10.emotions, 2.0)
    one = Rating("panas", {**items, "guilty": None}, (1, 5))
    np.testing.assert_allclose(one.shares(PANAS10), 0.1)
    assert not one.complete


def test_what_was_not_asked_is_missing() -> None:
    assert rating().missing(PANAS10) == ("excited", "enthusiastic", "scared", "distressed")
    assert np.isnan(rating().shares(PANAS10)).all()


def test_another_scale_is_mapped_to_that_of_the_labels() -> None:
    slider = Rating("vas", {name: 25 * (s - 1) for name, s in SCORES.items()}, (0, 100))
    np.testing.assert_allclose(slider.shares(IPANAS_SF), rating().shares(IPANAS_SF))
    assert slider.intensity(IPANAS_SF) == pytest.approx(rating().intensity(IPANAS_SF))
    nothing = Rating("edl7", dict.fromkeys(EDL7.emotions, 0), (0, 4))
    assert np.isnan(nothing.shares(EDL7)).all()  # no shares of nothing
    assert nothing.intensity(EDL7) == 0


def test_the_marker_keeps_scores_order_and_what_was_left_out() -> None:
    items = {"upset": 2.0, "alert": None, "né": 4.5, "afraid": None}
    one = Rating("own", items, (0, 5), trial="film 3", participant="p07")
    event = parse_marker(format_marker(one.to_event()))
    assert event is not None
    assert event.items == {"upset": 2.0, "né": 4.5}
    again = Rating.from_event(event)
    assert again == one
    assert again.order == ("upset", "alert", "né", "afraid")


def test_the_largest_rating_fits_into_a_marker() -> None:
    names = [f"{number:02d}{chr(34) * (MAX_NAME - 2)}" for number in range(MAX_ITEMS)]
    texts = ["\\" * MAX_TEXT] * 3
    one = Rating(texts[0], dict.fromkeys(names, 1.2345678901234567), (0, 5), texts[1], texts[2])
    event = parse_marker(format_marker(one.to_event()))
    assert event is not None
    assert Rating.from_event(event) == one


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20).map(clean).filter(bool),
        st.none() | st.floats(0, 9),
        min_size=1,
        max_size=12,
    )
)
def test_any_rating_survives(items: dict[str, float | None]) -> None:
    folded = {name.casefold(): (name, score) for name, score in items.items()}
    one = Rating("own", dict(folded.values()), (0, 9), "t")
    event = parse_marker(format_marker(one.to_event()))
    assert event is not None
    again = Rating.from_event(event)
    assert (again, again.order) == (one, one.order)


def test_other_programs_need_not_tell_the_order() -> None:
    event = Event("rating", trial="1", instrument="PANAS", items={"upset": 2, "alert": 3})
    with pytest.raises(InputError, match="'1' names no scale"):
        Rating.from_event(event)
    one = Rating.from_event(event, scale=(1, 5))
    assert (one.items, one.scale) == ({"upset": 2.0, "alert": 3.0}, (1.0, 5.0))
    partly = Event("rating", items={"b": 1, "c": 2}, order=("c", "a"), scale=(0, 2))
    assert Rating.from_event(partly).items == {"c": 2.0, "a": None, "b": 1.0}


@pytest.mark.parametrize("event", [Event("note", text="x"), Event("rating", scale=(1, 5))])
def test_other_events_are_no_ratings(event: Event) -> None:
    with pytest.raises(InputError, match="is no rating"):
        Rating.from_event(event)


@pytest.mark.parametrize(
    ("items", "scale", "said"),
    [
        ({"upset": 6}, (1, 5), "score 6 of 'upset' lies outside the scale 1 to 5"),
        ({"upset": 0}, (1, 5), "outside"),
        ({"upset": math.nan}, (1, 5), "outside"),
        ({"upset": 2, "Upset": 2}, (1, 5), "'Upset' twice"),
        ({"": 2}, (1, 5), "empty"),
        ({"up\nset": 2}, (1, 5), "one line"),
        ({" upset": 2}, (1, 5), "spaces around"),
        ({"x" * (MAX_NAME + 1): 2}, (1, 5), "at most 48"),
        ({}, (1, 5), "0 items"),
        ({f"i{n}": 1 for n in range(MAX_ITEMS + 1)}, (1, 5), "65 items"),
        ({"upset": 2}, (5, 1), "rising"),
        ({"upset": 2}, (0, math.inf), "rising"),
    ],
)
def test_ratings_that_make_no_sense_are_refused(
    items: dict[str, float | None], scale: tuple[float, float], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Rating("own", items, scale)


def test_names_are_short_lines() -> None:
    with pytest.raises(InputError, match="trial of a rating"):
        Rating("own", {"upset": 2}, (1, 5), trial="a\x1b[31m")


def test_the_scores_cannot_be_changed_from_outside() -> None:
    items: dict[str, float | None] = {"upset": 2}
    one = Rating("own", items, (1, 5))
    items["upset"] = 9
    assert one.items == {"upset": 2.0}
