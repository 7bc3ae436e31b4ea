"""What is asked for by hand, on what the pipeline left behind.

python -m seedscope draw squares --seed 37 --lens contribution
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from seedscope.files.errors import SeedscopeError
from seedscope.looks.by_hand import draw_by_hand


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; return the exit status. A mistake is told in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m seedscope", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    draw = commands.add_parser("draw", help="draw figures of any seed that was measured, into reports/drawn/")
    draw.add_argument("experiment")
    draw.add_argument("--seed", type=int, action="append", help="again for another; not needed of given weights")
    draw.add_argument("--lens", action="append", help="again for another; by default all lenses of the experiment")
    asked = parser.parse_args(arguments)
    try:
        for folder, figures in draw_by_hand(asked.experiment, asked.seed, asked.lens):
            print(f"{folder}: {figures} figure{'s' if figures != 1 else ''}", flush=True)
    except SeedscopeError as error:
        sys.stderr.write(f"{asked.command}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
