"""Which files each stage really imports, told by its own process when it ends; held against what compose computed.

Of a lens that is a folder, the submodules that do not serve the stage are replaced by modules whose every name fails
when it is used: what the closures leave out is then seen to be of no use.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seedscope.files.reading import read_json
from seedscope.settings import closure
from seedscope.settings.closure import Closure, Codebase, target_module
from seedscope.settings.code import closures, sweep_closure
from seedscope.settings.said import Composed
from seedscope.settings.stages import ALSO

# Python imports `sitecustomize` whenever it starts.
_SITECUSTOMIZE = """
import atexit, json, os, sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

LEFT_OUT = {"analyze": ("compare",), "compare": ("measure", "draw"), "sweep": ("draw",)}


class Unused:
    def __init__(self, name):
        self.__dict__["_name"] = name

    def __call__(self, *_, **__):
        raise AssertionError(f"{self._name} was used, and does not count")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self()


class UnusedModule(ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Unused(f"{self.__name__}.{name}")


class Finder:
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name in self.names else None

    def create_module(self, spec):
        return UnusedModule(spec.name)

    def exec_module(self, module):
        pass


def tell(stage, name):
    root = Path().resolve()
    files = {Path(file).resolve() for m in list(sys.modules.values()) if (file := getattr(m, "__file__", None))}
    imported = sorted(str(file.relative_to(root)) for file in files if file.is_file() and file.is_relative_to(root))
    target = Path(os.environ["RECORDED_IN"]) / f"{stage}@{name}.json"
    target.write_text(json.dumps(imported))


words = sys.orig_argv
if "-m" in words and (module := words[words.index("-m") + 1]).startswith("pipeline."):
    stage, name = module.removeprefix("pipeline."), (words[words.index("-m") + 2 :] or ["project"])[0]
    config = Path("runs/configs") / f"{name}.json"
    if stage in LEFT_OUT and config.exists():
        content = json.loads(config.read_text())
        settings = [content, *(one["settings"] for one in content.get("variants", []))]
        lenses = {spec["_target_"].rpartition(".")[0] for one in settings for spec in one.get("lenses", {}).values()}
        sys.meta_path.insert(0, Finder({f"{lens}.{other}" for lens in lenses for other in LEFT_OUT[stage]}))
    atexit.register(tell, stage, name)
"""


def recording(folder: Path) -> dict[str, str]:
    """Return the environment in which stages tell what they imported; they tell it in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    return {
        "RECORDED_IN": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def uncovered(folder: Path, project: Path) -> Iterator[tuple[str, str]]:
    """Yield (stage, file) of every file that a stage imported and that does not count for it."""
    kept, closure.PACKAGE_ROOT = closure.PACKAGE_ROOT, project / "src"
    try:
        for told in sorted(folder.glob("*@*.json")):
            stage, _, name = told.stem.partition("@")
            if stage == "compose":
                continue
            counted = _counted(stage, name, project, Codebase.at(project, project / ".replicas"))
            files = {file.relative_to(project).as_posix() for file in counted.files.values()}
            yield from ((told.stem, file) for file in json.loads(told.read_text()) if file not in files)
    finally:
        closure.PACKAGE_ROOT = kept


def _counted(stage: str, name: str, project: Path, codebase: Codebase) -> Closure:
    """Return what counts for a stage, and what is known to change no result: where and how long replicas are kept."""
    if name == "project":
        return codebase.closure([f"pipeline.{stage}"])
    content = read_json(project / "runs/configs" / f"{name}.json")
    if stage == "sweep":
        settings = [one["settings"] for one in content["variants"]]
        found = sweep_closure([Composed(name, one, ()) for one in settings], codebase)
        return found | _silent({"engine": content["engine"]}, codebase)
    composed = Composed(name, content, ())
    names = [stage, *ALSO.get(stage, ())]
    found = _union({part: closures(part, composed, codebase) for part in names})
    return found | _silent({section: content[section] for section in ("engine", "store")}, codebase)


def _silent(components: dict[str, Any], codebase: Codebase) -> Closure:
    # What composes is asked before a stage whether its code is what was composed.
    asked = codebase.closure(["seedscope.settings.code"])
    return asked | codebase.closure(target_module(spec["_target_"]) for spec in components.values())


def _union(found: Any) -> Closure:
    if isinstance(found, Closure):
        return found
    total = Closure()
    for inner in found.values():
        total |= _union(inner)
    return total
