"""Write the measured numbers into README.md: ``python -m docs.readme`` (``make readme``).

What stands in README.md between ``<!-- numbers: NAME -->`` and ``<!-- end -->`` is made here, from
``reports/metrics/*.across_seeds.json`` and ``benchmarks/results.csv``, as :mod:`docs.numbers` says.
"""

from __future__ import annotations

import csv
import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_WIDTH = 120
_BLOCK = re.compile(r"(<!-- numbers: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Read = Callable[[str], str]  # the text of a file of the project


class Number(float):
    """A number as README writes it: ``43 %`` and ``−0.15``."""

    def __format__(self, form: str) -> str:
        return float.__format__(self, form).replace("%", " %").replace("-", "−")


class Found:
    """What the replicas of an experiment have in common, by attribute: ``squares.dominance.dead_units``.

    A metric is written as its mean with its interval, ``43.2 [37.1, 49.3]``, where it has one; its parts are attributes
    of it: ``.mean``, ``.low``, ``.high``, ``.p``, ``.verdict`` …
    """

    def __init__(self, content: Mapping[str, Any], name: str) -> None:
        self._content = content
        self._name = name

    def __getattr__(self, key: str) -> Any:
        if key not in self._content:
            raise SystemExit(f"docs/numbers.py asks for {self._name}.{key}, and the metrics have no such entry")
        value = self._content[key]
        if isinstance(value, Mapping):
            return Found(value, f"{self._name}.{key}")
        return Number(value) if isinstance(value, int | float) else value

    def __format__(self, form: str) -> str:
        if self.low is None:
            return f"{self.mean:{form}}"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


class Measured:
    """Everything that was measured: :class:`Found` by experiment, and the rows of the benchmarks by figure."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def __getitem__(self, experiment: str) -> Found:
        path = f"reports/metrics/{experiment}.across_seeds.json"
        return Found(json.loads(self._read(path)), experiment)

    def keys(self) -> Sequence[str]:
        """Return the default experiments."""
        return ("squares", "digits", "slp", "mlp")

    def study(self, experiment: str) -> dict[str, dict[str, Any]]:
        """Return the claims of an experiment of the study with their verdicts, and what each rests on."""
        found: dict[str, dict[str, Any]] = json.loads(self._read(f"docs/study/{experiment}/findings.json"))
        return found

    def benchmarks(self) -> dict[str, dict[str, str]]:
        """Return the rows of ``benchmarks/results.csv`` by what was measured."""
        return {row["figure"]: row for row in csv.DictReader(self._read("benchmarks/results.csv").splitlines())}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return text.replace("|  |", "| |").replace("| --- ", "|---").replace("--- |", "---|")


def paragraph(words: str, measured: Measured) -> str:
    """Return words, with ``{squares.space.class_separation.mean:.0%}`` and the like written out, as a paragraph."""
    said = " ".join(words.split()).format(**measured)
    return textwrap.fill(said, _WIDTH, break_long_words=False, break_on_hyphens=False)


def filled(readme: str, read: Read) -> str:
    """Return README.md with every block of numbers made anew."""
    from docs.numbers import BLOCKS

    measured = Measured(read)
    named = {name for _, name, _ in _BLOCK.findall(readme)}
    if named != set(BLOCKS):
        odd = ", ".join(sorted(named ^ set(BLOCKS)))
        raise SystemExit(f"README.md and docs/numbers.py do not name the same blocks of numbers: {odd}")
    return _BLOCK.sub(lambda block: f"{block[1]}{BLOCKS[block[2]](measured)}\n{block[3]}", readme)


def main() -> None:
    """Write README.md where its numbers have changed."""
    path = ROOT / "README.md"
    before = path.read_text(encoding="utf-8")
    after = filled(before, lambda name: (ROOT / name).read_text(encoding="utf-8"))
    path.write_text(after, encoding="utf-8")
    print("README.md: new numbers" if after != before else "README.md: its numbers are those of the measurements")


if __name__ == "__main__":
    main()
