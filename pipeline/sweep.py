"""Train and measure the variants of a sweep, each from every seed, and compare the conditions."""

from pipeline import stage
from seedscope.files.experiment import Sweep
from seedscope.looks.variants import measure_variants
from seedscope.seeds.variants import compare_variants


def sweep(name: str) -> None:
    """Write ``runs/sweeps/<sweep>/``, and the comparison below ``reports/``."""
    composed = Sweep.load(name)
    measured = measure_variants(composed)
    compare_variants(composed, measured)
    replicas = [one for by_seed in measured.values() for one in by_seed.values()]
    print(f"{name}: trained {sum(one.trained for one in replicas)} of {len(replicas)} replicas, the others were kept")


if __name__ == "__main__":
    stage(sweep)
