"""The way in: a static site over all experiments, opened from disk, with no script needed to read it.

    reports/site/index.html                     one card per experiment
    reports/site/<experiment>/index.html        the comparison across seeds, and the configuration
    reports/site/<experiment>/seed-<s>.html     everything about one replica
    reports/site/<experiment>/lens-<lens>.html  one lens on all replicas, side by side
    reports/site/sweeps/<sweep>.html            the conditions of one sweep compared

Figures are not copied: the pages link to ``../figures``. The same artifacts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seedscope.files.writing import write_text
from seedscope.report.collection import collect, collect_sweep
from seedscope.report.pages import pages


def write_site(experiments: Iterable[str], root: Path = Path(), sweeps: Iterable[str] = ()) -> Path:
    """Write the site over ``experiments`` and ``sweeps``, and return its entrance.

    An experiment or a sweep whose artifacts are missing is still listed, and its page says what is missing. Only the
    seeds of the composed configuration are shown. Raises ``SeedscopeError`` for an artifact that exists but
    cannot be read.
    """
    reports = root / "reports"
    texts = pages([collect(name, root) for name in experiments], [collect_sweep(name, root) for name in sweeps])
    for name, text in texts.items():
        write_text(reports / name, text)
    # DVC empties the folder before the stage; a page of a removed seed must not survive without DVC either.
    for page in (reports / "site").rglob("*.html"):
        if page.relative_to(reports).as_posix() not in texts:
            page.unlink()
    return reports / "site" / "index.html"
