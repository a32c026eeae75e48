"""Artefact filters for EEG, fitted once to a stretch of a person's recording."""

from __future__ import annotations

import logging
import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import freqz, welch
from scipy.stats import kurtosis
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from realtime.errors import InputError
from realtime.features.artefacts import (
    ArtefactFilter,
    ComponentRemoval,
    Montage,
    SubspaceReconstruction,
)
from realtime.features.eeg import EegFeatures
from realtime.offline import engine_for
from realtime.recording import Recording
from realtime.rig import ModalitySettings, Rig

_log = logging.getLogger(__name__)

METHODS = ("ica", "asr")

SHORTEST = 30.0
"""Seconds of complete samples that a fit needs: what artefact subspace reconstruction asks for at
least (Kothe and Jung 2016). A component analysis of 18 electrodes at 300 Hz then has 28 samples a
weight."""

CUTOFF = 20.0
"""Standard deviations of clean power beyond which a direction is an artefact. Chang et al. (2020)
find 20 to 30 best; meegkit's default of 5 takes brain activity out too."""

MEASURED = 0.9
"""Share of the stretch in which an electrode must measure to be fitted."""

FRONTAL = re.compile(r"(fp|af)[\dz]*", re.IGNORECASE)
"""Electrodes next to the eyes."""

BLINK_CORRELATION = 0.5
"""With the mean of the frontal electrodes, in absolute value, from which a component is of the
eyes, if it comes in spikes too."""

BLINK_KURTOSIS = 3.0
"""Excess kurtosis of spikes: 0 for noise, below 0 for rhythms, about 20 for a blink in 4 s."""

ROUNDS = 200
"""Of the component analysis at most. Components near to Gaussian noise turn for ever; those with
spikes or bursts stand after some tens."""

MUSCLE_RATIO = 0.6
"""Mean density at 30–45 Hz over that at 5–15 Hz from which a component is of muscle, or noise of
an electrode. Brain spectra fall as 1/f or faster, which gives 0.27 or less; muscle rises."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Filtered EEG of the stretch of a recording to which a filter is fitted.

    Attributes
    ----------
    montage : Montage
    samples : ndarray of float64, shape (n_samples, n_fitted)
        Of the electrodes that measure, where all of them do.
    """

    montage: Montage
    samples: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """Length of what is used."""
        return len(self.samples) / self.montage.rate

    @property
    def channels(self) -> tuple[str, ...]:
        """The electrodes that measure."""
        pairs = zip(self.montage.channels, self.montage.fitted, strict=True)
        return tuple(name for name, fitted in pairs if fitted)


@dataclass(frozen=True, slots=True)
class Component:
    """An independent component, and what it was judged by.

    Attributes
    ----------
    number : int
        From 0, the strongest first.
    kind : str
        ``"blink"``, ``"muscle"`` or ``"other"``.
    strongest : str
        The electrode at which it is strongest.
    share : float
        Of the power of all electrodes.
    frontal : float
        Absolute correlation with the mean of the frontal electrodes; NaN without any.
    kurtosis : float
        Excess kurtosis.
    fast : float
        Mean density at 30–45 Hz over that at 5–15 Hz.
    removed : bool
    """

    number: int
    kind: str
    strongest: str
    share: float
    frontal: float
    kurtosis: float
    fast: float
    removed: bool


def eeg_of(rig: Rig) -> ModalitySettings:
    """Return the rig's EEG.

    Raises
    ------
    InputError
        If it has none.
    """
    for modality in rig.modalities:
        if modality.features == EegFeatures.name:
            return modality
    raise InputError(
        f"the rig {rig.name!r} has no EEG: give a rig with a modality whose features are "
        f"{EegFeatures.name!r}, such as dmer"
    )


