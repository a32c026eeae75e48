"""DLDL learns a known teacher, from whatever sensors there are."""

from __future__ import annotations

from tests.model.systems.taught import check_any_sensors, check_repeats, skill, untrained


def test_learns_a_linear_teacher() -> None:
    quick = untrained("dldl", epochs=10, learning_rate=3e-3)
    assert skill(quick, count=256) > 0.9


def test_any_sensors() -> None:
    check_any_sensors("dldl")


def test_repeats_with_the_seed() -> None:
    check_repeats("dldl")
