"""Bring home what `make study` found: ``python -m docs.study .study`` (called by it).

docs/study/<experiment>/ receives the findings, the numbers over seeds, and the figures that the findings rest on;
docs/study/README.md says all claims with their verdicts. Networks and measures stay in ``.study/``, which git ignores.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import yaml

from docs.numbers import findings_rows, seeds_of
from docs.readme import ROOT, table

FIGURES = (
    *("findings", "matched_units", "space_or_units", "pairs_of_seeds", "universal_units", "cka_through_training"),
    *("agreement", "transplants", "ablation", "evolution_from_step_0", "seeds_needed"),
)


def main(source: Path) -> None:
    """Copy the findings of the study at ``source``."""
    target = ROOT / "docs" / "study"
    shutil.rmtree(target, ignore_errors=True)
    experiments = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))["experiments"]
    said = [_HEAD]
    for name in experiments:
        (target / name).mkdir(parents=True)
        for kind in ("findings", "across_seeds"):
            shutil.copyfile(source / f"reports/metrics/{name}.{kind}.json", target / name / f"{kind}.json")
        across = source / f"reports/figures/{name}/across_seeds"
        for figure in sorted(path for path in across.glob("*.png") if path.stem.startswith(FIGURES)):
            shutil.copyfile(figure, target / name / figure.name)
        findings = json.loads((target / name / "findings.json").read_text(encoding="utf-8"))
        said.append(f"## {name}, {seeds_of(findings)} seeds\n\n{table(*findings_rows(findings))}\n")
    (target / "README.md").write_text("\n".join(said), encoding="utf-8")


_HEAD = """# The study

What `make study` found, with the seeds and lenses of `params.study.yaml`: none of these seeds had been looked at when
the claims and their rule were written (`src/seedscope/formulas/finding.py`), though the five seeds of the default run
had. Beside each claim stands the number that decides it: of a claim that holds the one nearest to not holding, of one
that does not the one furthest short, of an undecided one that furthest from holding. "Does not hold" says that a number
is short of what would be worth saying, by its whole interval: of a gain, that it is smaller than that, and not that it
is 0. p is the claim's, the largest of its tested numbers; corrected is for all claims of the experiment that have one.
All numbers with their nulls are in `<experiment>/findings.json`.

After the results were there, a second look at them made the *sentences* of seven claims say less; no number, bound or
verdict changed. They were: "Few units decide", "The winner is the sum of the votes, not the largest single one", "Units
of a kind recur above chance", "Which unit dominates depends on the seed", "The initial head says what a unit will
mean", "Seeds share a space" and "Seeds share units".
"""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
