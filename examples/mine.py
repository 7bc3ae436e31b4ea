"""A network as you might write it yourself; ``conf/experiment/mine.yaml`` puts it through every stage.

Nothing of Seedscope is in it. What it must do: take pictures (sample, channel, y, x), float32 in [0, 1], and return
logits (sample, class), or (sample, 1) for two classes. A stage is started in the project's folder, so a file that lies
there is imported by its path: ``examples/mine.py`` is ``examples.mine``.
"""

import torch
from torch import nn


class Residual(nn.Module):
    """Two convolutions whose answer is added to what they were given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)  # one module, used twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps shaped as the maps ``x``, (sample, channel, y, x)."""
        inner = self.relu(self.norm1(self.conv1(x)))
        return self.relu(x + self.norm2(self.conv2(inner)))


class Mine(nn.Module):
    """A small residual network for digits; the arguments are the keys of ``model`` in the configuration.

    Args:
        size: side of a picture, pixels.
        classes: number of logits.
        channels: width of all convolutions.
        hidden: units of the dense layer before the logits.
        dropout: share of these that is set to 0 at each step of training.
    """

    def __init__(
        self, size: int = 28, classes: int = 10, channels: int = 12, hidden: int = 32, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.blocks = nn.Sequential(Residual(channels), nn.MaxPool2d(2), Residual(channels))
        self.hidden = nn.Linear(channels * (size // 4) ** 2, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the logits (sample, class) of pictures (sample, channel, y, x)."""
        maps = self.blocks(self.stem(pictures))
        hidden = torch.relu(self.hidden(maps.flatten(1)))
        return self.head(self.dropout(hidden))
