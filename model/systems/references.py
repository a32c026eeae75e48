"""References that use no sensor: equal shares, means, and the nearest window on the clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.batch import Batch, Labels
from model.systems import PERSON, PLACE
from model.systems.base import check_labels, complete


class Uniform:
    """All emotions in equal shares."""

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Learn how many emotions there are."""
        check_labels(labels)
        self._count = labels.distribution.shape[1]

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return equal shares, shape (N, C)."""
        return np.full((len(batch), self._count), 1 / self._count)


class TrainMean:
    """The mean label of the training windows, for everybody at all times."""

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Average the complete labels."""
        check_labels(labels)
        self._mean = labels.distribution[complete(labels)].mean(axis=0)

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return the mean for each window, shape (N, C)."""
        return np.tile(self._mean, (len(batch), 1))


class SubjectMean:
    """Each person's own mean label; an oracle where the person was not trained on.

    Takes batches with the single modality `PERSON`, a number that stands for the person.
    """

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Average the labels of each person."""
        check_labels(labels)
        codes = batch.features[PERSON][:, 0]
        self._means = {
            float(code): labels.distribution[codes == code].mean(axis=0)
            for code in np.unique(codes)
        }

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return the mean of each window's person, shape (N, C)."""
        return np.array([self._means[float(code)] for code in batch.features[PERSON][:, 0]])


class PlaceMean:
    """The mean training label of trials at the same place of the session: first, second ...

    Takes batches with the single modality `PLACE`. A place that nobody in training had gets the
    mean of all.
    """

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Average the complete labels of each place."""
        check_labels(labels)
        rows = complete(labels)
        places, shares = batch.features[PLACE][rows, 0], labels.distribution[rows]
        self._mean = shares.mean(axis=0)
        self._means = {float(one): shares[places == one].mean(axis=0) for one in np.unique(places)}

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return the mean of each window's place, shape (N, C)."""
        places = batch.features[PLACE][:, 0]
        return np.array([self._means.get(float(place), self._mean) for place in places])


class NearestOnClock:
    """The label of the training window that is nearest in elapsed time.

    Uses no sensor. Where neighbouring windows are split at random it is all but perfect, which
    shows that such a split measures nothing.
    """

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Keep the training windows in order of time."""
        check_labels(labels)
        order = np.argsort(batch.elapsed, kind="stable")
        self._times = batch.elapsed[order]
        self._labels = labels.distribution[order]

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return the nearest label, shape (N, C)."""
        right = np.clip(np.searchsorted(self._times, batch.elapsed), 1, len(self._times) - 1)
        if len(self._times) == 1:
            return np.tile(self._labels[0], (len(batch), 1))
        before = batch.elapsed - self._times[right - 1]
        after = self._times[right] - batch.elapsed
        return np.asarray(self._labels[np.where(before <= after, right - 1, right)])
