"""What one experiment has to show, read from its artifacts; pictures are opened for their headers only."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment, Sweep
from seedscope.files.names import GIVEN, ReplicaName, in_a_sentence
from seedscope.files.paths import PICTURES, Artifacts, SweepArtifacts
from seedscope.files.reading import read_mapping
from seedscope.report.wording import in_words, integers, label, listed, natural_key

TRAINING = "training"
FACTS = "Seedscope"  # as seedscope.figures.renderer writes them


@dataclass(frozen=True)
class File:
    """A file to link to: ``name`` inside its folder, ``path`` below ``reports``."""

    name: str
    path: str


@dataclass(frozen=True)
class Figure(File):
    """A picture with what it says of itself and its size in pixels.

    Attributes:
        title: what it shows, without the experiment and the seed.
        description: how to read it.
        width: pixels.
        height: pixels.
        family: what it has in common with others of its kind; "" where it stands alone.
        mark: what tells it from these.
        tables: the numbers behind it.
    """

    title: str
    description: str
    width: int
    height: int
    family: str = ""
    mark: str = ""
    tables: tuple[File, ...] = ()


@dataclass(frozen=True)
class Shelf:
    """What lies in one folder: figures, and the files that belong to none of them."""

    figures: tuple[Figure, ...] = ()
    tables: tuple[File, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.figures or self.tables)


@dataclass(frozen=True)
class Estimate:
    """A metric over seeds: mean, 95 % interval, what it is compared with (``null``, …); are all seeds the same?"""

    mean: float | None
    low: float | None
    high: float | None
    n: int
    beside: Mapping[str, Any]
    same: bool = False


@dataclass(frozen=True)
class Condition:
    """A number that a claim rests on, and whether it lies where it must; ``because``: where it decides, why it does."""

    words: str
    estimate: Estimate
    asked: str
    p: float | None
    verdict: str
    because: str


@dataclass(frozen=True)
class Finding:
    """A claim of the replicas, with its verdict; ``p`` is corrected for all of them."""

    claim: str
    verdict: str
    p: float | None
    lens: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Table:
    """A table to show in full."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Collection:
    """Everything that the site shows of one experiment; ``drawn`` are the seeds that have figures."""

    name: str
    settings: Mapping[str, Any]
    config_text: str
    seeds: tuple[ReplicaName, ...]
    drawn: tuple[ReplicaName, ...]
    lenses: tuple[str, ...]
    unconfigured: tuple[str, ...]
    shelves: Mapping[tuple[ReplicaName, str], Shelf]
    metrics: Mapping[ReplicaName, Mapping[str, Mapping[str, float | None]]]
    across: Shelf
    estimates: Mapping[str, Mapping[str, Estimate]]
    findings: tuple[Finding, ...]
    summary: Table | None
    numbers: tuple[File, ...]
    missing: str

    def shelf(self, seed: ReplicaName, lens: str) -> Shelf:
        """Return the figures and tables of one lens on one replica."""
        return self.shelves.get((seed, lens), Shelf())


def _config_text(settings: Mapping[str, Any]) -> str:
    """Return the settings as YAML, without those that change no result: the same results give the same page."""
    shown = _shown(settings)
    if "seeds" in shown:
        shown["seeds"] = sorted(shown["seeds"])
    if "variants" in shown:
        shown["variants"] = [{**one, "settings": _shown(one["settings"])} for one in shown["variants"]]
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    empty = (section for section in ("weights", "inputs") if not settings.get(section))
    silent = ("engine", "store", "code", "stages", *empty)
    return {section: content for section, content in settings.items() if section not in silent}


@dataclass(frozen=True)
class SweepCollection:
    """Everything that the site shows of one sweep; ``trends`` are sentences.

    Where random streams are crossed, ``levels`` says how many each has, and there are no conditions.
    """

    name: str
    experiment: str
    key: str
    levels: str
    values: tuple[str, ...]
    base: str
    seeds: tuple[int, ...]
    config_text: str
    shelf: Shelf
    trends: tuple[str, ...]
    summary: Table | None
    numbers: tuple[File, ...]
    missing: str


