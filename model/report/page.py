"""The HTML page of a report: one file, without scripts, that opens from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined

from model.report import inside, sections
from model.report.figures import data_uri
from model.report.findings import Findings
from model.report.layout import Section

TEMPLATE = "page.html.j2"


def render(found: Findings) -> str:
    """Return a report as a whole HTML document.

    What the data or the systems run do not give leaves a sentence in its place.
    """
    return document(
        f"{found.facts['dataset']}, protocol {found.facts['protocol']}",
        found.sentences,
        contents(found),
        found.facts["systems"],
    )


def document(
    title: str,
    sentences: Sequence[str],
    parts: Sequence[Section],
    terms: Mapping[str, str],
    terms_title: str = "Systems",
) -> str:
    """Return a whole HTML document.

    Figures are inlined and nothing is loaded from elsewhere. Every text is escaped, for names of
    people, trials and data sets come from files.

    Parameters
    ----------
    title : str
    sentences : sequence of str
        What the page is about, then its main findings; at least one.
    parts : sequence of Section
    terms : mapping of str to str
        Names that the page uses, and what they mean.
    terms_title : str
        What stands above these.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["data_uri"] = data_uri
    source = resources.files("model.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        title=title,
        sentences=sentences,
        sections=parts,
        terms=terms,
        terms_title=terms_title,
    )


def contents(found: Findings) -> list[Section]:
    """Return the sections of a page in reading order."""
    results = Section(
        "results",
        "Results",
        (),
        (),
        sections.parts(found, "metrics", "monitor", "calibration", "ablation"),
    )
    pairs = sections.parts(found, "paired")
    paired = Section(
        "paired",
        "Paired differences",
        () if pairs else ("No two of the systems run here are compared.",),
        (),
        pairs,
    )
    tables = sections.parts(found, "published")
    published = Section(
        "published",
        "Published results",
        (
            "As printed, with the faults that can be seen in the numbers; never measured here."
            if tables
            else "The papers printed nothing for this kind of data and protocol.",
        ),
        (),
        tables,
    )
    return [
        results,
        sections.systems_at_a_glance(found),
        *sections.calibration(found),
        paired,
        *sections.setting_effects(found),
        inside.chosen_samples(found),
        inside.label_correlations(found),
        inside.dominant_emotion(found),
        inside.prototype_usage(found),
        inside.loss_terms(found),
        sections.costs(found),
        sections.failures(found),
        published,
    ]
