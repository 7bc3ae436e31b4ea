"""How often, and when, tests kill processes: at the same moments each time, at others with another chance."""

import os

SEED = os.environ.get("SEEDSCOPE_TEST_CHANCE", "0")
KILLS = int(os.environ.get("SEEDSCOPE_TEST_KILLS", "12"))
