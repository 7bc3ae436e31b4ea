"""Publish results into MLflow: from the artifacts, and each result once.

    a replica        (experiment, seed, fingerprint)            →  one run, ``seed=3``
    the comparison   (experiment, its replicas' fingerprints)   →  one run, ``across seeds``
    a sweep          (sweep, its replicas' fingerprints)        →  one run, ``sweep <name>``, beside its experiment's
    an analysis      figures and metrics of either              →  what that run shows now

A run is found by its content, which its tags name. The same result adds nothing. A new analysis of the same
replica replaces what its run shows: metrics get a further step (the *revision*: MLflow shows the value of the
last step), and the figures before it move to ``earlier/<digest>/``. A new fingerprint is a new run, and the run
that it supersedes says so in its name and in a tag. Nothing that was whole is ever deleted.

A run is complete when its tag ``seedscope.complete`` says ``yes``, which is written last. What a killed process
left behind is found by its tags and brought to its end: every step before can be repeated without a trace.

Any number of machines may publish into one database at once. They take turns, experiment by experiment, by a lease
that the database itself keeps; who comes later finds what is there and adds the rest. The result that was published
last is the current one. Who dies in its turn is followed by another, 30 s later.

A receipt beside the database says what it holds. Where it agrees with the artifacts, and the database still has
those runs (of a server that is asked in one request), MLflow is not even imported. A run that was deleted comes
back for as long as its result is there.

    results         what there is to publish
    database        where to, and what is known to be there
    connection      MLflow, opened by one process of a machine at a time
    lease           one machine at a time
    runs            a result as a run
    contact_sheet   one picture of all its pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seedscope.tracking.connection import connected
from seedscope.tracking.database import Destination, Receipt, is_published, read_receipt, update_receipt, write_receipt
from seedscope.tracking.results import Digests, find_results


@dataclass(frozen=True)
class Publication:
    """What one call of :func:`publish` did.

    Attributes:
        where: the tracking URI, without a password.
        added: runs that are new or were completed, as ``<experiment> seed=<seed>``.
        revised: runs that show a new analysis.
        left_out: what was not whole, one sentence each.
    """

    where: str
    added: tuple[str, ...] = ()
    revised: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        new, revised = len(self.added), len(self.revised)
        said = [f"{new} new run{'s' * (new > 1)}"] if new else []
        said += [f"{revised} run{'s' * (revised > 1)} with a new analysis"] if revised else []
        return f"{' and '.join(said)} in {self.where}" if said else f"nothing new for {self.where}"


def publish(root: Path, experiments: Sequence[str], uri: str | None = None, sweeps: Sequence[str] = ()) -> Publication:
    """Publish every whole result of ``experiments`` and ``sweeps`` that the tracking database does not show yet.

    Args:
        root: the folder that holds ``runs/`` and ``reports/``.
        experiments: names of experiments.
        sweeps: names of sweeps, ``<experiment>-<sweep>``.
        uri: where to; without it ``MLFLOW_TRACKING_URI``, without that ``sqlite:///mlflow.db``. A relative
            SQLite path counts from the repository that the user works in, also in a queued ``dvc exp run``.

    Raises:
        SeedscopeError: the server does not answer, or the database cannot be opened, written or understood.
    """
    destination = Destination.of(uri)
    receipt = read_receipt(destination)
    digests = Digests(receipt.digests)
    found = find_results(root, experiments, digests, sweeps)
    left_out = tuple(found.left_out.values())
    if is_published(destination, receipt, found):
        if digests.seen != receipt.digests:  # touched files were hashed again: once is enough
            write_receipt(destination, Receipt(receipt.entries, digests.seen))
        return Publication(destination.shown, left_out=left_out)
    with connected(destination) as client:
        from seedscope.tracking.runs import show  # imports MLflow: only where there is something to show

        shown = show(client, destination, found, root)
        update_receipt(destination, [entry for entry, _ in shown], found, digests)
    added, revised = (
        tuple(" ".join(entry.key) for entry, change in shown if change == kind) for kind in ("added", "revised")
    )
    return Publication(destination.shown, added, revised, left_out)
