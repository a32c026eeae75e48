"""Colours: a light and a dark theme, chosen by the palette of the desktop.

Positive emotions are blues and greens, negative ones oranges and reds. These families differ for
every common colour vision deficiency, and within a family lightness runs one way, so that order
tells neighbours apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from PySide6.QtGui import QColor, QGuiApplication, QPalette

# Okabe & Ito's palette (2008), for the channels of one plot; yellow is too pale on white.
_CHANNELS_LIGHT = ("#0072b2", "#c04a00", "#00805e", "#a84f86", "#5a5a5a", "#8a6d00")
_CHANNELS_DARK = ("#56b4e9", "#ff9a4d", "#2ed3a0", "#e39ac6", "#c8c8c8", "#f0e442")
_POSITIVE_LIGHT = ("#123c69", "#1f6fb0", "#2f9fb8", "#54bfa3", "#9ad7b0")
_NEGATIVE_LIGHT = ("#ffd08a", "#f6a04d", "#e5702f", "#c43d28", "#85182a")
_POSITIVE_DARK = ("#2a5f9e", "#3a86c8", "#3fafc6", "#5fcbb0", "#a5e3c0")
_NEGATIVE_DARK = ("#ffdca0", "#fbb063", "#f08242", "#d9533c", "#a5303f")


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one theme."""

    dark: bool
    window: QColor
    card: QColor
    text: QColor
    muted: QColor
    grid: QColor
    mean: QColor
    good: QColor
    warning: QColor
    bad: QColor
    positive: QColor
    negative: QColor
    channels: tuple[QColor, ...]

    def emotions(self, negative: Sequence[bool]) -> list[QColor]:
        """Return a colour for each emotion, positive ones first."""
        count = list(negative).count(False)
        positives = _POSITIVE_DARK if self.dark else _POSITIVE_LIGHT
        negatives = _NEGATIVE_DARK if self.dark else _NEGATIVE_LIGHT
        return _ramp(positives, count) + _ramp(negatives, len(negative) - count)

    def state(self, state: str) -> QColor:
        """Return the colour of a stream's state; signs and words tell the same."""
        if state == "live":
            return self.good
        return self.bad if state == "lost" else self.warning

    def palette(self) -> QPalette:
        """Return the palette of the dashboard's own widgets."""
        palette = QPalette()
        roles = QPalette.ColorRole
        button = self.card.darker(104) if not self.dark else self.card.lighter(135)
        for role, colour in (
            (roles.Window, self.window),
            (roles.WindowText, self.text),
            (roles.Base, self.card),
            (roles.AlternateBase, self.window),
            (roles.Text, self.text),
            (roles.Button, button),
            (roles.ButtonText, self.text),
            (roles.PlaceholderText, self.muted),
            (roles.Highlight, self.positive),
            (roles.HighlightedText, self.card),
            (roles.ToolTipBase, self.card),
            (roles.ToolTipText, self.text),
            (roles.Mid, self.grid),
        ):
            palette.setColor(role, colour)
        disabled = QPalette.ColorGroup.Disabled
        for role in (roles.ButtonText, roles.Text, roles.WindowText):
            palette.setColor(disabled, role, self.muted)
        return palette


def _theme(dark: bool, channels: Sequence[str], *colours: str) -> Theme:
    names = [field.name for field in fields(Theme) if field.name not in ("dark", "channels")]
    chosen = {name: QColor(code) for name, code in zip(names, colours, strict=True)}
    return Theme(dark=dark, channels=tuple(QColor(code) for code in channels), **chosen)


LIGHT = _theme(
    False,
    _CHANNELS_LIGHT,
    "#eef1f4",  # window
    "#ffffff",  # card
    "#14191f",  # text
    "#55606c",  # muted
    "#d3dae1",  # grid
    "#8a949e",  # mean
    "#00704f",  # good
    "#8a5200",  # warning
    "#b3261e",  # bad
    "#1f6fb0",  # positive
    "#d0561f",  # negative
)
DARK = _theme(
    True,
    _CHANNELS_DARK,
    "#12161b",
    "#1b2128",
    "#eef2f6",
    "#a7b3bf",
    "#37424d",
    "#8f9ba7",
    "#4fc9a4",
    "#f0b24a",
    "#ff8373",
    "#4f9fe0",
    "#f08242",
)


def current_theme() -> Theme:
    """Return the theme that fits the desktop's palette."""
    window = QGuiApplication.palette().color(QPalette.ColorRole.Window)
    return DARK if window.lightness() < 128 else LIGHT


def _ramp(stops: Sequence[str], count: int) -> list[QColor]:
    """Return `count` colours at even steps along `stops`."""
    colours = []
    for index in range(count):
        place = (len(stops) - 1) * (index / (count - 1) if count > 1 else 0.5)
        low = min(int(place), len(stops) - 2)
        share = place - low
        one, other = QColor(stops[low]), QColor(stops[low + 1])
        colours.append(
            QColor(
                round(one.red() + share * (other.red() - one.red())),
                round(one.green() + share * (other.green() - one.green())),
                round(one.blue() + share * (other.blue() - one.blue())),
            )
        )
    return colours
