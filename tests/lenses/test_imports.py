"""Numbers without drawing: what is imported in order to measure leaves matplotlib alone, and to compare, torch."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

LENSES = sorted(
    yaml.safe_load(file.read_text())["_target_"].rpartition(".")[0]
    for file in (Path(__file__).parents[2] / "conf" / "lens").glob("*.yaml")
)


def imported_with(modules, library):
    """Return whether a fresh interpreter that imports these modules has imported a library as well."""
    lines = ["import sys", *(f"import {module}" for module in modules), f"print({library!r} in sys.modules)"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    return done.stdout == "True\n"


def test_no_lens_imports_matplotlib():
    assert len(LENSES) >= 17
    assert not imported_with(["seedscope.lenses", *LENSES], "matplotlib")


@pytest.mark.parametrize("data_set", ["folders", "squares"])
def test_what_lenses_draw_and_compare_brings_no_data_set_with_it(data_set):
    parts = [f"{lens}.{part}" for lens in LENSES for part in ("draw", "compare")]
    there = [
        part for part in parts if find_spec(part.rpartition(".")[0]).submodule_search_locations and find_spec(part)
    ]
    assert "seedscope.lenses.heat_maps.compare" in there
    assert not imported_with([*LENSES, *there], f"seedscope.data.{data_set}")


@pytest.mark.parametrize("library", ["matplotlib", "pandas", "xarray", "torch"])
def test_formulas_import_numpy_and_scipy_only(library):
    room = Path(__file__).parents[2] / "src" / "seedscope" / "formulas"
    modules = [f"seedscope.formulas.{file.stem}" for file in room.glob("[!_]*.py")]
    assert len(modules) > 10
    assert not imported_with(modules, library)


def test_what_compares_reports_and_tracks_does_not_import_torch():
    rooms = [f"seedscope.{room}" for room in ("seeds.comparison", "seeds.variants", "report", "tracking")]
    assert not imported_with(rooms, "torch")
