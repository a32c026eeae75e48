"""``affectstream artefacts``: what takes blinks and muscles out of one person's EEG."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.options import parse_baseline, parse_bindings
from apps.cli.output import emit
from realtime.errors import InputError

_log = logging.getLogger(__name__)


def artefacts(
    path: Annotated[str, typer.Argument(help="XDF file.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The filter to write, a .safetensors file.")],
    rig: Annotated[str, typer.Option(help="Rig: a name that ships, or a TOML file.")] = "dmer",
    method: Annotated[
        str,
        typer.Option(
            help="ica: independent components, a fixed matrix. asr: artefact subspace "
            "reconstruction, for seconds that exceed what calibration allows."
        ),
    ] = "ica",
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP",
            help="Stretch to fit to, at least 30 s, in seconds from the recording's start. Left "
            "out: the recording's baseline markers.",
        ),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="With ica: numbers of the components to take out, or none. Left out: those that "
            "look like blinks and muscles.",
        ),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="MODALITY=STREAM", help="Choose a stream where several would do."),
    ] = None,
    participant: Annotated[str, typer.Option(help="Pseudonym of the person.")] = "P1",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fit an artefact filter to one person's EEG, for --artefacts of run and score.

    The stretch should be of the same cap on the same head as what is to be cleaned: for ica with
    some blinks in it, for asr mostly without.
    """
    from calibration.artefact_files import save_artefacts
    from calibration.artefacts import (
        METHODS,
        Component,
        cut_stretch,
        eeg_of,
        fit_components,
        fit_subspace,
        power_kept,
    )
    from calibration.statements import stated_rest
    from realtime.features.artefacts import ArtefactFilter
    from realtime.files import open_recording
    from realtime.recorder import safe_id
    from realtime.rig import load_rig

    if method not in METHODS:
        raise InputError(f"no method {method!r}: give one of {', '.join(METHODS)}")
    if remove is not None and method != "ica":
        raise InputError(f"--remove {remove!r} chooses components: leave it out with --method asr")
    numbers = _numbers(remove)
    if out.suffix != ".safetensors":
        raise InputError(f"--out {str(out)!r} is no filter: give a name that ends .safetensors")
    safe_id(participant, "participant")
    loaded = load_rig(rig)
    eeg_of(loaded)
    recording = open_recording(path)
    wanted = parse_baseline(baseline) or stated_rest(recording, participant)
    if wanted is None:
        raise InputError(
            f"{path!r} has no baseline markers: say with --baseline START:STOP which stretch to "
            "fit to, such as 0:120"
        )
    stretch = cut_stretch(recording, loaded, wanted, parse_bindings(bind or []))
    fitted: ArtefactFilter
    components: tuple[Component, ...] = ()
    if method == "ica":
        fitted, components = fit_components(stretch, numbers)
        if not any(component.removed for component in components):
            _log.warning("no component looks like an artefact: the filter changes nothing")
    else:
        fitted = fit_subspace(stretch)
    absent = [name for name in stretch.montage.channels if name not in stretch.channels]
    if absent:
        _log.warning(
            "%s did not measure, and stay out of the features with this filter", ", ".join(absent)
        )
    save_artefacts(fitted, participant, out)
    kept = power_kept(stretch, fitted)
    result = {
        "path": path,
        "filter": out,
        "rig": loaded.name,
        "method": method,
        "participant": participant,
        "baseline": list(wanted),
        "seconds": stretch.seconds,
        "absent": absent,
        "components": components,
        "power_kept": dict(zip(stretch.channels, kept.tolist(), strict=True)),
    }
    emit(result, json, *_tables(result))


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """Read component numbers."""
    if text is None:
        return None
    if text.strip() == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--remove {text!r} are no component numbers: write such as 0,3, or none"
        ) from None


def _tables(result: dict[str, Any]) -> list[Any]:
    """Return what a person reads."""
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    if result["components"]:
        columns = ("", "kind", "at", "power", "frontal", "kurtosis", "fast", "removed")
        table = Table(*columns)
        for c in result["components"]:
            table.add_row(
                str(c.number),
                c.kind,
                c.strongest,
                f"{c.share:.0%}",
                f"{c.frontal:.2f}",
                f"{c.kurtosis:.1f}",
                f"{c.fast:.2f}",
                "yes" if c.removed else "",
            )
        parts.append(table)
    kept = ", ".join(f"{name} {share:.0%}" for name, share in result["power_kept"].items())
    parts.append(Text(f"Power that is left of the {result['seconds']:.0f} s: {kept}"))
    parts.append(Text(f"{result['filter']}: for {result['participant']} in {result['rig']}"))
    return parts
