"""Systems of python-ldl, with settings that make them converge, seeded and on one thread.

What differs from the library:

- Linear methods get a column of ones beside the features (`with_ones`).
- LDL-LRR makes 50 iterations of L-BFGS, as in the library. This stops it early: ten times as many
  fit the training windows better and others worse.
- PT-Bayes smooths variances by a tenth of the largest one, as in the library. Emotions too rare to
  be drawn into its resampled training set get their mean share.

The library draws from the global generators of Python, NumPy and torch; these are put back.
AA-BP, SA-IIS, SA-CPNN, PT-SVM and TLR-LDL have modules of their own, since the library's take
minutes or do not converge.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.systems.base import SideBySide, with_ones
from realtime.errors import InputError

NEIGHBOURS = 5

RANKING = 1e-3
"""Weight of LDL-LRR's ranking term, as in the library."""

LRR_STEPS = 50

RARE = 25
"""Expected draws below which PT-Bayes leaves an emotion out: it might not be drawn at all."""

Array = NDArray[np.float64]


class LibrarySystem(SideBySide):
    """A system of the library in `_method`, its features in `prepared`."""

    _method: Any

    def prepared(self, x: Array) -> Array:
        """Return what the method sees of the features, shape (N, D)."""
        return x

    def infer(self, x: Array) -> Array:
        """Return what the method predicts, shape (N, C)."""
        return np.asarray(self._method.predict(self.prepared(x)), dtype=np.float64)


class PtBayes(LibrarySystem):
    """Naive Bayes on windows drawn with a single emotion each, by its share (Geng 2016)."""

    def learn(self, x: Array, shares: Array) -> None:
        """Fit a Gaussian to each feature and emotion."""
        # The library draws as many examples as there are shares.
        drawn = shares.sum(axis=0) * shares.shape[1] >= RARE
        self._mean = shares.mean(axis=0)
        self._drawn = drawn if drawn.sum() > 1 else np.zeros_like(drawn)
        if self._drawn.any():
            with seeded(self.seed):
                # A window of rare emotions alone weighs nothing.
                self._method = algorithms().PT_Bayes().fit(x, shares[:, self._drawn])

    def infer(self, x: Array) -> Array:
        """Return the posterior of the emotions that were drawn, and the means of others."""
        shares = np.tile(self._mean, (len(x), 1))
        if self._drawn.any():
            shares[:, self._drawn] = super().infer(x) * self._mean[self._drawn].sum()
        return shares


class AaKnn(LibrarySystem):
    """The mean distribution of the five nearest windows (Geng 2016)."""

    def learn(self, x: Array, shares: Array) -> None:
        """Keep the windows."""
        self._method = algorithms().AA_KNN(k=min(NEIGHBOURS, len(x))).fit(x, shares)


class SaBfgs(LibrarySystem):
    """The maximum entropy model, fitted by L-BFGS without regularisation (Geng 2016)."""

    def prepared(self, x: Array) -> Array:
        """Add the column of ones."""
        return with_ones(x)

    def learn(self, x: Array, shares: Array) -> None:
        """Minimise KL divergence."""
        with seeded(self.seed):
            self._method = algorithms().SA_BFGS().fit(self.prepared(x), shares)


class LdlLrr(LibrarySystem):
    """The maximum entropy model with a loss on the order of the shares (Jia et al. 2023).

    "Label Distribution Learning by Exploiting Label Ranking Relation", IEEE TKDE.

    Parameters
    ----------
    seed : int
    ranking : float
        Weight of the ranking loss.
    """

    def __init__(self, seed: int = 0, ranking: float = RANKING) -> None:
        super().__init__(seed)
        self.ranking = ranking

    def prepared(self, x: Array) -> Array:
        """Add the column of ones, in the precision of the library's network."""
        return with_ones(x).astype(np.float32)

    def learn(self, x: Array, shares: Array) -> None:
        """Minimise KL divergence and ranking loss."""
        library = algorithms()
        with on_torch(self.seed):
            method = library.LDL_LRR(alpha=self.ranking, random_state=self.seed)
            self._method = method.fit(self.prepared(x), shares, max_iterations=LRR_STEPS)

    def infer(self, x: Array) -> Array:
        """Return the model's distributions, shape (N, C)."""
        with on_torch(self.seed):
            return super().infer(x)


def algorithms() -> ModuleType:
    """Return the library's algorithms; InputError if it is not installed."""
    try:
        import pyldl.algorithms
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name!r} is not installed, which the classical systems come from: "
            "pip install 'affectstream[papers]', or leave them out"
        ) from error
    return pyldl.algorithms


def keras() -> ModuleType:
    """Return Keras on torch, imported without a look at, or a file in, the user's home."""
    wanted = {"KERAS_BACKEND": "torch"}
    before = {name: os.environ.get(name) for name in (*wanted, "KERAS_HOME")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(wanted, KERAS_HOME=folder)
        try:
            import keras
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
    return keras


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators of Python and NumPy inside the block."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def on_torch(seed: int) -> Iterator[None]:
    """Seed torch's generator too, and keep Keras on one thread of the processor."""
    import torch

    from model.device import one_thread

    with seeded(seed), one_thread(), torch.random.fork_rng([]), keras().device("cpu"):
        torch.manual_seed(seed)
        yield
