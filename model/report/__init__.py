"""Report of an evaluation: results.csv, table.md, report.html, and the figures as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from model.datasets.table import Table
from model.pieces import Piece
from model.plan import Plan
from model.report.findings import COLUMNS, Findings, gather, result_of
from model.report.page import render
from model.report.table import brief_of, table_of
from model.task import Failure

if TYPE_CHECKING:
    from model.ablations import Ablation

__all__ = ["COLUMNS", "Findings", "Report", "ablation_report", "report"]


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes
    ----------
    rows : DataFrame
        A row for each system, fold, seed and adaptation, with `COLUMNS`.
    markdown : str
        The tables with everything that must stand beside them.
    brief : str
        What a terminal shows of it.
    html : str
        The same with figures, as one page.
    result : dict
        The same as plain values.
    """

    rows: pd.DataFrame
    markdown: str
    brief: str
    html: str
    result: dict[str, Any]

    def save(self, folder: Path) -> tuple[Path, Path, Path]:
        """Write results.csv, table.md and report.html into a folder, and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        csv, table, page = (folder / name for name in ("results.csv", "table.md", "report.html"))
        self.rows.to_csv(csv, index=False, lineterminator="\n")
        table.write_text(self.markdown, encoding="utf-8", newline="\n")
        page.write_text(self.html, encoding="utf-8", newline="\n")
        return csv, table, page


def report(
    table: Table,
    plan: Plan,
    pieces: Sequence[Piece],
    also: Sequence[Table] = (),
    failures: Sequence[Failure] = (),
    command: str = "",
) -> Report:
    """Score an evaluation and put it into tables and a page.

    Parameters
    ----------
    table : Table
    plan : Plan
    pieces : sequence of Piece
        What `model.evaluation.run` returned.
    also : sequence of Table
        Further data that was trained on.
    failures : sequence of Failure
        What it could not do.
    command : str
        The command line that made it, to be shown.
    """
    return _made(gather(table, plan, pieces, also, failures, command))


def ablation_report(
    table: Table,
    plan: Plan,
    pieces: Sequence[Piece],
    ablation: Ablation,
    also: Sequence[Table] = (),
    failures: Sequence[Failure] = (),
    command: str = "",
) -> Report:
    """Score an ablation, as `report` does; the plan's first model is the complete one.

    The tables show each variant, and its paired difference to the complete model.
    """
    return _made(gather(table, plan, pieces, also, failures, command, ablation))


def _made(found: Findings) -> Report:
    return Report(
        rows=found.rows,
        markdown=table_of(found),
        brief=brief_of(found),
        html=render(found),
        result=result_of(found),
    )
