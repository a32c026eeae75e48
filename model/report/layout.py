"""What the page is made of: sections with text, pictures and tables."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from model.report.grid import Grid


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with what it says in words.

    Attributes
    ----------
    figure : Figure
    alt : str
        For those who cannot see it: what is drawn, and the main reading.
    """

    figure: Figure
    alt: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; with text alone where there is nothing to show.

    Attributes
    ----------
    key : str
        Address within the page.
    title : str
    text : tuple of str
    pictures : tuple of Picture
    tables : tuple of Grid
    """

    key: str
    title: str
    text: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Grid, ...] = ()
