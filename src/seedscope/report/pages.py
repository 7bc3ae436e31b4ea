"""The pages of the site as texts: what stands beside what, and where each link leads.

Every path here is relative to ``reports``; a link is that path as seen from the page that holds it.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from seedscope.files.names import GIVEN, ReplicaName, folder_name, in_a_sentence
from seedscope.report import wording
from seedscope.report.collection import TRAINING, Collection, Estimate, Figure, File, SweepCollection, Table
from seedscope.report.wording import natural_key

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
ENTRANCE = "site/index.html"
ASSETS = ("site.css", "site.js")
HEADLINES = 6
SEEDS_AT_ONCE = 20  # beside each other; of more the first few that have figures stand for all


@dataclass(frozen=True)
class Picture:
    """A figure where it hangs: what its surroundings say already is not said again."""

    figure: Figure
    seed: ReplicaName | None
    title: str
    description: str


@dataclass(frozen=True)
class Row:
    """One figure of every seed, side by side; ``mark`` tells it from the others of its family."""

    anchor: str
    mark: str
    title: str
    description: str
    pictures: tuple[tuple[ReplicaName, Picture | None], ...]

    @property
    def broad(self) -> bool:
        """Return whether the figures are so broad that they compare better below each other."""
        return any(picture.figure.width > 1.9 * picture.figure.height for _, picture in self.pictures if picture)


Hung = TypeVar("Hung", Picture, Row)


@dataclass(frozen=True)
class Group(Generic[Hung]):
    """What hangs together under one heading, or under none; a common description is said once."""

    words: str
    description: str
    hung: tuple[Hung, ...]


@dataclass(frozen=True)
class Metric:
    """One metric: its value for each seed, over seeds, and what it is compared with."""

    name: str
    values: tuple[str, ...]
    across: str
    beside: str


@dataclass(frozen=True)
class Shown:
    """A number that the index shows of an experiment."""

    lens: str
    metric: str
    text: str
    beside: str


def pages(collections: Sequence[Collection], sweeps: Sequence[SweepCollection] = ()) -> dict[str, str]:
    """Return every page and asset of the site as text, by its path below ``reports``."""
    environment = _environment()
    texts = {f"site/{name}": (TEMPLATES / name).read_text(encoding="utf-8") for name in ASSETS}

    def write(page: str, template: str, **context: Any) -> None:
        texts[page] = environment.get_template(template).render(
            page=page, to=link_from(page), entrance=ENTRANCE, **context
        )

    write(ENTRANCE, "index.html", collections=collections, sweeps=sweeps)
    for sweep in sweeps:
        write(sweep_page(sweep), "sweep.html", of=sweep)
    for of in collections:
        own = [sweep for sweep in sweeps if sweep.experiment == of.name]
        write(experiment_page(of), "experiment.html", of=of, sweeps=own)
        for seed in of.seeds:
            write(seed_page(of, seed), "seed.html", of=of, seed=seed)
        for lens in of.lenses:
            write(lens_page(of, lens), "lens.html", of=of, lens=lens)
    return texts


def experiment_page(of: Collection) -> str:
    """Return where the comparison of an experiment's replicas lies."""
    return f"site/{of.name}/index.html"


def sweep_page(of: SweepCollection) -> str:
    """Return where the page of one sweep lies."""
    return f"site/sweeps/{of.name}.html"


def seed_page(of: Collection, seed: ReplicaName) -> str:
    """Return where the page of one replica lies."""
    return f"site/{of.name}/{folder_name(seed)}.html"


def lens_page(of: Collection, lens: str) -> str:
    """Return where the page of one lens lies."""
    return f"site/{of.name}/lens-{lens}.html"


def link_from(page: str) -> Callable[..., str]:
    """Return a function from a path below ``reports`` to the link that leads there from ``page``."""
    here = posixpath.dirname(page)

    def link(path: str, anchor: str = "") -> str:
        return quote(posixpath.relpath(path, here)) + (f"#{anchor}" if anchor else "")

    return link


def anchor(*parts: str) -> str:
    """Return an ``id`` made of names: free of spaces and different for different names."""
    return "-".join(map(quote, parts))


def common_start(titles: Sequence[str]) -> str:
    """Return the clauses with which all titles begin: "Confusion" of "Confusion: 50 wrong" and "Confusion: 7 wrong"."""
    if shared(titles):
        return titles[0]
    common = len(posixpath.commonprefix(titles))
    for clause in reversed(list(re.finditer(r"\?(?= )|(?=[:;,] )|(?= \()", max(titles, key=len)))):
        start = clause.string[: clause.end()]
        if len(start) <= common and start.count("(") == start.count(")"):
            return start
    return ""


def shared(texts: Iterable[str]) -> str:
    """Return the text that all have in common, or nothing when they differ."""
    distinct = set(texts)
    return distinct.pop() if len(distinct) == 1 else ""


