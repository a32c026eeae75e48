"""``affectstream streams``: what there is, and what it would be bound to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from apps.cli.options import parse_bindings
from apps.cli.output import emit
from realtime.binding import assign_participants, remedy, survey
from realtime.choices import choices_of
from realtime.clock import StreamClock
from realtime.discovery import Discovery
from realtime.errors import InputError
from realtime.files import open_recording
from realtime.inlet import Inlet
from realtime.lsl import configure
from realtime.markers import is_marker_stream
from realtime.outlet import STREAM_TYPE
from realtime.recording import RecordedStream, Recording, StreamInfo
from realtime.rig import Rig, load_rig
from realtime.video import is_video

# What a look at the network measures of each stream, after it has been found.
MEASURE_SECONDS = 2.0
# Wider streams are listed, but not pulled: a look must not load the network.
WIDEST = 512


def streams(
    path: Annotated[
        Path | None,
        typer.Argument(help="XDF file or E4 folder; without one, the network.", show_default=False),
    ] = None,
    rig: Annotated[str, typer.Option(help="Name of a rig, or its TOML file.")] = "wrist",
    bind: Annotated[
        list[str] | None,
        typer.Option(
            help="MODALITY=STREAM: choose a stream by source id, name or key.", show_default=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to look at the network.", min=0.5)] = 2.5,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List streams, and what the rig would use each for."""
    setup = load_rig(rig)
    choices = parse_bindings(bind or ())
    if path is None:
        configuration = configure(loopback=False)
        rows, source = _network(seconds), str(configuration)
        if not rows:
            raise InputError(
                f"no stream answered within {seconds:g} s ({configuration}): start the device's "
                "LSL output or `affectstream simulate`, and see `affectstream doctor`"
            )
        faults: tuple[str, ...] = ()
    else:
        recording = open_recording(path)
        rows, source, faults = _recorded(recording), str(path), recording.faults
    notes = _bind(rows, setup, choices)
    result = {
        "source": source,
        "rig": setup.name,
        "streams": [_entry(row) for row in rows],
        "faults": faults,
        "notes": notes,
    }
    emit(result, json, _table(rows, source, setup), *(Text(note) for note in (*faults, *notes)))


class _Row:
    """One stream, what was measured of it, and what it would be."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.measured: dict[str, Any] = {}
        self.faults: tuple[str, ...] = ()
        self.modality: str | None = None
        self.participant: str | None = None
        self.remarks: list[str] = []


def _network(seconds: float) -> list[_Row]:
    """Find the network's streams, and measure those that a look cannot disturb."""
    discovery = Discovery()
    inlets: dict[str, Inlet] = {}
    try:
        rows = [_Row(info) for info in discovery.wait(seconds)]
        for row in rows:
            # A player begins when somebody listens; a look must not be that somebody.
            if row.info.replay is not None or row.info.format == "string":
                continue
            if row.info.channel_count > WIDEST:
                continue
            try:
                inlets[row.info.key] = Inlet(row.info, discovery.handle(row.info.key))
            except (InputError, KeyError) as error:
                row.faults = (f"cannot be opened: {error}",)
        until = time.monotonic() + (MEASURE_SECONDS if inlets else 0.0)
        while time.monotonic() < until:
            for inlet in inlets.values():
                inlet.poll()
            time.sleep(0.04)
        for row in rows:
            if row.info.key in inlets:
                now = inlets[row.info.key].statistics()
                row.measured = {
                    "state": now.state,
                    "effective_rate": now.overall_rate,
                    "data_age": now.data_age,
                    "gaps": now.gaps,
                }
    finally:
        for inlet in inlets.values():
            inlet.close()
        discovery.close()
    return rows


def _recorded(recording: Recording) -> list[_Row]:
    rows = []
    for stream in recording.streams:
        row = _Row(stream.info)
        row.measured, row.faults = _measure(stream), stream.faults
        rows.append(row)
    for info in recording.marker_streams:
        row = _Row(info)
        mine = [marker for marker in recording.markers if marker.stream == info.key]
        row.measured = {"samples": len(mine)}
        rows.append(row)
    return rows


