"""Text that came over the network, made safe and short enough to show."""

from __future__ import annotations

UNITS = {"uS": "µS", "uV": "µV", "degC": "°C", "m/s2": "m/s²", "m/s^2": "m/s²", "au": "a.u."}


def plain(text: object, limit: int = 60) -> str:
    """Return one line of at most `limit` printable characters.

    Control characters, line breaks, and marks that reorder or hide text become spaces. Widgets
    must show the result as plain text; it may hold ``<``.
    """
    head = str(text)[: 4 * limit]
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def tooltip(text: object, limit: int = 300) -> str:
    """Return `plain` text for a tooltip, which Qt would take for markup if it held a tag."""
    return plain(text, limit).replace("<", "‹").replace("&", "+")


def modality_title(name: str) -> str:
    """Return a modality's name as people write it: ``PPG``, ``Temperature``."""
    short = plain(name, 24)
    return short.upper() if len(short) <= 3 else short.replace("_", " ").capitalize()


def unit_title(unit: str) -> str:
    """Return a unit with its proper signs."""
    return UNITS.get(unit, plain(unit, 12))


def counted(trials: int) -> str:
    """Return how many rated trials there are, in words."""
    return "1 rated trial" if trials == 1 else f"{trials} rated trials"


def duration(seconds: float) -> str:
    """Return ``m:ss`` or ``h:mm:ss``."""
    whole = max(int(seconds), 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
