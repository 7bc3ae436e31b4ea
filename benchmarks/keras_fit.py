"""Fit one of the digit networks with Keras, as its tutorials write it: ``keras_fit.py DATA.npz NAME EPOCHS BATCH``.

Prints the seconds of ``fit`` and the accuracy on the probe pictures. It needs TensorFlow and nothing of this project.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from tensorflow import keras  # type: ignore[import-untyped]  # in an environment of its own

LAYERS: dict[str, list[Any]] = {
    "digits": [
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
    ],
    "slp": [keras.layers.Flatten()],
    "mlp": [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")],
}


def main(path: str, name: str, epochs: str, batch_size: str) -> None:
    """Fit and print."""
    data = np.load(path)
    image = {split: data[f"{split}_image"].reshape(-1, 28, 28, 1) for split in ("train", "validation", "probe")}
    label = {split: data[f"{split}_label"] for split in image}
    model = keras.Sequential([keras.Input((28, 28, 1)), *LAYERS[name], keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(
        image["train"],
        label["train"],
        int(batch_size),
        int(epochs),
        verbose=0,
        validation_data=(image["validation"], label["validation"]),
    )
    spent = time.perf_counter() - start
    print(spent, model.evaluate(image["probe"], label["probe"], verbose=0)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
