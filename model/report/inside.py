"""Sections that look inside the predictions and inside MPCL."""

from __future__ import annotations

import numpy as np

from model.report import figures, readings
from model.report.choice import best_other_network, handful, leading, settings_of
from model.report.findings import Findings
from model.report.grid import Grid, number
from model.report.layout import Picture, Section

TRUTH = "rated"
"""Name of the true distribution in a chart; no system is called this."""


def chosen_samples(found: Findings) -> Section:
    """Draw rated and predicted distributions of a few windows."""
    key, title = "samples", "Rated and predicted distributions"
    lead = leading(found)
    models = handful(found)
    samples = readings.samples(found.table, found.pieces, models)
    if not samples:
        return Section(key, title, ("No seed was tested with every system chosen here.",))
    emotions = found.table.labels.emotions
    panels, rows = {}, []
    for one in samples:
        person, trial = found.table.person[one.row], found.table.trial[one.row]
        panels[f"{one.error}, KL {one.kl:.4f}"] = {TRUTH: one.truth, **one.guesses}
        second = f"{found.table.time[one.row]:g}"
        rows.append((one.error, str(person), str(trial), second, f"{one.kl:.4f}"))
    quantiles = ", ".join(f"{value:.0%}" for value in readings.QUANTILES.values())
    text = (
        f"The windows were chosen by rule, not by eye: all windows tested with the first seed, in "
        f"order of the KL of {lead}, those at {quantiles} of the way. Beside {lead} stand the "
        "best system of every other kind, and the training mean where it was run.",
    )
    worst = samples[-1]
    top = emotions[int(np.argmax(worst.truth))]
    alt = (
        f"Grouped bars over {len(emotions)} emotions for {len(samples)} windows: rated, "
        f"{', '.join(models)}. At high error the highest rated is {top}, "
        f"{worst.truth.max():.2f}, where {lead} gives "
        f"{worst.guesses[lead][int(np.argmax(worst.truth))]:.2f}."
    )
    return Section(
        key,
        title,
        text,
        (Picture(figures.distributions(emotions, panels, TRUTH), alt),),
        (
            Grid(
                "page",
                "The chosen windows",
                ("error", "person", "trial", "window end (s)", f"KL of {lead} (nats)"),
                tuple(rows),
            ),
        ),
    )


def label_correlations(found: Findings) -> Section:
    """Show how emotions go together, rated and predicted."""
    key, title = "correlations", "How emotions go together"
    models = [leading(found)]
    other = best_other_network(found)
    models += [other] if other else []
    read = {m: readings.correlations(found.table, found.pieces, m) for m in models}
    known = {model: one for model, one in read.items() if one is not None}
    if not known:
        return Section(key, title, ("Fewer than three windows were tested.",))
    panels = {TRUTH: next(iter(known.values())).true}
    panels |= {f"predicted by {model}": one.predicted for model, one in known.items()}
    text = [
        "Pearson correlations between the shares of two emotions over all tested windows, mean "
        "over seeds; an emotion whose share does not vary has none, and stays white. Agreement is "
        "the correlation between the entries above both diagonals. Shares sum to 1, so some are "
        "negative by arithmetic alone."
    ]
    if other is None:
        text.append("No other network was run to compare with.")
    rows = tuple(
        (model, number(one.agreement, 3), number(one.difference, 3)) for model, one in known.items()
    )
    alt = "Correlation matrices: rated, " + "; ".join(
        f"{model} with agreement {agreement}" for model, agreement, _ in rows
    )
    emotions = found.table.labels.emotions
    return Section(
        key,
        title,
        tuple(text),
        (Picture(figures.matrices(emotions, panels, "correlation", signed=True), alt + "."),),
        (
            Grid(
                "page",
                "Agreement with the rated correlations",
                ("system", "agreement (1 is best)", "mean absolute difference (0 is best)"),
                rows,
            ),
        ),
    )


