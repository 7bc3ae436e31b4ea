"""Replicas of small networks, for lenses that compute with the network."""

import numpy as np
import torch
import xarray as xr
from torch import nn

from seedscope.data import exhibits, pictures
from seedscope.lenses import Replica
from seedscope.lenses.attribution.grad_cam import grad_cam


def relu_first(shape, classes, *, channels=(4, 6), hidden=(10,), inplace=False):
    """Return the network that ``ConvNet`` is, with each ReLU before its pooling, as a plain sequence."""
    layers, depth, (height, width) = [], shape[0], shape[1:]
    for after in channels:
        layers += [nn.Conv2d(depth, after, 3, padding=1), nn.ReLU(inplace=inplace), nn.MaxPool2d(2)]
        depth, height, width = after, height // 2, width // 2
    layers.append(nn.Flatten())
    size = depth * height * width
    for after in hidden:
        layers += [nn.Linear(size, after), nn.ReLU(inplace=inplace)]
        size = after
    return nn.Sequential(*layers, nn.Linear(size, classes))


def pooled_head(shape, classes, *, channels=5):
    """Return a network whose head weighs the mean of each channel."""
    return nn.Sequential(
        nn.Conv2d(shape[0], channels, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, classes),
    )


def fill(model, seed=0, dtype=torch.float64):
    """Draw all weights of a network from a normal distribution."""
    generator = torch.Generator().manual_seed(seed)
    model = model.to(dtype)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=dtype) * 0.4)
    return model.eval()


def frames_of(weights):
    """Return frames of a training whose only one, that of step 0, has these weights."""
    return xr.Dataset(
        {
            name: (("frame", *(f"{name}.{axis}" for axis in range(values.ndim))), values[None])
            for name, values in weights.items()
        },
        coords={"step": ("frame", [0]), "epoch": ("frame", [0.0])},
    )


def random_pictures(n=8, shape=(1, 16, 16), seed=1, dtype=np.float64):
    return np.random.default_rng(seed).random((n, *shape)).astype(dtype)


def replica_of_network(make, image, label, *, untrained=None, names=None, per_class=2, **truth):
    """Return a replica of the network that ``make`` gives, in float32; ``untrained`` makes that of step 0."""
    image = np.asarray(image, dtype=np.float32)
    model = make().float().eval()
    with torch.no_grad():
        logit = model(torch.from_numpy(image)).numpy()
    n = len(image)
    probe = pictures(image, label, "probe", **truth).assign_coords(sample=np.arange(100, 100 + n))
    frames = None
    if untrained is not None:
        frames = frames_of({name: tensor.numpy() for name, tensor in untrained().float().state_dict().items()})
    return Replica(
        experiment="toy",
        seed=3,
        probe=probe,
        training=probe,
        activations={"logit": xr.DataArray(logit, dims=("sample", "target"))},
        weights={name: tensor.numpy() for name, tensor in model.state_dict().items()},
        exhibits=100 + exhibits(np.asarray(label), per_class),
        class_names=tuple(names or (str(k) for k in range(max(2, logit.shape[1])))),
        architecture=make,
        frames=frames,
    )


def cam(scores, layer, pictures, target, batch_size):
    """Return the Grad-CAM of one layer."""
    return grad_cam(scores, [layer], pictures, target, batch_size)[layer]
