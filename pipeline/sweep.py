"""Train and measure the variants of a sweep, or the cells of a crossing, and compare them."""

from pipeline import stage
from seedscope.files.experiment import Sweep
from seedscope.looks.cells import measure_cells
from seedscope.looks.variants import measure_variants
from seedscope.seeds.crossing import compare_crossing
from seedscope.seeds.variants import compare_variants


def sweep(name: str) -> None:
    """Write ``runs/sweeps/<sweep>/``, and the comparison below ``reports/``."""
    composed = Sweep.load(name)
    if composed.levels:
        trained, replicas = measure_cells(composed), len(composed.seeds)
        compare_crossing(composed)
    else:
        measured = measure_variants(composed)
        compare_variants(composed, measured)
        outcomes = [one for by_seed in measured.values() for one in by_seed.values()]
        trained, replicas = sum(one.trained for one in outcomes), len(outcomes)
    print(f"{name}: trained {trained} of {replicas} replicas, the others were kept")


if __name__ == "__main__":
    stage(sweep)
