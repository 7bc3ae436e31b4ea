"""The optimiser of all trainings: torch's fused Adam, without the compiler that its methods import.

    m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  w ← w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)

Source: Kingma and Ba (2015), *Adam*.
"""

from __future__ import annotations

import inspect

import torch


class Adam(torch.optim.Adam):
    """``torch.optim.Adam`` to the bit.

    Torch wraps these methods so that its compiler leaves them alone, and imports it for that at the first call: 2.3 s
    in every process that trains. Nothing is compiled here, so they are taken as they are below their wrappers.
    """

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
