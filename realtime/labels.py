"""Channel labels: what they say is measured, and which of a rig's channels they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import lru_cache

from realtime.rig import ChannelSettings

# A label that counts channels says nothing of what they measure.
_COUNTED = re.compile(r"(ch|chan|channel|data|sensor|raw)?[\s_:#.-]*\d*", re.IGNORECASE)
# Electrodes of the extended 10-20 system (10-10), without the earlobes and mastoids.
_ELECTRODE = r"(FP|AF|FC|FT|CP|TP|PO|F|C|T|P|O|I)(\d{1,2}|Z)"
# What labels commonly begin with, by what they measure.
_KINDS = {
    "ECG": re.compile(r"ECG|EKG"),
    "EMG": re.compile(r"EMG"),
    "EOG": re.compile(r"[HV]?EOG"),
    # Also "Fp1-Ref", "Fp1." and the like.
    "EEG": re.compile(rf"EEG|{_ELECTRODE}($|_+(REF\w*|LE|AVG?|CAR|[AM][12]\w*|{_ELECTRODE})?$)"),
    "EDA": re.compile(r"EDA|GSR|SKIN_?COND|ELECTRODERMAL|SC[LR]?$"),
    "PPG": re.compile(r"PPG|BVP|PULSE|OPTICS"),
    "respiration": re.compile(r"RESP|RIP"),
    "acceleration": re.compile(r"ACC"),
    "rotation": re.compile(r"GYR"),
    "magnetic field": re.compile(r"MAG"),
    "temperature": re.compile(r"TEMP|THERM|SKT"),
    "light": re.compile(r"LUX|LIGHT|AMB(IENT)?$"),
    "battery": re.compile(r"BATT"),
    "an auxiliary input": re.compile(r"((LEFT|RIGHT)_?)?AUX"),
    "a counter": re.compile(r"COUNTER|NSEQ|SAMPLE|TIMESTAMP|INTERPOLATE"),
    "a trigger": re.compile(r"MARKER|TRIG|STATUS$|STI_?\d"),
}
# Electrodes that a derivation may be referred to without being between two places of the scalp.
_BETWEEN = re.compile(rf"(?:EEG_)?({_ELECTRODE})_+({_ELECTRODE})$")


def kind(label: str) -> str | None:
    """Return what a channel label says that it measures, or None if it does not say."""
    text = spelled(label).upper()
    return next((name for name, pattern in _KINDS.items() if pattern.match(text)), None)


def is_counted(label: str) -> bool:
    """Tell whether a label is empty or only counts: ``"ch:00"``, ``"Channel 3"``, ``"7"``."""
    return _COUNTED.fullmatch(label) is not None


@lru_cache(maxsize=8192)
def spelled(text: str) -> str:
    """Reduce a spelling: no case, and one sign for all separators."""
    return re.sub(r"[\s.:/-]+", "_", text.strip()).casefold()


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names for a message: the first ones, and whether there are more."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def place_of(text: str, patterns: Iterable[str]) -> int | None:
    """Return the place of the first pattern that fits a text, or None."""
    reduced = spelled(text)
    for place, pattern in enumerate(patterns):
        if reduced and _wildcard(pattern).match(reduced):
            return place
    return None


@lru_cache(maxsize=256)
def columns_by_label(
    labels: tuple[str, ...], channels: tuple[ChannelSettings, ...], shortest: int
) -> dict[int, tuple[int, int, int]]:
    """Find a rig's channels among a stream's labels.

    Parameters
    ----------
    labels : tuple of str
    channels : tuple of ChannelSettings
    shortest : int
        Labels of fewer characters do not count.

    Returns
    -------
    dict of int to (int, int, int)
        For each channel that was found, by its number: the place of the label in the rig's list,
        the first column that has it, and how many have it.
    """
    by_spelling, derivations = _spellings(labels)
    found = {}
    for channel, patterns in enumerate(_patterns(channels)):
        for place, pattern in enumerate(patterns):
            if isinstance(pattern, str):
                columns = by_spelling.get(pattern, ())
            else:
                columns = tuple(
                    column
                    for spelling, same in by_spelling.items()
                    if pattern.match(spelling)
                    for column in same
                    if column not in derivations
                )
            hits = [column for column in columns if len(labels[column].strip()) >= shortest]
            if hits:
                found[channel] = (place, min(hits), len(hits))
                break
    return found


@lru_cache(maxsize=64)
def _spellings(
    labels: tuple[str, ...],
) -> tuple[dict[str, tuple[int, ...]], frozenset[int]]:
    """Return the columns of each spelling, and the columns that lie between two electrodes."""
    columns: dict[str, list[int]] = {}
    for column, label in enumerate(labels):
        if label:
            columns.setdefault(label, []).append(column)
    by_spelling: dict[str, tuple[int, ...]] = {}
    between: dict[int, str] = {}
    for label, same in columns.items():
        spelling = spelled(label)
        if not spelling:
            continue
        by_spelling[spelling] = tuple(sorted((*by_spelling.get(spelling, ()), *same)))
        pair = _BETWEEN.match(spelling.upper())
        if pair is not None:
            between.update(dict.fromkeys(same, pair[4]))
    # With one second electrode for all it is the common reference; with several, the montage is
    # bipolar, and "Fp1-F7" is not Fp1.
    bipolar = len(set(between.values())) > 1
    return by_spelling, frozenset(between if bipolar else ())


@lru_cache(maxsize=64)
def _patterns(
    channels: tuple[ChannelSettings, ...],
) -> tuple[tuple[str | re.Pattern[str], ...], ...]:
    """Return each channel's labels: spellings, or expressions where there are wildcards."""
    return tuple(
        tuple(
            _wildcard(label) if "*" in label or "?" in label else spelled(label)
            for label in channel.labels
        )
        for channel in channels
    )


@lru_cache(maxsize=8192)
def _wildcard(pattern: str) -> re.Pattern[str]:
    # Square brackets are no wildcards in a rig file.
    return re.compile(translate(spelled(pattern).replace("[", "[[]")))
