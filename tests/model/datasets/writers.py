"""Writers of small files in exactly the layouts that the datasets are published in."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from model.datasets.dmer import REST, START, STOP
from model.labels import PANAS10

QUESTIONNAIRE = """# Subj;{person};;
# ORDER;{order};sRead;fRead;;
# START;7.08;39.55;;
# END;26.32;50.3;;
{answers}
"""


def pickle_of_python_2(content: Any) -> bytes:
    """Return a pickle as Python 2 and numpy 1 wrote it, protocol 2, all texts as byte strings."""
    out = io.BytesIO()
    out.write(b"\x80\x02")
    _put(out, content)
    out.write(b".")
    return out.getvalue()


def _put(out: io.BytesIO, value: Any) -> None:
    if isinstance(value, str | bytes):
        data = value.encode("latin-1") if isinstance(value, str) else value
        out.write(b"T" + struct.pack("<i", len(data)) + data)
    elif value is None:
        out.write(b"N")
    elif isinstance(value, bool):
        out.write(b"\x88" if value else b"\x89")
    elif isinstance(value, int):
        out.write(b"J" + struct.pack("<i", value))
    elif isinstance(value, tuple):
        out.write(b"(")
        for one in value:
            _put(out, one)
        out.write(b"t")
    elif isinstance(value, dict):
        out.write(b"}(")
        for key, one in value.items():
            _put(out, key)
            _put(out, one)
        out.write(b"u")
    elif isinstance(value, np.ndarray):
        out.write(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n")
        _put(out, (0,))
        _put(out, "b")
        out.write(b"tR(")
        _put(out, 1)
        _put(out, value.shape)
        out.write(b"cnumpy\ndtype\n")
        _put(out, (value.dtype.str[1:], 0, 1))
        out.write(b"R")
        _put(out, (3, value.dtype.str[0], None, None, None, -1, -1, 0))
        out.write(b"b")
        _put(out, False)
        _put(out, value.tobytes())
        out.write(b"tb")
    else:
        raise TypeError(type(value))


def wesad_signals(seconds: float, seed: int = 0) -> dict[str, dict[str, NDArray[Any]]]:
    """Return both devices' signals as WESAD has them: every array has two axes."""
    draw = np.random.default_rng(seed)
    fast, chest = round(700 * seconds), {}
    beats = np.abs(((np.arange(fast) / 700) % 0.8) - 0.4) < 0.02
    chest["ACC"] = draw.normal([0.9, 0.0, 0.1], 0.01, (fast, 3))
    chest["ECG"] = (1.2 * beats + draw.normal(0, 0.01, fast))[:, None]
    chest["EMG"] = draw.normal(0, 0.02, (fast, 1))
    chest["EDA"] = 5 + draw.normal(0, 0.001, (fast, 1))
    chest["Temp"] = np.full((fast, 1), 33.0, dtype=np.float32)
    chest["Resp"] = draw.normal(0, 1, (fast, 1))
    wrist = {
        "ACC": np.rint(draw.normal([1, 2, 63], 1, (round(32 * seconds), 3))),
        "BVP": 50 * np.sin(2 * np.pi * 1.2 * np.arange(round(64 * seconds)) / 64)[:, None],
        "EDA": 0.5 + draw.normal(0, 0.001, (round(4 * seconds), 1)),
        "TEMP": np.full((round(4 * seconds), 1), 33.2),
    }
    return {"chest": chest, "wrist": wrist}