def _measure(stream: RecordedStream) -> dict[str, Any]:
    """Return length, effective rate and what is wrong with the stamps of a recorded stream."""
    clock = StreamClock(stream.info.rate or 1.0)
    stamps = clock.take(stream.times)
    steps = np.diff(stamps.times)[~stamps.breaks[1:]]
    length = float(stamps.times[-1] - stamps.times[0]) if len(stamps.times) else 0.0
    counts = clock.counts
    return {
        "samples": len(stream.times),
        "seconds": length,
        "effective_rate": 1.0 / float(steps.mean()) if len(steps) and steps.mean() > 0 else None,
        "gaps": counts.gaps if stream.info.rate else 0,
        "missing_seconds": counts.missing if stream.info.rate else 0.0,
        "backward": counts.backward,
        "jumped": counts.jumped,
        "clock_resets": counts.restarts,
    }


def _bind(rows: Sequence[_Row], rig: Rig, choices: Mapping[str, str]) -> list[str]:
    """Say of each row what it would be, or why not; return what concerns the whole."""
    by_key = {row.info.key: row for row in rows}
    # An empty stream has nothing to give, though its description may promise it.
    usable = [row.info for row in rows if row.measured.get("samples", 1)]
    groups = assign_participants(usable, (), choices)
    first = next(iter(groups))
    notes = []
    for participant, infos in groups.items():
        who = f"{participant}: " if len(groups) > 1 else ""
        own = choices_of(choices, participant, first)
        result = survey(rig, infos, choices=own, participant=participant)
        for binding in result.bindings:
            for source in binding.sources:
                row = by_key[source.stream]
                # A stream with many sensors may serve several modalities.
                row.modality = ", ".join(filter(None, [row.modality, binding.modality]))
                row.participant = participant
                row.remarks += [f"{binding.modality}: {note}" for note in binding.notes]
        for modality, candidates in result.ambiguous.items():
            for info in candidates:
                by_key[info.key].remarks.append(
                    f"one of {len(candidates)} devices that fit {modality}: "
                    f"choose with {remedy(participant, modality, info, candidates)}"
                )
        for key, reasons in result.refusals.items():
            by_key[key].remarks += reasons
        if result.unbound:
            notes.append(f"{who}no stream for {', '.join(result.unbound)}.")
    for row in rows:
        if row.modality is None:
            row.modality = _other(row.info)
        if row.modality is None and not row.remarks and not row.faults:
            row.remarks.append(f"nothing for the rig {rig.name!r}")
    return notes


def _other(info: StreamInfo) -> str | None:
    if info.type == STREAM_TYPE:
        return "prediction"
    return "markers" if is_marker_stream(info) else None


def _entry(row: _Row) -> dict[str, Any]:
    info = row.info
    return {
        "key": info.key,
        "name": info.name,
        "type": info.type,
        "source_id": info.source_id,
        "hostname": info.hostname,
        "channels": info.channel_count,
        "labels": () if is_video(info) else info.labels,  # a frame's bytes have none
        "units": info.units,
        "format": info.format,
        "nominal_rate": info.rate,
        "simulated": info.simulated,
        "replay": None
        if info.replay is None
        else {"offset": info.replay.offset, "speed": info.replay.speed},
        **row.measured,
        "faults": row.faults,
        "modality": row.modality,
        "participant": row.participant,
        "remarks": row.remarks,
    }


def _table(rows: Sequence[_Row], source: str, rig: Rig) -> Table:
    table = Table(title=Text(f"{source}; rig {rig.name}"), title_justify="left")
    for name in ("stream", "type", "channels", "rate in Hz", "length", "is", "remarks"):
        table.add_column(name, overflow="fold")
    for row in rows:
        info, measured = row.info, row.measured
        labels = [label for label in info.labels[:6] if label]
        more = ", ..." if info.channel_count > 6 and labels else ""
        rate = f"{info.rate:g}" if info.rate else "irregular"
        effective = measured.get("effective_rate")
        length = measured.get("seconds")
        faults = [
            f"{measured[key]} {what}"
            for key, what in (
                ("gaps", "gaps"),
                ("backward", "stamps step back"),
                ("jumped", "stamps leap"),
                ("clock_resets", "clock resets"),
            )
            if measured.get(key)
        ]
        marks = ["simulated"] * info.simulated + ["replay"] * (info.replay is not None)
        table.add_row(
            Text(info.name + "".join(f" [{mark}]" for mark in marks)),
            Text(info.type),
            Text(f"{info.channel_count}: {', '.join(labels)}{more}".rstrip(": ")),
            rate if effective is None else f"{rate}, ran at {effective:.4g}",
            "" if length is None else f"{length:.1f} s",
            Text(row.modality or "-"),
            Text("; ".join([*row.remarks, *faults, *row.faults])),
        )
    return table
