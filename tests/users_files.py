"""What the experiments on a user's own files ask for: pictures, names of classes, and weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from seedscope.models.squeezenet import SqueezeNet
from seedscope.models.vgg16 import Vgg16


def users_files(folder: Path) -> None:
    """Write what the experiments on a user's own files need: pictures, names of classes, and weights."""
    rng = np.random.default_rng(0)
    for name in (*(f"pictures/{k}/{n}.png" for k in ("a", "b") for n in range(4)), "album/0.jpg", "album/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(folder / name)
    (folder / "imagenet_synset_words.txt").write_text("".join(f"n{k:08} name {k}\n" for k in range(1000)))
    save_file(SqueezeNet().state_dict(), folder / "squeezenet1_1.safetensors")
    save_file(Vgg16(last="features.16").state_dict(), folder / "vgg16_features_blocks1-3.safetensors")