def write_wesad_pickle(
    root: Path,
    person: str,
    stretches: Sequence[tuple[int, float, float]],
    seconds: float,
    answers: Mapping[str, str],
    seed: int = 0,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Write a person's `SX.pkl` and `SX_quest.csv`, and return the signals.

    Parameters
    ----------
    root : Path
    person : str
    stretches : sequence of (label, start, stop)
    seconds : float
        Length of the recording.
    answers : mapping of str to str
        PANAS answers by condition, in order, with semicolons between.
    """
    label = np.zeros(round(700 * seconds), dtype=np.int32)
    for code, start, stop in stretches:
        label[round(700 * start) : round(700 * stop)] = code
    signals = wesad_signals(seconds, seed)
    folder = root / person
    folder.mkdir(parents=True, exist_ok=True)
    content = {"signal": signals, "label": label, "subject": person}
    (folder / f"{person}.pkl").write_bytes(pickle_of_python_2(content))
    lines = "\n".join(f"# PANAS;{text}" for text in answers.values())
    (folder / f"{person}_quest.csv").write_text(
        QUESTIONNAIRE.format(person=person, order=";".join(answers), answers=lines)
    )
    return signals


def write_edf(
    path: Path,
    signals: Mapping[str, NDArray[np.floating]],
    rate: int,
    units: Mapping[str, str],
    limits: tuple[float, float],
    annotations: Sequence[tuple[float, str]] | None = None,
) -> None:
    """Write an EDF file, or EDF+C with annotations, in records of a second."""
    records = len(next(iter(signals.values()))) // rate
    labels, sizes = list(signals), [rate] * len(signals)
    notes = [b""] * records
    if annotations is not None:
        labels.append("EDF Annotations")
        for second in range(records):
            own = [one for one in annotations if second <= one[0] < second + 1]
            notes[second] = b"+%d\x14\x14\x00" % second + b"".join(
                f"+{onset:g}\x14{text}\x14".encode() + b"\x00" for onset, text in own
            )
        sizes.append((max(map(len, notes)) + 1) // 2)

    def field(text: object, width: int) -> bytes:
        return str(text).encode("latin-1").ljust(width)

    count = len(labels)
    head = field(0, 8) + field("X", 80) + field("Startdate 01-JAN-2022", 80)
    head += field("01.01.22", 8) + field("10.00.00", 8) + field(256 * (count + 1), 8)
    head += field("EDF+C" if annotations is not None else "", 44)
    head += field(records, 8) + field(1, 8) + field(count, 4)
    head += b"".join(field(label, 16) for label in labels) + field("", 80 * count)
    head += b"".join(field(units.get(label, ""), 8) for label in labels)
    for value in (*limits, -32768, 32767):
        head += field(f"{value:g}", 8) * count
    head += field("", 80 * count) + b"".join(field(size, 8) for size in sizes)
    head += field("", 32 * count)
    gain = (limits[1] - limits[0]) / 65535
    counts = {
        label: np.rint((values - limits[0]) / gain - 32768).astype("<i2")
        for label, values in signals.items()
    }
    with path.open("wb") as file:
        file.write(head)
        for second in range(records):
            for label in signals:
                file.write(counts[label][second * rate : (second + 1) * rate].tobytes())
            if annotations is not None:
                file.write(notes[second].ljust(2 * sizes[-1], b"\x00"))


DSI_24 = (
    *("P3", "C3", "F3", "Fz", "F4", "C4", "P4", "Cz", "CM", "A1", "Fp1", "Fp2"),
    *("T3", "T5", "O1", "O2", "X3", "X2", "F7", "F8", "X1", "A2", "T6", "T4"),
)
"""Signals of the cap in the order of its files; then comes the trigger."""


def write_dmer(
    root: Path,
    number: int,
    films: Sequence[int],
    scores: Mapping[int, Sequence[int]],
    rest: float = 20.0,
    film: float = 12.0,
    pause: float = 8.0,
    triggers: str = "channel",
) -> dict[str, Any]:
    """Write a participant's raw files and return what is in them.

    Parameters
    ----------
    root : Path
    number : int
    films : sequence of int
        In the order in which they were shown.
    scores : mapping of int to sequence of int
        Ten scores by film.
    rest, film, pause : float
        Seconds of the rest, of each film, and between them.
    triggers : str
        Where the EEG's lie: ``channel`` or ``annotations``.
    """
    draw = np.random.default_rng(number)
    folder = root / "Raw_data" / str(number)
    (folder / f"sub{number}").mkdir(parents=True)
    (folder / str(number)).mkdir()
    clock, marks, stretches = 5.0, [(1.0, 60), (3.0, 150)], {}
    for one, seconds in [(REST, rest), *((one, film) for one in films)]:
        marks += [(clock, one + START), (clock + seconds, one + STOP)]
        stretches[one] = (clock, clock + seconds)
        clock += seconds + pause
    length = int(clock)
    eeg = {f"EEG {name}-Pz": draw.normal(0, 20, 300 * length) for name in DSI_24}
    trigger = np.zeros(300 * length)
    for time, code in marks:
        # The start lasts a few samples, and counts at its last one.
        first = round(300 * time)
        trigger[first - 3 * (code < STOP) : first + 1 + 3 * (code >= STOP)] = code
    channel = triggers == "channel"
    write_edf(
        folder / f"sub{number}" / "1_raw.edf",
        {**eeg, "Trigger": trigger if channel else np.zeros(300 * length)},
        300,
        dict.fromkeys(eeg, "uV"),
        (-3276.8, 3276.7),
        None if channel else [(time, str(code)) for time, code in marks],
    )
    # The wristband starts earlier than the cap, and loses a packet while the first film runs.
    bands: dict[str, NDArray[np.float64]] = {}
    for name, rate in (("gsr", 4), ("ppg", 100)):
        lead = 2.5
        seconds = np.arange(round(rate * (length + lead))) / rate - lead
        values = 3 + np.sin(seconds) if name == "gsr" else 800 + 100 * np.sin(7 * seconds)
        lost = stretches[films[0] if films else REST][0] + 2
        kept = ~((seconds >= lost) & (seconds < lost + 1))
        codes = {round((time + lead) * rate): f",{code}" for time, code in marks}
        stamps = {
            place: f"{1.65e12 + 1000 * seconds[place]:.0f}"
            for place in range(0, len(seconds), rate)
        }
        rows = [
            f"{stamps.get(place, '')},{value!r}{codes.get(place, '')}"
            for place, value in enumerate(values.tolist())
            if kept[place]
        ]
        (folder / str(number) / f"raw_{name}.csv").write_text("\n".join(rows) + "\n")
        bands[name] = values[kept]
    table = [f"{one},{','.join(map(str, row))}" for one, row in scores.items()]
    path = folder / str(number) / f"{number}_Pre_X_22_F_Right_panas.csv"
    path.write_text("\n".join(table) + "\n")
    return {"stretches": stretches, "eeg": eeg, **bands}


def write_dmer_features(root: Path, number: int, seconds: int = 8) -> dict[str, NDArray[Any]]:
    """Write a participant's four feature files and return their variables."""
    draw = np.random.default_rng(number)
    folder = root / "Aligned_data" / str(number)
    folder.mkdir(parents=True)
    whole = np.repeat(np.arange(32), seconds).astype(float)
    windows = np.repeat(np.arange(32), seconds - 4).astype(float)
    scores = draw.integers(1, 6, (32, len(PANAS10))).astype(float)
    gsr = draw.normal(size=(len(windows), 28)) + 0j
    gsr[:, 21] += 2j
    content = {
        "feas": draw.normal(size=(len(whole), 5, 18)),
        "feas_gsr": gsr,
        "feas_ppg": draw.normal(size=(len(windows), 27)) + 0j,
        "lbps_all": draw.random((len(whole), 768)),
        "dis_label": scores / scores.sum(axis=1, keepdims=True),
    }
    scipy.io.savemat(folder / "eegfea.mat", {"feas": content["feas"], "vids": whole})
    band = {name: content[name] for name in ("feas_gsr", "feas_ppg")}
    scipy.io.savemat(folder / "perifea.mat", {**band, "vids": windows})
    scipy.io.savemat(folder / "videoFea.mat", {"lbps_all": content["lbps_all"], "vids": whole})
    signals = {"eeg_datas": np.zeros((19, 4)), "gsr_datas": np.zeros((2, 4))}
    scipy.io.savemat(folder / "datas.mat", {**signals, "dis_label": content["dis_label"]})
    return {**content, "whole": whole, "windows": windows}


def write_dmer_sample(root: Path, train: int = 60, test: int = 15) -> dict[str, NDArray[Any]]:
    """Write the sample's file and return its variables."""
    draw = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    labels = draw.integers(1, 6, (6, 10)).astype(float)
    labels /= labels.sum(axis=1, keepdims=True)
    content: dict[str, NDArray[Any]] = {}
    for half, size in (("train", train), ("test", test)):
        content[f"{half}_eeg"] = draw.normal(20, 2, (size, 18, 4))
        content[f"{half}_gsr"] = draw.normal(28, 2, (size, 1, 4))
        content[f"{half}_ppg"] = draw.normal(25, 2, (size, 1, 4))
        content[f"{half}_video"] = draw.random((size, 32)).astype(np.float32)
        content[f"{half}_label"] = labels[draw.integers(0, 6, size)]
    scipy.io.savemat(root / "data_feature_sample.mat", content)
    return content


def write_edl(root: Path, number: int, windows: int = 28) -> dict[str, NDArray[Any]]:
    """Write a participant's file in this program's own layout and return its variables."""
    draw = np.random.default_rng(number)
    root.mkdir(parents=True, exist_ok=True)
    content: dict[str, NDArray[Any]] = {
        "ecg": draw.normal(size=(windows, 39)),
        "hr": draw.normal(size=(windows, 7)),
        "gsr": draw.normal(size=(windows, 39)),
        "skt": draw.normal(size=(windows, 4)),
        "film": np.repeat(np.arange(1, 15), windows // 14),
        "label": draw.integers(1, 8, (14, 7)).astype(float),
    }
    scipy.io.savemat(root / f"{number}.mat", content)
    return content
