"""Components: data sets, networks, training and lenses, named in the configuration by ``_target_``.

{_target_: package.module.Class, option: value, …}   →   package.module.Class(option=value, …)
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Mapping
from typing import Any

from seedscope.files.errors import SeedscopeError, did_you_mean, in_one_line


def find(target: str) -> Any:
    """Return the class or function that a ``_target_`` names; whatever goes wrong becomes one sentence."""
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SeedscopeError(f"{target} cannot be imported: {_no_module(error)}") from error
    except (Exception, SystemExit) as error:  # a module of the user's may do anything while it is imported
        raise SeedscopeError(f"{target} cannot be imported: {in_one_line(error)}") from error
    found = getattr(module, name, None)
    if not callable(found):
        root = module_name.split(".")[0]
        offered = [key for key, value in vars(module).items() if callable(value) and _root(value) == root]
        raise SeedscopeError(f"{module_name} has no class or function {name!r}; {did_you_mean(name, offered)}")
    return found


def build(spec: Mapping[str, Any]) -> Any:
    """Return the component that ``spec`` describes; what it refuses becomes one sentence."""
    settings = {key: value for key, value in spec.items() if key != "_target_"}
    component = find(spec["_target_"])
    try:
        return component(**settings)
    except SeedscopeError:
        raise
    except Exception as error:  # a component of the user's may refuse its settings in any way
        raise SeedscopeError(f"{spec['_target_']}: {in_one_line(error)}") from error


def _no_module(error: ModuleNotFoundError) -> str:
    """Return the sentence that names a missing module, and the nearest one that stands in the same place."""
    package, _, name = (error.name or "").rpartition(".")
    beside = getattr(sys.modules.get(package), "__path__", []) if package else None
    near = difflib.get_close_matches(name, [module.name for module in pkgutil.iter_modules(beside)], n=1)
    return f"there is no module {error.name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _root(value: Any) -> str:
    return str(getattr(value, "__module__", "")).split(".")[0]
