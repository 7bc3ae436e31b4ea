"""What there is to publish: the whole results that the artifacts hold, in words and numbers that MLflow takes.

    a replica        its identity's fingerprint                         the figures and metrics of its lenses
    the comparison   a digest of its replicas' and their mean history   the figures and metrics across seeds
    a sweep          a digest of its replicas' in every variant         the figures and metrics by condition

The left tells results apart; the *analysis*, a digest of the right, says whether the same result shows something
new. What is not whole is left out, with a sentence that says why.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment, Sweep
from seedscope.files.names import GIVEN, ReplicaName, in_a_sentence, run_of
from seedscope.files.paths import Artifacts, SweepArtifacts
from seedscope.files.reading import read_history, read_mapping

ACROSS_SEEDS = "across seeds"
TRAINING = "training"  # the folder of a run's artifacts for what determines it, and never changes
# Sections that determine a replica become parameters, which MLflow never lets change; the options of an
# analysis may change while the replica stays, so they become tags. The silent ones say nothing of one result.
_DETERMINING = ("data", "model", "weights", "train")
_SILENT = ("experiment", "seeds", "drawn", "engine", "store", "inputs", "code", "stages")
_VERDICT = {"holds": 1.0, "undecided": 0.0, "does not hold": -1.0}  # a metric is a number
_LONGEST_VALUE = 500  # what every MLflow server since 1.28 accepts


@dataclass
class Digests:
    """SHA-256 of files; a file with the size, time and inode that ``known`` remembers is not read again."""

    known: Mapping[str, list[Any]]
    seen: dict[str, list[Any]] = field(default_factory=dict)

    def of(self, path: Path) -> str:
        """Return the digest of a file."""
        stat = path.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        remembered = self.known.get(str(path), [])
        if remembered[:3] != state:
            remembered = [*state, digest(path)]
        self.seen[str(path)] = remembered
        return str(remembered[3])


@dataclass(frozen=True)
class Result:
    """What one run is to show.

    Attributes:
        at: the experiment's artifacts.
        replica: of a replica its seed, or ``given``; ``None`` of the comparison and of a sweep.
        fingerprint: what tells this result from others of the same name.
        analysis: what tells from others the figures and metrics that show it now.
        dataset: digest of the data.
        params: the settings that determine it, flat.
        options: the settings of its analysis, flat.
        environment: what it was trained with, flat.
        metrics: numbers by lens and name; in the comparison each is an estimate with its bounds.
        curve: a table with a row for each epoch; a sweep and given weights have none.
        lasting: files by their name in the run's artifacts; they determine the result.
        analysed: files by their name in the run's artifacts; they show it.
        sweep: of a sweep, its name.
    """

    at: Artifacts
    replica: ReplicaName | None
    fingerprint: str
    analysis: str
    dataset: str
    params: Mapping[str, str]
    options: Mapping[str, str]
    environment: Mapping[str, str]
    metrics: Mapping[str, Any]
    curve: Path | None
    lasting: Mapping[str, Path]
    analysed: Mapping[str, Path]
    sweep: str | None = None

    @property
    def name(self) -> str:
        """Return the name of its run."""
        return run_name(self.replica, self.sweep)

    @property
    def source(self) -> Path:
        """Return where its pictures lie; each variant of a sweep has its own."""
        return self.at.data if self.sweep is None else SweepArtifacts(self.sweep, self.at.root).variants

    def numbers(self) -> dict[str, float]:
        """Return its metrics by MLflow's name for them."""
        return dict(_numbers(self.metrics))

    def history(self) -> Iterator[tuple[str, float, int]]:
        """Yield (column, value, epoch) of its curve; cells without a value are passed over."""
        if self.curve is None:
            return
        with self.curve.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                epoch = int(float(row.pop("epoch")))
                yield from ((_key(name), float(value), epoch) for name, value in row.items() if value)


@dataclass(frozen=True)
class Found:
    """What the artifacts of some experiments hold.

    Attributes:
        results: what is whole, for every experiment whose configuration can be read.
        left_out: a sentence for each (experiment, run name) that is not whole.
    """

    results: Mapping[str, Sequence[Result]]
    left_out: Mapping[tuple[str, str], str]