def row(of: Collection, lens: str, name: str) -> Row:
    """Return one figure of every seed; words that all seeds share are said once, above the row."""
    found = {seed: figure for seed in of.drawn for figure in of.shelf(seed, lens).figures if figure.name == name}
    titles = [figure.title for figure in found.values()]
    descriptions = [figure.description for figure in found.values()]
    common, spoken = common_start(titles), common_start(descriptions)
    description = spoken if shared(descriptions) else f"{spoken} …" if len(spoken.split()) > 3 else ""

    def picture(seed: ReplicaName, figure: Figure) -> Picture:
        own = figure.title.removeprefix(common).strip(" ,;:")
        rest = figure.description.removeprefix(spoken).lstrip(" ,;:…") if description else figure.description
        return Picture(figure, seed, own, f"… {rest}" if rest and description else rest)

    first = next(iter(found.values()))
    title = common or wording.title_of(name.rpartition(".")[0])
    pictures = tuple((seed, picture(seed, found[seed]) if seed in found else None) for seed in of.drawn)
    return Row(anchor(name), first.mark, title, description, pictures)


def rows(of: Collection, lens: str) -> tuple[Group[Row], ...]:
    """Return the rows of a lens by family, over the figures that any seed has."""
    by_name = {figure.name: figure for seed in reversed(of.drawn) for figure in of.shelf(seed, lens).figures}
    return _groups(by_name.values(), lambda figure: row(of, lens, figure.name))


def gallery(figures: Sequence[Figure], seed: ReplicaName | None = None) -> tuple[Group[Picture], ...]:
    """Return the figures of one folder by family, for a page about ``seed`` or about none."""
    return _groups(figures, lambda figure: Picture(figure, seed, figure.title, figure.description))


def _groups(figures: Iterable[Figure], hang: Callable[[Figure], Hung]) -> tuple[Group[Hung], ...]:
    """Group figures by family; those that stand alone come first, under no words."""
    families: dict[str, list[Figure]] = {"": []}
    for figure in sorted(figures, key=lambda figure: (natural_key(figure.mark), natural_key(figure.name))):
        families.setdefault(figure.family, []).append(figure)
    for family in [family for family, members in families.items() if family and len(members) == 1]:
        families[""] += families.pop(family)
    families[""].sort(key=lambda figure: natural_key(figure.name))
    groups = []
    for family, members in sorted(families.items(), key=lambda one: (one[0] != "", natural_key(one[0]))):
        hung = tuple(map(hang, members))
        common = shared(one.description for one in hung) if family else ""
        if common:
            hung = tuple(replace(one, description="") for one in hung)
        if hung:
            groups.append(Group(family, common, hung))
    return tuple(groups)


def loose_tables(of: Collection, lens: str) -> tuple[tuple[str, tuple[tuple[ReplicaName, File], ...]], ...]:
    """Return the tables of a lens that stand beside no figure, each for every seed that has it."""
    by_name: dict[str, list[tuple[ReplicaName, File]]] = {}
    for seed in of.drawn:
        for file in of.shelf(seed, lens).tables:
            by_name.setdefault(file.name, []).append((seed, file))
    return tuple((name, tuple(by_name[name])) for name in sorted(by_name, key=natural_key))


def metrics(of: Collection, lens: str, seeds: Sequence[ReplicaName]) -> tuple[Metric, ...]:
    """Return the metrics that these seeds have of a lens, beside the same metric over all seeds."""
    measured = [of.metrics.get(seed, {}).get(lens, {}) for seed in seeds]
    over_seeds = of.estimates.get(lens, {})
    return tuple(
        Metric(
            name,
            wording.aligned([by_name.get(name) for by_name in measured]),
            estimate(over_seeds[name]) if name in over_seeds else "",
            beside(over_seeds[name]) if name in over_seeds else "",
        )
        for name in dict.fromkeys(name for by_name in measured for name in by_name)
    )


def seeds_shown(of: Collection, also: ReplicaName | None = None) -> tuple[ReplicaName, ...]:
    """Return the seeds to put beside each other: all, or of many the first of those that have figures, and ``also``."""
    if len(of.seeds) <= SEEDS_AT_ONCE:
        return of.seeds
    chosen = (of.drawn or of.seeds)[:SEEDS_AT_ONCE]
    return tuple(seed for seed in of.seeds if seed in chosen or seed == also)


def undrawn(of: Collection) -> tuple[ReplicaName, ...]:
    """Return the seeds that have numbers and no figures."""
    return tuple(seed for seed in of.seeds if seed not in of.drawn)


def draw_command(of: Collection, seed: ReplicaName) -> str:
    """Return what to type for the figures of one replica."""
    return f"python -m seedscope draw {of.name}" + ("" if seed == GIVEN else f" --seed {seed}")


def comparisons(of: Collection, lens: str) -> tuple[Metric, ...]:
    """Return the metrics of a lens that only several seeds together have, such as an overlap."""
    own = {name for by_lens in of.metrics.values() for name in by_lens.get(lens, {})}
    return tuple(
        Metric(name, ("",) * len(seeds_shown(of)), estimate(found), beside(found))
        for name, found in of.estimates.get(lens, {}).items()
        if name not in own
    )


