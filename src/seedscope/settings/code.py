"""Which code each stage runs for an experiment, as compose writes it into the section ``code``.

    code.generate, code.train, code.dump      the stage, and the components that it builds
    code.analyze.stage                        … without the lenses, which have entries of their own:
    code.analyze.measure.<lens>, .draw.<lens>
    code.compare.stage, .lenses.<lens>
    code.replica                              what a trained network depends on: its replica's identity takes it
    code.sweep                                of a sweep: all of it, for all variants

An entry is a digest and the versions of libraries (:mod:`seedscope.settings.closure`). The components ``engine`` and
``store`` say where and how long; they change no result, so their code is in no entry. What ``analyze`` builds
besides lenses is what ``replica`` stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import state_folder
from seedscope.settings.closure import Closure, Codebase, Entry, target_module
from seedscope.settings.said import Composed
from seedscope.settings.stages import ALSO

_REPLICA = "seedscope.replicas.training"
_STACKED = "seedscope.replicas.stacked"
# What a stage does with one lens, by purpose.
_LOOKING = {
    "measure": "seedscope.looks.measure",
    "draw": "seedscope.looks.draw",
    "compare": "seedscope.seeds.comparison",
}
_BUILT = {"generate": ("data",), "train": ("model", "train", "weights"), "dump": ("model", "dump")}
_PURPOSES = {"analyze": {"measure": "measure", "draw": "draw"}, "compare": {"lenses": "compare"}}
_NAMES = (*_BUILT, *_PURPOSES, "replica")


def code_of(composed: Composed, codebase: Codebase, names: Iterable[str] = _NAMES) -> dict[str, Any]:
    """Return the section ``code`` of an experiment, or some of its parts."""
    return {name: _entries(closures(name, composed, codebase), codebase) for name in names}


def closures(name: str, composed: Composed, codebase: Codebase) -> Closure | dict[str, Any]:
    """Return the code that one part of the section ``code`` stands for, with a closure in each entry's place."""
    if name == "replica":
        return _replica(composed, codebase)
    if name in _BUILT:
        return _stage(name, composed, codebase)
    looks = {
        key: {lens: _look(purpose, composed, codebase, lens) for lens in composed.settings["lenses"]}
        for key, purpose in _PURPOSES[name].items()
    }
    return {"stage": codebase.closure([f"pipeline.{name}"]), **looks}


def require_composed(stage: str, experiment: Experiment) -> None:
    """Refuse to run code that was edited after it was composed: its results would go by the name of the code before.

    Args:
        stage: one that there is for each experiment, or ``sweep``.
        experiment: the experiment, or of a sweep what was composed for it.

    Raises:
        SeedscopeError: the code is another one.
    """
    codebase = Codebase.at(experiment.root.resolve(), state_folder())
    if stage == "sweep":
        variants = [Composed(one["name"], one["settings"], ()) for one in experiment.section("variants")]
        now = sweep_code(variants, codebase)
    else:
        names = (stage, *ALSO.get(stage, ()))
        now = code_of(Composed(experiment.name, dict(experiment.settings), ()), codebase, names)
    if any(experiment.section("code").get(name) != entry for name, entry in now.items()):
        raise SeedscopeError(f"the code of {experiment.name} changed after it was composed: run `dvc repro`")


def sweep_closure(variants: Iterable[Composed], codebase: Codebase) -> Closure:
    """Return the code that a sweep over these variants runs: everything but the drawing of single replicas."""
    total = codebase.closure(["pipeline.sweep"])
    for variant in variants:
        for stage in ("generate", "train", "dump"):
            total |= _stage(stage, variant, codebase)
        for lens in variant.settings["lenses"]:
            total |= _look("measure", variant, codebase, lens) | _look("compare", variant, codebase, lens)
    return total


def sweep_code(variants: Iterable[Composed], codebase: Codebase) -> dict[str, Entry]:
    """Return the section ``code`` of a sweep over these variants."""
    return {"sweep": codebase.entry(sweep_closure(variants, codebase))}


def project_code(codebase: Codebase) -> dict[str, Entry]:
    """Return the code of the stage that there is one of for all experiments, and the pages that it fills."""
    closure = codebase.closure(["pipeline.report"])
    templates = closure.files["seedscope.report"].with_name("templates").iterdir()
    pages = digest_of({path.name: digest(path) for path in templates})
    return {"report": {**codebase.entry(closure), "templates": pages}}


def _entries(found: Closure | Mapping[str, Any], codebase: Codebase) -> dict[str, Any]:
    if isinstance(found, Closure):
        return codebase.entry(found)
    return {key: _entries(inner, codebase) for key, inner in found.items()}


def _replica(composed: Composed, codebase: Codebase) -> Closure:
    """Return the code that a trained network depends on; given weights depend on the network's own alone."""
    if composed.settings["train"] is None:
        return _target(composed, codebase, "model")
    sections = ["model", "train", *(["data"] if _draws(composed) else [])]
    trained_by = [_REPLICA, *([_STACKED] if composed.settings["train"].get("stacked") else [])]
    return codebase.closure(trained_by) | _targets(composed, codebase, sections)


def _stage(stage: str, composed: Composed, codebase: Codebase) -> Closure:
    sections = [*_BUILT[stage], *(["data"] if stage == "train" and _draws(composed) else [])]
    return codebase.closure([f"pipeline.{stage}"]) | _targets(composed, codebase, sections)


def _draws(composed: Composed) -> bool:
    """Return whether each replica makes its own training pictures."""
    train: Mapping[str, Any] = composed.settings["train"] or {}
    return "draw" in (train.get("vary") or ()) or "draw" in (train.get("streams") or ())


def _targets(composed: Composed, codebase: Codebase, sections: Iterable[str]) -> Closure:
    total = Closure()
    for section in sections:
        if composed.settings[section] is not None:
            total |= _target(composed, codebase, section)
    return total


def _target(composed: Composed, codebase: Codebase, *place: str) -> Closure:
    """Return the code of one component; where it cannot be read, its place is told."""
    try:
        return codebase.target(target_module(composed.at(*place)["_target_"]))
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where(*place, '_target_')}: {error}") from error


def _look(purpose: str, composed: Composed, codebase: Codebase, lens: str) -> Closure:
    module = target_module(composed.at("lenses", lens)["_target_"])
    whole = _target(composed, codebase, "lenses", lens)  # tells of a file that is no Python, with its place
    if codebase.locate(module) is None:
        return codebase.closure([_LOOKING[purpose]]) | whole
    return codebase.closure([_LOOKING[purpose], module], purpose, module)