def cut_stretch(
    recording: Recording,
    rig: Rig,
    stretch: tuple[float, float],
    choices: dict[str, str] | None = None,
) -> Stretch:
    """Take a stretch of EEG out of a recording, as the engine filters it.

    Parameters
    ----------
    recording : Recording
    rig : Rig
    stretch : tuple of float
        Seconds from the recording's start.
    choices : dict of str to str, optional
        Chosen streams, as ``--bind`` gives them.

    Raises
    ------
    InputError
        If the recording has no EEG there, or too little.
    """
    settings = eeg_of(rig)
    alone = replace(rig, modalities=(settings,))
    engine = engine_for(recording, alone, "P1", None, None, None, choices)
    for chunk in recording.chunks(60.0):
        engine.push(chunk)
    signal = engine.participants["P1"].signals[settings.name]
    signal.flush()
    samples = np.empty((0, len(settings.channels)))
    if signal.start is not None:
        start, stop = (signal.cells_before(recording.start + moment) for moment in stretch)
        cells = signal.ring.read(max(start, 0), max(min(stop, signal.ring.stop), start, 0))
        samples = cells[:, len(settings.channels) :]
    present = np.isfinite(samples)
    measuring = present.sum(axis=0) >= max(1.0, MEASURED * present.any(axis=1).sum())
    changing = np.nanmax(samples, axis=0, initial=-np.inf) > np.nanmin(
        samples, axis=0, initial=np.inf
    )
    fitted = measuring & changing
    complete = samples[:, fitted]
    complete = complete[np.isfinite(complete).all(axis=1)]
    if fitted.sum() < 2 or len(complete) < SHORTEST * settings.rate:
        raise InputError(
            f"{stretch[0]:g}:{stretch[1]:g} s of {recording.path!r} have "
            f"{len(complete) / settings.rate:.1f} s in which {fitted.sum()} electrodes of the rig "
            f"{rig.name!r} measure together: a fit needs {SHORTEST:g} s of at least 2"
        )
    return Stretch(Montage.of(rig, settings, tuple(fitted.tolist())), complete)


