"""Units of stream metadata: many spellings, and how to get from one unit to another."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

STANDARD_GRAVITY = Fraction("9.80665")  # m/s², exact by definition (ISO 80000-3)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A change of unit: ``values * factor + offset``, or ``factor / values``.

    Attributes
    ----------
    factor, offset : float
    reciprocal : bool
        The unit is one of resistance and the wanted one of conductance, or the other way round.
    """

    factor: float = 1.0
    offset: float = 0.0
    reciprocal: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether values stay as they are."""
        return self == Conversion()

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert values; a resistance of 0, an electrode that is shorted, becomes NaN."""
        if not self.reciprocal:
            return values * self.factor + self.offset
        with np.errstate(divide="ignore", invalid="ignore"):
            converted = self.factor / values
        return np.where(np.isfinite(converted), converted, np.nan)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit: ``value * scale + offset`` gives the base unit of its dimension."""

    dimension: str
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


_PREFIXES = {
    **{"": 0, "n": -9, "u": -6, "m": -3, "k": 3},
    **{"nano": -9, "micro": -6, "milli": -3, "kilo": 3, "mega": 6},
}
_BASES = {
    "conductance": ("s", "siemens", "mho", "mhos"),
    "resistance": ("\u03c9", "ohm", "ohms"),
    "voltage": ("v", "volt", "volts"),
}
_ACCELERATION = {
    **dict.fromkeys(("g", "gravity", "gforce", "g-force", "gs"), STANDARD_GRAVITY),
    **dict.fromkeys(("mg", "milli-g", "millig"), STANDARD_GRAVITY / 1000),
    **dict.fromkeys(("m/s2", "m/s/s", "ms-2", "mps2", "meter/second2"), Fraction(1)),
    **dict.fromkeys(("mm/s2", "mms-2"), Fraction(1, 1000)),
}
_TEMPERATURE = {
    **dict.fromkeys(("k", "kelvin"), _Unit("temperature")),
    **dict.fromkeys(
        "c \u00b0c degc deg.c degreec degreesc celsius degcelsius \u00b0celsius degreecelsius "
        "degreescelsius centigrade".split(),
        _Unit("temperature", Fraction(1), Fraction("273.15")),
    ),
    **dict.fromkeys(
        ("f", "\u00b0f", "degf", "deg.f", "fahrenheit", "degreefahrenheit", "degreesfahrenheit"),
        _Unit("temperature", Fraction(5, 9), Fraction("273.15") - Fraction(32) * Fraction(5, 9)),
    ),
}
_ARBITRARY = frozenset(
    [
        "",
        *"none n/a na nan unknown unitless dimensionless - 1 a.u. a.u au arb arb.".split(),
        *"arb.unit arb.units arbitrary arbitraryunit arbitraryunits normalized normalised".split(),
    ]
)


def _table() -> dict[str, _Unit]:
    table = dict(_TEMPERATURE)
    table.update({text: _Unit("acceleration", scale) for text, scale in _ACCELERATION.items()})
    for dimension, names in _BASES.items():
        for prefix, exponent in _PREFIXES.items():
            for name in names:
                # Without case, "m" is milli or mega: megohm is met in skin, milliohm never.
                power = 6 if dimension == "resistance" and prefix == "m" else exponent
                table[prefix + name] = _Unit(dimension, Fraction(10) ** power)
    return table


def _plain(unit: str) -> str:
    """Reduce a spelling: one micro sign, no superscripts, no blanks, multiplication or power."""
    text = unicodedata.normalize("NFKC", unit).replace("\u03bc", "u").replace("\u2212", "-")
    for sign in (" ", "^", "*", "\u00b7", "\u22c5", "_"):
        text = text.replace(sign, "")
    return text.casefold()


_UNITS = _table()


def is_unstated(unit: str) -> bool:
    """Tell whether a unit says nothing: it is empty, ``"none"``, ``"a.u."`` and the like."""
    return _plain(unit) in _ARBITRARY


def converter(from_unit: str, to_unit: str) -> Conversion | None:
    """Return how to convert samples, in any common spelling of the units.

    Parameters
    ----------
    from_unit : str
        As the stream declares it: ``"uS"``, ``"µS"``, ``"microsiemens"``, ``"kΩ"``, ``"m/s^2"``.
    to_unit : str
        As the rig wants it. Arbitrary units (``"a.u."``) take anything as it is.

    Returns
    -------
    Conversion or None
        None if either unit is unknown or unstated, or they measure different things. Resistance
        and conductance are reciprocals.
    """
    if is_unstated(to_unit) or _plain(from_unit) == _plain(to_unit):
        return Conversion()
    source, target = _UNITS.get(_plain(from_unit)), _UNITS.get(_plain(to_unit))
    if source is None or target is None:
        return None
    if source.dimension == target.dimension:
        return Conversion(
            float(source.scale / target.scale),
            float((source.offset - target.offset) / target.scale),
        )
    if {source.dimension, target.dimension} == {"conductance", "resistance"}:
        return Conversion(float(1 / (source.scale * target.scale)), reciprocal=True)
    return None