def run_name(replica: ReplicaName | None, sweep: str | None = None) -> str:
    """Return the name of a replica's run, of a sweep's, or without either that of the comparison."""
    if sweep is not None:
        return f"sweep {sweep}"
    return ACROSS_SEEDS if replica is None else run_of(replica)


def find_results(root: Path, experiments: Sequence[str], digests: Digests, sweeps: Sequence[str] = ()) -> Found:
    """Return what there is of ``experiments`` and ``sweeps``, in the order to be published in.

    MLflow lists the newest run first.
    """
    results: dict[str, list[Result]] = {}
    left_out: dict[tuple[str, str], str] = {}
    for name in experiments:
        try:
            experiment = Experiment.load(name, root)
        except SeedscopeError as error:
            left_out[name, ""] = f"{name}: {error}"
            continue
        replicas: list[Result] = []
        comparison: list[Result] = []
        for replica in experiment.replicas:
            try:
                replicas.append(_replica(experiment, replica, digests))
            except SeedscopeError as error:
                left_out[name, run_name(replica)] = f"{name} {run_name(replica)}: {error}"
        if len(experiment.replicas) > 1:
            try:
                comparison.append(_comparison(experiment, replicas, digests))
            except SeedscopeError as error:
                left_out[name, ACROSS_SEEDS] = f"{name} {ACROSS_SEEDS}: {error}"
        results[name] = [*reversed(replicas), *comparison]
    for name in sweeps:
        experiment_name = ""
        try:
            sweep = Sweep.load(name, root)
            experiment_name = sweep.experiment
            results.setdefault(experiment_name, []).append(_sweep(sweep, digests))
        except SeedscopeError as error:
            left_out[experiment_name, run_name(None, name)] = f"{run_name(None, name)}: {error}"
    return Found(results, left_out)


def _replica(experiment: Experiment, name: ReplicaName, digests: Digests) -> Result:
    at = experiment.at
    identity = read_mapping(at.identity(name))
    curve = None if name == GIVEN else at.history(name)
    files = [at.identity(name)]  # of given weights, which lie elsewhere, it holds the digest
    if curve is not None:
        read_history(curve)  # refused where it is not whole
        files = [at.model(name), curve, *files]
    metrics = read_mapping(at.seeds_metrics).get(str(name))
    if metrics is None:
        raise SeedscopeError(f"{at.seeds_metrics} has no {in_a_sentence(name)}: run `dvc repro` to analyze it")
    lasting = {f"{TRAINING}/{path.name}": path for path in files}
    figures = _figures(at.figures(name, "")) if name in experiment.drawn else {}
    _require(at.data, *lasting.values())
    silent = (*_DETERMINING, *_SILENT)
    determining = {section: experiment.settings.get(section) or {} for section in _DETERMINING}
    return Result(
        at=at,
        replica=name,
        fingerprint=str(identity["fingerprint"]),
        analysis=_digest_of_analysis(figures, metrics, digests),
        dataset=digests.of(at.data)[:16],
        params=_flat(determining),
        options=_flat({key: value for key, value in experiment.settings.items() if key not in silent}),
        environment=_flat(identity.get("environment", {})),
        metrics=metrics,
        curve=curve,
        lasting=lasting,
        analysed={**figures, f"config/{at.config.name}": at.config},
    )


def _comparison(experiment: Experiment, replicas: Sequence[Result], digests: Digests) -> Result:
    if len(replicas) < len(experiment.replicas):
        raise SeedscopeError("not every replica is there")
    at = experiment.at
    findings = read_mapping(at.findings)
    verdicts = {
        key: {"verdict": _VERDICT[one["verdict"]], "p_corrected": one["p_corrected"]} for key, one in findings.items()
    }
    metrics = read_mapping(at.across_metrics) | ({"findings": verdicts} if verdicts else {})
    figures = _figures(at.across_seeds)
    _require(at.learning)
    fingerprints = {replica.name: replica.fingerprint for replica in replicas}
    return replace(
        replicas[0],
        replica=None,
        fingerprint=digest_of({**fingerprints, "curve": digests.of(at.learning)}),
        analysis=_digest_of_analysis(figures, metrics, digests),
        params={**replicas[0].params, "seeds": json.dumps(experiment.replicas)},
        metrics=metrics,
        curve=at.learning,
        lasting={f"{TRAINING}/{at.learning.name}": at.learning},
        analysed={**figures, at.findings.name: at.findings, f"config/{at.config.name}": at.config},
    )


