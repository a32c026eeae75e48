import pickle

import numpy as np
import pytest

from realtime.rig import load_rig, shipped_rigs
from realtime.units import Conversion, converter, is_unstated


@pytest.mark.parametrize(
    ("spelling", "to", "value", "expected"),
    [
        ("uS", "uS", 3.0, 3.0),
        ("\u00b5S", "uS", 3.0, 3.0),  # micro sign
        ("\u03bcS", "uS", 3.0, 3.0),  # Greek mu
        ("microsiemens", "uS", 3.0, 3.0),
        ("micro Siemens", "uS", 3.0, 3.0),
        ("uSiemens", "uS", 3.0, 3.0),
        ("S", "uS", 3e-6, 3.0),
        ("mS", "uS", 0.003, 3.0),
        ("nS", "uS", 3000.0, 3.0),
        ("kOhm", "uS", 250.0, 4.0),
        ("kOhms", "uS", 250.0, 4.0),
        ("k\u2126", "uS", 250.0, 4.0),  # ohm sign
        ("k\u03a9", "uS", 250.0, 4.0),  # Greek Omega
        ("MOhm", "uS", 0.25, 4.0),
        ("Ohm", "uS", 250000.0, 4.0),
        ("microvolts", "uV", 7.0, 7.0),
        ("\u00b5V", "uV", 7.0, 7.0),
        ("mV", "uV", 7.0, 7000.0),
        ("V", "mV", 0.007, 7.0),
        ("g", "g", 1.0, 1.0),
        ("mg", "g", 1000.0, 1.0),
        ("m/s^2", "g", 9.80665, 1.0),
        ("m/s\u00b2", "g", 9.80665, 1.0),
        ("m s^-2", "g", 9.80665, 1.0),
        ("m\u00b7s\u207b\u00b2", "g", 9.80665, 1.0),
        ("mm/s2", "g", 9806.65, 1.0),
        ("g", "m/s2", 1.0, 9.80665),
        ("\u00b0C", "degC", 33.5, 33.5),
        ("\u2103", "degC", 33.5, 33.5),  # one-character degree Celsius
        ("Celsius", "degC", 33.5, 33.5),
        ("\u00b0F", "degC", 98.6, 37.0),
        ("Fahrenheit", "degC", 32.0, 0.0),
        ("K", "degC", 310.15, 37.0),
        ("degC", "K", 37.0, 310.15),
        ("mmHg", "a.u.", 5.0, 5.0),
        ("", "a.u.", 5.0, 5.0),
        ("counts", "none", 5.0, 5.0),
    ],
)
def test_known_units(spelling: str, to: str, value: float, expected: float) -> None:
    conversion = converter(spelling, to)
    assert conversion is not None
    assert conversion(np.array([value]))[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("spelling", "to"),
    [("%", "uS"), ("counts", "uS"), ("", "uS"), ("a.u.", "g"), ("g", "degC"), ("uV", "uS")],
)
def test_what_cannot_be_converted_gives_none(spelling: str, to: str) -> None:
    assert converter(spelling, to) is None


def test_powers_of_ten_are_exact() -> None:
    assert converter("mS", "uS") == Conversion(1000.0)
    assert converter("kOhm", "uS") == Conversion(1000.0, reciprocal=True)


def test_equal_units_change_nothing() -> None:
    identity = converter("\u00b5S", "microsiemens")
    assert identity is not None
    assert identity.is_identity


def test_resistance_of_a_shorted_electrode_is_missing() -> None:
    conversion = converter("kOhm", "uS")
    assert conversion is not None
    converted = conversion(np.array([0.0, 500.0, np.nan]))
    np.testing.assert_array_equal(converted, [np.nan, 2.0, np.nan])


def test_there_and_back() -> None:
    values = np.linspace(-40, 120, 50)
    for one, other in (("degC", "degF"), ("m/s2", "mg"), ("V", "uV")):
        there, back = converter(one, other), converter(other, one)
        assert there is not None
        assert back is not None
        np.testing.assert_allclose(back(there(values)), values, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("unit", ["", "none", "None", "a.u.", "A.U.", "arb. units", "n/a"])
def test_unstated(unit: str) -> None:
    assert is_unstated(unit)


@pytest.mark.parametrize("unit", ["uS", "counts", "%", "g"])
def test_stated(unit: str) -> None:
    assert not is_unstated(unit)


def test_every_shipped_rig_uses_units_that_are_known() -> None:
    for name in shipped_rigs():
        for modality in load_rig(name).modalities:
            assert converter(modality.unit, modality.unit) is not None
            others = {"uS": "kOhm", "degC": "K", "g": "m/s2", "mV": "uV", "uV": "V"}
            known = others.get(modality.unit)
            assert is_unstated(modality.unit) or (known and converter(known, modality.unit))


def test_a_conversion_travels_between_processes() -> None:
    conversion = converter("kOhm", "uS")
    assert pickle.loads(pickle.dumps(conversion)) == conversion