def collect_sweep(name: str, root: Path = Path()) -> SweepCollection:
    """Read what there is of one sweep; what there is not, ``missing`` says in one sentence."""
    at = SweepArtifacts(name, root)
    reports = root / "reports"
    sweep = Sweep.load(name, root) if at.config.exists() else None
    trends, summary = at.figures / "trends.csv", at.figures / "summary.csv"
    whole = sweep is not None and at.metrics.exists() and summary.exists()
    return SweepCollection(
        name=name,
        experiment=sweep.experiment if sweep else "",
        key=sweep.key if sweep else "",
        levels=" × ".join(f"{n} {stream}" for stream, n in sweep.levels.items()) if sweep else "",
        values=tuple(in_words(variant.value) for variant in sweep.variants) if sweep else (),
        base=in_words(sweep.base) if sweep else "",
        seeds=sweep.seeds if sweep else (),
        config_text=_config_text(read_mapping(at.config)) if sweep else "",
        shelf=read_shelf(at.figures, reports),
        trends=tuple(row["sentence"] for row in read_table(trends).rows) if trends.exists() else (),
        summary=read_table(summary) if summary.exists() else None,
        numbers=(File(at.metrics.name, at.metrics.relative_to(reports).as_posix()),) if at.metrics.exists() else (),
        missing="" if whole else f"Missing for the sweep {name}: its comparison; dvc repro runs it.",
    )


def collect(name: str, root: Path = Path()) -> Collection:
    """Read what there is of one experiment; what there is not, ``missing`` says in one sentence."""
    at = Artifacts(name, root)
    reports = root / "reports"
    composed = at.config.exists()
    experiment = Experiment.load(name, root) if composed else None
    seeds = experiment.replicas if experiment else ()
    seen = experiment.drawn if experiment else ()
    configured = experiment.lens_names if experiment else ()

    by_seed = read_mapping(at.seeds_metrics) if at.seeds_metrics.exists() else {}
    metrics = {seed: by_seed.get(str(seed), {}) for seed in seeds}
    measured = list(dict.fromkeys(lens for of_seed in metrics.values() for lens in of_seed))
    drawn = list(dict.fromkeys(lens for seed in seen for lens in _folders(_figures_of(at, seed))))
    first = [TRAINING] if TRAINING in (*measured, *drawn) else []
    lenses = tuple(dict.fromkeys([*first, *configured, *measured, *sorted(drawn, key=natural_key)]))

    shelves = {(seed, lens): read_shelf(at.figures(seed, lens), reports) for seed in seen for lens in lenses}
    across = Shelf() if seeds == (GIVEN,) else read_shelf(at.across_seeds, reports)
    summary_file = at.across_seeds / "summary.csv"
    return Collection(
        name=name,
        settings=experiment.settings if experiment else {},
        config_text=_config_text(experiment.settings) if experiment else "",
        seeds=seeds,
        drawn=seen,
        lenses=lenses,
        unconfigured=tuple(lens for lens in drawn if lens not in (*configured, *measured, TRAINING)),
        shelves=shelves,
        metrics=metrics,
        across=across,
        estimates=_estimates(at.across_metrics),
        findings=_findings(at.findings),
        summary=read_table(summary_file) if summary_file.exists() else None,
        numbers=tuple(
            File(path.name, path.relative_to(reports).as_posix())
            for path in (at.seeds_metrics, at.across_metrics, at.findings, at.learning)
            if path.exists() and (path == at.seeds_metrics or seeds != (GIVEN,))  # the others hold nothing
        ),
        missing=_missing(at, seeds, seen, lenses, shelves, across),
    )


def read_shelf(folder: Path, reports: Path) -> Shelf:
    """Read the headers of a folder's pictures, and pair each with the tables of the same name."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    named = {path.relative_to(folder).as_posix(): path for path in files}
    ordered = sorted(named, key=natural_key)
    pictures = [name for name in ordered if name.endswith(PICTURES)]
    others = {name: File(name, named[name].relative_to(reports).as_posix()) for name in ordered if name not in pictures}
    figures = []
    for name in pictures:
        stem = name.rpartition(".")[0]
        behind = tuple(file for other, file in others.items() if other.rpartition(".")[0] == stem)
        figures.append(read_figure(named[name], name, named[name].relative_to(reports).as_posix(), behind))
    paired = {file.name for figure in figures for file in figure.tables}
    return Shelf(tuple(figures), tuple(file for name, file in others.items() if name not in paired))


def read_figure(path: Path, name: str, link: str, tables: tuple[File, ...] = ()) -> Figure:
    """Read a picture's facts and size from its header; one without facts is called by its file name."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            # Not ``picture.text``: it decodes the whole picture to look for words behind the pixels.
            said, (width, height) = dict(picture.info), picture.size
    except OSError as error:
        raise SeedscopeError(f"{path} cannot be read as a picture: delete it and run `dvc repro`") from error
    facts = _facts(said.get(FACTS, said.get("comment", "")))
    title = facts.get("title") or label(name.rpartition(".")[0])
    about = (facts.get(key, "") for key in ("description", "family", "mark"))
    description, family, mark = map(_one_line, about)
    return Figure(name, link, _one_line(title), description, width, height, family, mark, tables)


