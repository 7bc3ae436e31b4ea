"""The optimiser is torch's, to the bit, and brings no compiler along."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from seedscope.replicas.optimizer import Adam

_STEPS = """
import sys, torch
from seedscope.replicas.optimizer import Adam
from seedscope.replicas.stack import Stack
optimizer = Adam([weight := torch.nn.Parameter(torch.ones(3))], fused=True)
weight.sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
stack = Stack.of([torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)) for _ in range(3)], 0.1)
stack.step(torch.ones(5, 3, 1, 2, 2), torch.zeros(5, 3, dtype=torch.int64))
sys.exit("torch._dynamo" in sys.modules)
"""


def test_it_takes_the_steps_of_torchs_own_to_the_bit() -> None:
    def trained(kind: type[torch.optim.Adam]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3))
        optimizer = kind(model.parameters(), lr=0.01, fused=True)
        for step in range(12):
            optimizer.zero_grad()
            model(torch.rand(4, 7)).square().sum().backward()
            optimizer.step()
            if step == 5:
                later = kind(model.parameters(), lr=0.5, fused=True)
                later.load_state_dict(optimizer.state_dict())
                optimizer = later
        moments = [tensor for state in optimizer.state_dict()["state"].values() for tensor in state.values()]
        return [*(parameter.detach() for parameter in model.parameters()), *moments]

    with torch.random.fork_rng():
        assert all(map(torch.equal, trained(Adam), trained(torch.optim.Adam)))


def test_a_process_that_trains_does_not_import_the_compiler() -> None:
    assert subprocess.run([sys.executable, "-c", _STEPS], check=False).returncode == 0
