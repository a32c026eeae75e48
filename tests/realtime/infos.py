"""Descriptions of streams as devices give them."""

from __future__ import annotations

from realtime.binding import BindResult
from realtime.recording import StreamInfo


def stream(
    kind: str,
    labels: str | tuple[str, ...] = "",
    rate: float = 64.0,
    units: str | tuple[str, ...] = "",
    name: str = "",
    source_id: str = "",
    **more: object,
) -> StreamInfo:
    """Return a stream of type `kind`, named like its type."""
    names = (labels,) if isinstance(labels, str) else labels
    every = (units,) * len(names) if isinstance(units, str) else units
    return StreamInfo(
        key=f"{name or kind}|{source_id}|{labels}",
        name=name or kind,
        type=kind,
        rate=rate,
        labels=names,
        units=every,
        source_id=source_id,
        **more,  # type: ignore[arg-type]
    )


def bound(result: BindResult) -> dict[str, list[str]]:
    """Return the keys of the streams that serve each modality."""
    return {b.modality: [s.stream for s in b.sources] for b in result.bindings}