def _facts(text: str | bytes) -> Mapping[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError:  # a picture that somebody else drew
        return {}
    return facts if isinstance(facts, dict) else {}


def read_table(path: Path) -> Table:
    """Read a table in full."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = tuple({key: value for key, value in row.items() if key is not None} for row in reader)
            return Table(tuple(reader.fieldnames or ()), rows)
    except (OSError, ValueError, csv.Error) as error:
        raise SeedscopeError(f"{path} cannot be read as a table: delete it and run `dvc repro`") from error


def _estimates(path: Path) -> dict[str, dict[str, Estimate]]:
    if not path.exists():
        return {}
    return {
        lens: {metric: _estimate(values) for metric, values in metrics.items()}
        for lens, metrics in read_mapping(path).items()
    }


def _estimate(values: Mapping[str, Any]) -> Estimate:
    own = ("mean", "low", "high", "n", "same")
    return Estimate(
        values.get("mean"),
        values.get("low"),
        values.get("high"),
        values.get("n", 0),
        {key: value for key, value in values.items() if key not in own},
        values.get("same", False),
    )


def _findings(path: Path) -> tuple[Finding, ...]:
    if not path.exists():
        return ()
    try:
        return tuple(
            Finding(
                said["claim"],
                said["verdict"],
                said["p_corrected"],
                said["lens"],
                tuple(
                    Condition(
                        one["is"],
                        _estimate(one),
                        one["asked"],
                        one["p"],
                        one["verdict"],
                        said["because"] if metric == said["decided_by"] else "",
                    )
                    for metric, one in said["conditions"].items()
                ),
            )
            for said in read_mapping(path).values()
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SeedscopeError(f"{path} does not hold findings: delete it and run `dvc repro`") from error


def _missing(
    at: Artifacts,
    seeds: tuple[ReplicaName, ...],
    drawn: tuple[ReplicaName, ...],
    lenses: tuple[str, ...],
    shelves: Mapping[tuple[ReplicaName, str], Shelf],
    across: Shelf,
) -> str:
    if not at.config.exists():
        return (
            f"Missing for {at.experiment}: its configuration, and so everything else; "
            "dvc repro composes it and runs its stages."
        )
    bare = [seed for seed in drawn if not any(shelves[seed, lens] for lens in lenses)]
    partly = [
        f"the figures of {label(lens)} for {_seeds(without)}"
        for lens in lenses
        if (without := [seed for seed in drawn if not shelves[seed, lens] and seed not in bare])
        and any(shelves[seed, lens] for seed in drawn)
    ]
    absent = {
        "the metrics by seed": not at.seeds_metrics.exists(),
        f"the figures of {_seeds(bare)}": bool(bare),
        **dict.fromkeys(partly, True),
        "the metrics across seeds": not at.across_metrics.exists(),
        "the findings": not at.findings.exists(),
        # One replica has nothing to be compared with.
        "the figures across seeds": not across and len(seeds) > 1,
    }
    if not any(absent.values()):
        return ""
    what = listed([part for part, is_absent in absent.items() if is_absent])
    return f"Missing for {at.experiment}: {what}; a stage has failed or has not run, dvc repro runs it again."


def _seeds(names: Sequence[ReplicaName]) -> str:
    seeds = [name for name in names if name != GIVEN]
    if not seeds:
        return in_a_sentence(GIVEN)
    return f"seed{'s' if len(seeds) != 1 else ''} {integers(seeds)}"


def _figures_of(at: Artifacts, seed: ReplicaName) -> Path:
    return at.figures(seed, TRAINING).parent


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
