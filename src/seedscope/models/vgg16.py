"""VGG16: thirteen 3×3 convolutions in five blocks, then three dense layers; torchvision's names.

    conv1_1 features.0    conv2_1 features.5    conv3_1 features.10   conv4_1 features.17   conv5_1 features.24
    conv1_2 features.2    conv2_2 features.7    conv3_2 features.12   conv4_2 features.19   conv5_2 features.26
                                                conv3_3 features.14   conv4_3 features.21   conv5_3 features.28
    pool1   features.4    pool2   features.9    pool3   features.16   pool4   features.23   pool5   features.30
    → average over 7×7 places → classifier.0 (4096) → classifier.3 (4096) → classifier.6 (class)

A convolution is followed by a ReLU under the next number. From conv1_1 to conv5_3 these are 14,714,688 parameters, with
the dense layers 138,357,544. Weights for fewer layers make a network that ends where they do.

Source: Simonyan and Zisserman (2015), *Very deep convolutional networks for large-scale image recognition*. Dropout,
which they use in training, is there and does nothing in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from annotated_types import Ge
from torch import nn

from seedscope.models.chain import IMAGENET_MEAN, IMAGENET_STD, Chain

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # channels of each convolution
_PLACES = 7  # the dense layers see 7×7 places, whatever the picture's size
_HIDDEN = 4096


class Vgg16(Chain):
    """VGG16 for colour pictures of any size from 32×32.

    Args:
        classes: number of logits.
        last: name of the last part that is kept, such as ``features.16``; ``None`` keeps all.
        mean: subtracted from each channel, brightness 0…255; the default is that of torchvision's weights.
        std: what each channel is then divided by, brightness 0…255.
    """

    def __init__(
        self,
        classes: Annotated[int, Ge(1)] = 1000,
        last: str | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        features: list[Callable[[], nn.Module]] = []
        before = 3
        for block in _BLOCKS:
            for channels in block:
                features += [partial(nn.Conv2d, before, channels, kernel_size=3, padding=1), nn.ReLU]
                before = channels
            features.append(partial(nn.MaxPool2d, 2))
        parts = {f"features.{index}": make for index, make in enumerate(features)}
        parts |= {"avgpool": partial(nn.AdaptiveAvgPool2d, _PLACES), "flatten": nn.Flatten}
        classifier: list[Callable[[], nn.Module]] = [
            *(partial(nn.Linear, before * _PLACES**2, _HIDDEN), nn.ReLU, nn.Dropout),
            *(partial(nn.Linear, _HIDDEN, _HIDDEN), nn.ReLU, nn.Dropout),
            partial(nn.Linear, _HIDDEN, classes),
        ]
        parts |= {f"classifier.{index}": make for index, make in enumerate(classifier)}
        super().__init__(parts, last, mean, std)
