"""``affectstream profile``: which profiles there are, and how they move and are forgotten."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.output import emit
from realtime.errors import InputError

if TYPE_CHECKING:
    from calibration.store import Removal

ACTIONS = {
    "list": (),
    "show": ("ID",),
    "export": ("ID", "FILE"),
    "import": ("FILE",),
    "forget": ("ID",),
}
"""What can be done, and what each needs to be told."""


def profile(
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            help="list; show ID; export ID FILE: one .zip; import FILE; forget ID: remove "
            "everything that is kept of a person.",
            show_default=False,
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID] [FILE]", help="As the action needs.", show_default=False),
    ] = None,
    rename: Annotated[
        str, typer.Option("--as", metavar="ID", help="With import: the id that it gets here.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="With forget: do not ask for the id again.")
    ] = False,
    profiles: Annotated[
        Path | None,
        typer.Option(help="Folder of the profiles; by default in the user's own data."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look after people's profiles: what calibration learned of each, under a pseudonym."""
    from calibration import exchange, store

    given = _checked(action, words or [], rename, yes)
    folder = profiles if profiles is not None else store.default_root()
    result: dict[str, Any]
    if action == "list":
        found = [store.summary(one) for one in store.list_profiles(folder)]
        emit({"root": folder, "profiles": found}, json, *_list(found, folder))
    elif action == "show":
        result = store.details(store.entry(folder, given["ID"]))
        emit(result, json, *_details(result))
    elif action == "export":
        path = exchange.export_profile(folder, given["ID"], Path(given["FILE"]))
        result = {"id": given["ID"], "path": path, "bytes": path.stat().st_size}
        emit(result, json, *_lines(f"{path}: the profile {given['ID']}, {_size(result['bytes'])}"))
    elif action == "import":
        taken = exchange.import_profile(folder, Path(given["FILE"]), rename)
        result = store.details(store.entry(folder, taken.id))
        emit(result, json, *_details(result))
    else:
        if not yes:
            store.entry(folder, given["ID"])  # before anybody is asked
            _ask(given["ID"])
        removal = store.forget(folder, given["ID"])
        emit(removal, json, *_removal(removal))


def _checked(action: str, words: Sequence[str], rename: str, yes: bool) -> dict[str, str]:
    """Return what was given by its name; refuse what is missing, and what is too much."""
    if action not in ACTIONS:
        raise InputError(f"profile cannot {action!r}: give one of {', '.join(ACTIONS)}")
    needs = ACTIONS[action]
    usage = " ".join(["affectstream profile", action, *needs])
    if len(words) != len(needs):
        raise InputError(
            f"profile {action} was given {' '.join(words)!r}, needs "
            f"{' and '.join(needs) or 'nothing'}: write `{usage}`"
        )
    if rename and action != "import":
        raise InputError(f"--as {rename!r} is for import alone: write `{usage}`")
    if yes and action != "forget":
        raise InputError(f"--yes is for forget alone, not {action!r}: write `{usage}`")
    return dict(zip(needs, words, strict=True))


def _ask(name: str) -> None:
    """Have the id typed once more; nobody is there to do so without a terminal."""
    if not sys.stdin.isatty():
        raise InputError(
            f"forget {name!r} cannot be undone, and there is no terminal to ask: add --yes"
        )
    typed = typer.prompt(
        f"This removes everything that is kept of {name}. Type the id again", err=True
    )
    if typed.strip() != name:
        raise InputError(
            f"{typed.strip()!r} is not {name!r}: nothing was removed; give the id that you mean"
        )


def _list(found: Sequence[dict[str, Any]], folder: Path) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    if not found:
        return [Text(f"No profiles in {folder}.")]
    table = Table("id", "rig", "labels", "trials", "calibrated", "step", "radius", "size")
    for one in found:
        cells: tuple[str, ...] = ("damaged", *[""] * 5)
        if one["usable"]:
            cells = (
                *(one["rig"], one["labels"], str(one["trials"]), one["calibrated"] or "-"),
                *(one["step"], f"{one['radius']:.3f}"),
            )
        table.add_row(*map(Text, (one["id"], *cells, _size(one["bytes"]))))
    problems = [Text(f"{one['id']}: {one['problem']}") for one in found if not one["usable"]]
    return [table, *problems, Text(str(folder))]


def _details(result: dict[str, Any]) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    if not result["usable"]:
        return _lines(f"{result['id']}: {result['problem']}", *_files(result["files"]))
    head = (
        f"{result['id']}: for the checkpoint {result['checkpoint'][:12]} ({result['labels']}) "
        f"and the rig {result['rig']}, made {result['created']}",
        f"It rests on {result['trials']} rated trials and "
        f"{'a' if result['baseline'] else 'no'} baseline; kept is the step {result['step']}, with "
        f"a radius of {result['radius']:.3f} at 90 %.",
    )
    parts: list[Any] = _lines(*head)
    if result["history"]:
        history = Table("calibration", "trials", "step", "KL before", "KL after", "radius")
        for one in result["history"]:
            figures = (f"{m['kl']:.4f}" if "kl" in m else "-" for m in (one.before, one.after))
            cells = (one.date, str(one.trials), one.step, *figures, f"{one.radius:.3f}")
            history.add_row(*map(Text, cells))
        parts.append(history)
    if result["ratings"]:
        ratings = Table("trial", "condition", "rated", "windows", "instrument")
        for one in result["ratings"]:
            cells = (one["trial"], one["condition"], one["date"], str(one["windows"]))
            ratings.add_row(*map(Text, (*cells, one["instrument"])))
        parts.append(ratings)
    return [*parts, *_lines(*_files(result["files"]))]


def _removal(removal: Removal) -> list[Any]:
    from calibration.store import File

    total = File("in all", sum(one.size for one in removal.removed))
    return _lines(
        f"{removal.id} is forgotten. Removed from {removal.folder}:",
        *_files((*removal.removed, total)),
        "Not known here, and to be seen to by hand:",
        *(f"  {one}" for one in removal.beyond),
    )


def _files(files: Sequence[Any]) -> list[str]:
    return [f"  {one.name}  {_size(one.size)}" for one in files]


def _lines(*texts: str) -> list[Any]:
    from rich.text import Text

    return [Text(text) for text in texts]


def _size(count: int) -> str:
    """Return a number of bytes as people say it."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
