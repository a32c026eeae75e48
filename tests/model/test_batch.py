import numpy as np
import pytest

from model.batch import Batch, Labels, concatenate, concatenate_labels, from_windows
from realtime.errors import InputError
from realtime.window import Window
from tests.model.people import windows


def test_rows_of_a_batch_keep_all_its_parts_together() -> None:
    batch = windows(6)
    batch.mask["eda"][3] = False
    part = batch[np.array([3, 1])]
    assert len(part) == 2
    assert part.elapsed.tolist() == [3.0, 1.0]
    assert part.mask["eda"].tolist() == [False, True]
    np.testing.assert_array_equal(part.features["ppg"], batch.features["ppg"][[3, 1]])
    assert len(batch[batch.mask["eda"]]) == 5


def test_joining_the_parts_gives_the_whole() -> None:
    batch = windows(7)
    joined = concatenate([batch[:3], batch[3:]])
    for name in batch.modalities:
        np.testing.assert_array_equal(joined.features[name], batch.features[name])
    labels = Labels(np.full((3, 2), 0.5), np.zeros(3))
    masked = Labels(np.array([[1.0, 0.0]]), np.ones(1), np.array([[True, False]]))
    both = concatenate_labels([labels, masked])
    assert both.items is not None
    assert both.items.tolist() == [[True, True]] * 3 + [[True, False]]


def test_leaving_modalities_out() -> None:
    batch = windows(4)
    assert batch.only(["acc", "ppg"]).modalities == ("acc", "ppg")
    gone = batch.without(["ppg"])
    assert not gone.mask["ppg"].any()
    assert not gone.features["ppg"].any()
    assert batch.mask["ppg"].all()
    with pytest.raises(InputError, match="'eeg'"):
        batch.only(["eeg"])


def test_shapes_that_do_not_fit_are_refused() -> None:
    good = windows(4)
    with pytest.raises(ValueError, match="same modalities"):
        Batch(good.features, {"ppg": np.ones(4, bool)}, good.elapsed)
    with pytest.raises(ValueError, match="ppg"):
        Batch({"ppg": np.zeros((3, 2), np.float32)}, {"ppg": np.ones(4, bool)}, good.elapsed)
    with pytest.raises(ValueError, match="items"):
        Labels(np.full((2, 2), 0.5), np.zeros(2), np.ones((2, 3), bool))


def test_windows_of_the_engine_are_stacked_without_what_is_masked() -> None:
    def window(time: float, value: float, there: bool) -> Window:
        vector = np.array([value, np.nan], np.float32)
        return Window(
            "a", time, {"x": vector}, {"x": vector}, {"x": there}, {}, {}, {}, False, "none"
        )

    batch = from_windows([window(10, 1, True), window(11, 2, False)], ["x"], start=4.0)
    assert batch.elapsed.tolist() == [6.0, 7.0]
    assert batch.features["x"].tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert from_windows([], ["x"]).mask["x"].shape == (0,)