def dominant_emotion(found: Findings) -> Section:
    """Show the confusion of the dominant emotion beside what a constant reaches."""
    key, title = "confusion", "Dominant emotion"
    read = {m: readings.confusion(found.table, found.pieces, m) for m in handful(found)}
    known = {model: one for model, one in read.items() if one is not None}
    lead = leading(found)
    if lead not in known:
        return Section(key, title, (f"{lead} has no predictions to show.",))
    one = known[lead]
    text = (
        f"In {one.ties:.0%} of the tested windows several emotions share the highest rating; such "
        "a window counts in equal parts for each of them, and a prediction hits where it names "
        "one of them. Always naming the most frequent emotion of all tested windows would hit "
        f"{one.constant:.1%}, of each person's own tested windows {one.personal:.1%}: a system "
        "below these has learned nothing about the dominant emotion that a constant does not "
        "know. The row of an emotion that dominates no tested window is white.",
    )
    emotions = found.table.labels.emotions
    figure = figures.matrices(
        emotions,
        {f"{lead}: rows sum to 1": one.shares},
        "share of the row",
        axes_labels=("predicted dominant emotion", "rated dominant emotion"),
    )
    rows = tuple((model, f"{value.hits:.1%}") for model, value in known.items())
    rows += (
        ("most frequent emotion of all", f"{one.constant:.1%}"),
        ("most frequent emotion of each person (oracle)", f"{one.personal:.1%}"),
    )
    counts = tuple(
        (emotion, number(count, 1)) for emotion, count in zip(emotions, one.windows, strict=True)
    )
    alt = f"Confusion matrix of {lead}; it hits {one.hits:.1%}, a constant {one.constant:.1%}."
    return Section(
        key,
        title,
        text,
        (Picture(figure, alt),),
        (
            Grid("page", "Windows whose dominant emotion is hit", ("system", "hit"), rows),
            Grid("page", "Windows that each emotion dominates", ("emotion", "windows"), counts),
        ),
    )


def prototype_usage(found: Findings) -> Section:
    """Show which prototypes MPCL addresses."""
    key, title = "prototypes", "Prototype usage"
    read = readings.usage(found.table, found.pieces, "mpcl")
    if read is None:
        return Section(key, title, ("MPCL was not run, so there are no prototypes to show.",))
    window, bank = read.window, read.bank
    text = (
        f"The effective number of prototypes, exp of the entropy of their weights, is "
        f"{window[0]:.1f} of {read.prototypes} for a single window and {bank[0]:.1f} for all "
        f"tested windows of a network together (over networks {window[1]:.1f} to {window[2]:.1f}, "
        f"and {bank[1]:.1f} to {bank[2]:.1f}). A single window at {read.prototypes} would mean "
        "that addressing is uniform and picks nothing; a bank far below it, that most "
        "prototypes lie idle.",
        f"Shown is the network with the median KL: {read.fold}, seed {read.seed}. Each network "
        "learns a bank of its own, so that a prototype's number means nothing in another.",
    )
    figure = figures.prototypes(found.table.labels.emotions, read.weights)
    alt = (
        f"Mean addressing weight of {read.prototypes} prototypes by true dominant emotion; "
        f"weights go from {np.nanmin(read.weights):.3f} to {np.nanmax(read.weights):.3f}, uniform "
        f"is {1 / read.prototypes:.3f}."
    )
    return Section(key, title, text, (Picture(figure, alt),))


def loss_terms(found: Findings) -> Section:
    """Show what each loss term adds to MPCL's total as training goes on."""
    key, title = "losses", "Loss terms of MPCL"
    settings = settings_of(found)
    added = readings.contributions(found.pieces, "mpcl", settings)
    if added is None:
        return Section(key, title, ("MPCL was not run, so there are no losses to show.",))
    weights = readings.loss_weights(settings)
    size = np.abs(added)
    rows = tuple(
        (
            name,
            f"{weights[place]:g}",
            f"{added[0, place]:.4f}",
            f"{added[-1, place]:.4f}",
            f"{size[0, place] / size[0].sum():.0%}",
            f"{size[-1, place] / size[-1].sum():.0%}",
        )
        for place, name in enumerate(readings.LOSSES)
    )
    header = (
        *("term", "weight", "adds in the first epoch", "adds in the last epoch"),
        *("share in the first", "share in the last"),
    )
    lines = {
        f"{name} × {weights[place]:g}": added[:, place]
        for place, name in enumerate(readings.LOSSES)
    }
    text = (
        "Each term times its weight, as it enters the total, mean over all folds and seeds. The "
        "papers sum the terms with weight 1. PCL may be negative. A share is of the sum of "
        "absolute values. What changing a weight does to the result is told by an ablation over "
        "it (affectstream ablate).",
    )
    alt = f"Weighted loss terms over {len(added)} epochs. " + "; ".join(
        f"{row[0]} goes from {row[2]} to {row[3]}" for row in rows
    )
    return Section(
        key,
        title,
        text,
        (Picture(figures.curves(lines, "epoch", "weighted loss (nats)"), alt + "."),),
        (Grid("page", "What the terms add", header, rows),),
    )