def fit_components(
    stretch: Stretch, remove: tuple[int, ...] | None = None
) -> tuple[ComponentRemoval, tuple[Component, ...]]:
    """Fit independent components, and choose those that are artefacts.

    Parameters
    ----------
    stretch : Stretch
    remove : tuple of int, optional
        Numbers of the components to take out; None: those of eyes and muscles
        (`BLINK_CORRELATION` and `BLINK_KURTOSIS`, `MUSCLE_RATIO`).

    Raises
    ------
    InputError
        If a number is no component's.

    Notes
    -----
    FastICA (Hyvärinen 1999) with a fixed seed: the same stretch gives the same components. Where
    electrodes share a reference that was taken out before, or are bridged by gel, there are fewer
    components than electrodes.
    """
    samples = stretch.samples - stretch.samples.mean(axis=0)
    powers = np.linalg.eigvalsh(samples.T @ samples)
    rank = int((powers > 1e-9 * powers[-1]).sum())
    for number in remove or ():
        if not 0 <= number < rank:
            raise InputError(f"no component {number}: the stretch has 0 to {rank - 1}")
    analysis = FastICA(
        rank, whiten="unit-variance", fun="logcosh", max_iter=ROUNDS, tol=1e-3, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        sources = analysis.fit_transform(samples)
    if analysis.n_iter_ >= ROUNDS:
        _log.info(
            "some components did not settle in %d rounds, as is usual for those that are close to "
            "Gaussian noise",
            ROUNDS,
        )
    strength = (analysis.mixing_**2).sum(axis=0)
    order = np.argsort(-strength, kind="stable")
    mixing, sources, strength = analysis.mixing_[:, order], sources[:, order], strength[order]
    # The sign of a component means nothing: its strongest electrode is positive.
    peak = np.abs(mixing).argmax(axis=0)
    signs = np.sign(mixing[peak, np.arange(rank)])
    mixing, sources = mixing * signs, sources * signs
    frontal = [i for i, name in enumerate(stretch.channels) if FRONTAL.fullmatch(name)]
    correlation = np.full(rank, np.nan)
    if frontal:
        near = samples[:, frontal].mean(axis=1)
        correlation = np.abs(sources.T @ near) / (len(near) * near.std() * sources.std(axis=0))
    spikes = kurtosis(sources, axis=0)
    fast = _fast(sources, stretch.montage.rate)
    # NaN, without frontal electrodes, is no blink.
    blink = (correlation >= BLINK_CORRELATION) & (spikes >= BLINK_KURTOSIS)
    kinds = [
        "blink" if b else "muscle" if f >= MUSCLE_RATIO else "other"
        for b, f in zip(blink, fast, strict=True)
    ]
    if remove is None:
        remove = tuple(i for i, kind in enumerate(kinds) if kind != "other")
    components = tuple(
        Component(
            i,
            kinds[i],
            stretch.channels[peak[i]],
            float(strength[i] / strength.sum()),
            float(correlation[i]),
            float(spikes[i]),
            float(fast[i]),
            i in remove,
        )
        for i in range(rank)
    )
    return ComponentRemoval(stretch.montage, mixing, tuple(sorted(set(remove)))), components


def fit_subspace(stretch: Stretch, cutoff: float = CUTOFF) -> SubspaceReconstruction:
    """Fit artefact subspace reconstruction: the covariance of clean EEG, and thresholds.

    Parameters
    ----------
    stretch : Stretch
        May hold artefacts in up to a third of its seconds, which the fit leaves out.
    cutoff : float
        Standard deviations.

    Raises
    ------
    InputError
        If the package meegkit is not installed, or finds too little clean EEG.
    """
    try:
        from meegkit.asr import ASR
    except ImportError:
        raise InputError(
            "--method asr needs the package meegkit: install affectstream with its extra, as in "
            "`pip install affectstream[eeg]`, or use --method ica"
        ) from None
    rate = stretch.montage.rate
    # Statistics over seconds, since features are cleaned second by second.
    method = ASR(sfreq=rate, cutoff=cutoff, win_len=1.0, method="euclid")
    try:
        method.fit(stretch.samples.T)
        mixing, thresholds = (np.array(method.state_[key], dtype=np.float64) for key in "MT")
    except (ValueError, IndexError, np.linalg.LinAlgError) as error:
        raise InputError(
            f"too little clean EEG in the stretch ({' '.join(str(error).split())}): give a longer "
            "one, or one with fewer movements"
        ) from error
    if not (np.isfinite(mixing).all() and np.isfinite(thresholds).all()):
        raise InputError(
            "too little clean EEG in the stretch: give a longer one, or one with fewer movements"
        )
    denominator, numerator = method.ab_
    length = round(rate)
    lines = np.arange(length // 2 + 1) / length
    shaping = np.abs(freqz(numerator, denominator, 2 * np.pi * lines)[1])
    return SubspaceReconstruction(stretch.montage, mixing, thresholds, shaping)


def power_kept(stretch: Stretch, artefacts: ArtefactFilter) -> NDArray[np.float64]:
    """Return the share of each electrode's power that a filter leaves of the stretch.

    Returns
    -------
    ndarray of float64, shape (n_fitted,)
    """
    length = round(stretch.montage.rate)
    count = len(stretch.samples) // length
    seconds = stretch.samples[: count * length].reshape(count, length, -1).transpose(0, 2, 1)
    cleaned = artefacts.clean(seconds, artefacts.fitted)
    kept: NDArray[np.float64] = (cleaned**2).sum(axis=(0, 2)) / (seconds**2).sum(axis=(0, 2))
    return kept


def _fast(sources: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Mean density at 30–45 Hz over that at 5–15 Hz of each column."""
    frequencies, density = welch(sources, rate, nperseg=round(rate), axis=0)
    high = density[(frequencies >= 30) & (frequencies <= 45)]
    low = density[(frequencies >= 5) & (frequencies <= 15)]
    if not len(high):
        return np.zeros(sources.shape[1])
    ratio: NDArray[np.float64] = high.mean(axis=0) / low.mean(axis=0)
    return ratio