def headlines(of: Collection, limit: int = HEADLINES) -> tuple[Shown, ...]:
    """Return the numbers to show first: how well the replicas decide, then what is compared with chance."""
    order = {lens: i for i, lens in enumerate((TRAINING, *of.lenses))}
    every = [(lens, metric, found) for lens, by_name in of.estimates.items() for metric, found in by_name.items()]

    def rank(entry: tuple[str, str, Estimate]) -> tuple[bool, bool, int]:
        lens, metric, found = entry
        return (
            lens != TRAINING or "accuracy" not in metric,
            "null" not in found.beside,
            order.get(lens, len(order)),
        )

    return tuple(
        Shown(lens, metric, estimate(found), beside(found)) for lens, metric, found in sorted(every, key=rank)[:limit]
    )


def estimate(found: Estimate) -> str:
    """Return a metric over seeds in words."""
    return wording.interval(found.mean, found.low, found.high, found.n, same=found.same)


def beside(found: Estimate) -> str:
    """Return what a metric over seeds is compared with, in words: ``null 0.4 [0.3, 0.5]``."""
    values = found.beside
    bounds = {key: (f"{key}_low", f"{key}_high") for key in values}
    ranged = {key for key, (low, high) in bounds.items() if low in values and high in values}
    bounding = {bound for key in ranged for bound in bounds[key]}

    def text(key: str) -> str:
        if key not in ranged:
            return cell(values[key])
        low, high = bounds[key]
        return f"{cell(values[key])} [{cell(values[low])}, {cell(values[high])}]"

    return ", ".join(f"{wording.label(key)} {text(key)}" for key in values if key not in bounding)


def cell(value: Any) -> str:
    """Return what stands in a table: numbers are rounded, words are left as they are."""
    if value is None:
        return wording.UNDEFINED
    if isinstance(value, str):
        return _cell_of_text(value)
    return wording.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _cell_of_text(text: str) -> str:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return wording.number(int(text))
    try:
        return wording.number(float(text))
    except ValueError:
        return text


def by_metric(table: Table) -> tuple[tuple[str, tuple[Mapping[str, str], ...]], ...]:
    """Return the lines of a sweep's ``summary.csv`` by metric."""
    return _grouped(table, "metric")


def by_lens(table: Table) -> tuple[tuple[str, tuple[Mapping[str, str], ...]], ...]:
    """Return the lines of ``summary.csv`` by lens, in the order in which the lenses come."""
    return _grouped(table, "lens")


def _grouped(table: Table, column: str) -> tuple[tuple[str, tuple[Mapping[str, str], ...]], ...]:
    names = dict.fromkeys(line.get(column, "") for line in table.rows)
    return tuple((name, tuple(line for line in table.rows if line.get(column, "") == name)) for name in names)


def summary_estimate(columns: Mapping[str, str]) -> str:
    """Return the mean, the interval and n of one line of ``summary.csv``."""

    def value(name: str) -> float | None:
        text = columns.get(name, "")
        if re.fullmatch(r"-?[0-9]+", text):
            return int(text)
        return float(text) if text and math.isfinite(float(text)) else None

    n, same = int(float(columns.get("n") or 0)), columns.get("same") == "True"
    return wording.interval(value("mean"), value("low"), value("high"), n, same=same)


def component(settings: Mapping[str, Any], section: str) -> tuple[str, str]:
    """Return the name of a component of the configuration, and its short options in words."""
    spec = settings.get(section) or {}
    name = str(spec.get("_target_", wording.UNDEFINED)).rpartition(".")[2]
    options = {key: value for key, value in spec.items() if not key.startswith("_") and _is_short(value)}
    return name, ", ".join(f"{wording.label(key)} {wording.in_words(value)}" for key, value in options.items())


def _is_short(value: Any) -> bool:
    # Digests and nested sections are for the configuration itself, which every experiment's page shows whole.
    return value is not None and not isinstance(value, Mapping) and len(wording.in_words(value)) <= 24


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {
        "experiment_page": experiment_page,
        "sweep_page": sweep_page,
        "seed_page": seed_page,
        "lens_page": lens_page,
        "anchor": anchor,
        "rows": rows,
        "gallery": gallery,
        "loose_tables": loose_tables,
        "seeds_shown": seeds_shown,
        "undrawn": undrawn,
        "draw_command": draw_command,
        "metrics": metrics,
        "comparisons": comparisons,
        "headlines": headlines,
        "by_lens": by_lens,
        "by_metric": by_metric,
        "summary_estimate": summary_estimate,
        "estimate": estimate,
        "component": component,
        "GIVEN": GIVEN,
    }
    environment.filters |= {
        "label": wording.label,
        "heading": wording.title_of,
        "cell": cell,
        "number": wording.number,
        "called": in_a_sentence,
    }
    return environment