def _sweep(sweep: Sweep, digests: Digests) -> Result:
    identities: dict[str, Any] = {}
    for variant in sweep.variants:
        for seed in sweep.seeds:
            identities[f"{variant.name} seed={seed}"] = read_mapping(variant.experiment.at.identity(seed))
    metrics = read_mapping(sweep.at.metrics)
    figures = _figures(sweep.at.figures)
    first = next(iter(identities.values()))
    shared = {section: sweep.variants[0].experiment.settings.get(section) or {} for section in _DETERMINING}
    swept = {"sweep.key": sweep.key, "sweep.values": json.dumps([variant.value for variant in sweep.variants])}
    return Result(
        at=Artifacts(sweep.experiment, sweep.at.root),
        replica=None,
        fingerprint=digest_of({name: identity["fingerprint"] for name, identity in identities.items()}),
        analysis=_digest_of_analysis(figures, metrics, digests),
        dataset=digest_of({name: identity["data"] for name, identity in identities.items()})[:16],
        params={key: value for key, value in _flat(shared).items() if key != sweep.key}
        | {key: _short(value) for key, value in swept.items()}
        | {"seeds": json.dumps(sweep.seeds)},
        options={},
        environment=_flat(first.get("environment", {})),
        metrics=metrics,
        curve=None,
        lasting={},
        analysed={**figures, f"config/{sweep.at.config.name}": sweep.at.config},
        sweep=sweep.at.sweep,
    )


def _require(*paths: Path) -> None:
    for path in paths:
        if not path.exists():
            raise SeedscopeError(f"{path} does not exist: run `dvc repro` to make it")


def _figures(folder: Path) -> dict[str, Path]:
    """Return the finished files of a folder by their name in the run's artifacts."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    whole = [path for path in paths if not path.name.startswith(".") and path.suffix != ".tmp"]
    if not whole:
        raise SeedscopeError(f"{folder} has no figures: run `dvc repro` to draw them")
    return {f"figures/{path.relative_to(folder).as_posix()}": path for path in whole}


def _digest_of_analysis(files: Mapping[str, Path], metrics: Any, digests: Digests) -> str:
    content = {"files": {name: digests.of(path) for name, path in files.items()}, "metrics": metrics}
    return digest_of(content)[:16]  # MLflow's pages hide the name of a tag behind a longer value


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as ``a.b.c`` and text; what is no mapping is written as in JSON."""
    flat: dict[str, str] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        else:
            flat[_key(name)] = _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return flat


def _short(value: str) -> str:
    """Return ``value``, cut where MLflow would refuse it; the digest keeps long values apart."""
    if len(value) <= _LONGEST_VALUE:
        return value
    return f"{value[: _LONGEST_VALUE - 30]}… (sha256 {hashlib.sha256(value.encode()).hexdigest()[:8]})"


def _key(name: str) -> str:
    return re.sub(r"[^\w\-./: ]", "_", name)[:250]


def _numbers(content: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Yield nested numbers by MLflow's name for them.

    A metric, and the mean of an estimate, is ``<lens>/<metric>``; what else belongs to an estimate is
    ``over seeds/<lens>.<metric>.low``. MLflow makes what stands before the slash a section of its charts: this way
    the section of a lens compares the seeds and their mean, and is not flooded by bounds that only one run has.
    """
    for key, value in content.items():
        parts = (*above, str(key))
        if isinstance(value, Mapping):
            yield from _numbers(value, parts)
        elif isinstance(value, int | float):
            if len(parts) <= 2:
                name = "/".join(parts)
            elif key == "mean":
                name = "/".join(above)
            else:
                name = f"over seeds/{'.'.join(parts)}"
            yield _key(name), float(value)
