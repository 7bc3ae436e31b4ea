"""What are hidden units asked to become? The hidden layer's implied teacher, and whether its outputs go there.

    teacher_i = outputs_i − correction_i          correction_i = dout_{i+1} · W_{i+1}          (sample, unit)

W_{i+1} (target, unit) is the next layer's; dout_{i+1} (sample, target) the gradient at its pre-activation of each
sample's own loss: the sum over the batch and not the mean, so that dout of the last layer is p − onehot (one logit:
σ(z) − label). The correction is then the gradient of the loss at the outputs, and the teacher lies one gradient step
of size 1 away from them, as onehot = p − dout does for the last layer. Two versions:

    post    outputs h = max(z, 0);   correction g = dout_{i+1} · W_{i+1}             the article's formula
    pre     outputs z;               correction g ∘ [z > 0]                          with the layer's own ReLU gate

Source: a web article that reads the backward pass as a target for each hidden layer; its idea is that of target
propagation (Le Cun 1986; Bengio 2014, *How auto-encoders could provide credit assignment in deep networks*).
Departures from the article, which has no gate and takes the bias into the sum as the weight of an input that is 1:
gates of later layers are part of dout_{i+1} in both versions, a layer's own gate is in ``pre`` (without it a silent
unit is asked for what no step of learning gives it); the constant input has no teacher, for no layer makes it.

Claims, each made definite, at every frame, on a few hundred training and probe pictures:

*distance*  Σ_s ‖correction_s‖ / Σ_s ‖outputs_s‖, and the mean ‖correction_s‖; 0 where there is nothing to teach.
*sparse*    the teacher's share of entries that are exactly 0, and of units that it wants on (above 1 % of the picture's
            largest output), each beside the outputs' own.
*sign*      the teacher's share of negative entries, which no output of a ReLU can have. And, in the last hidden layer:
            how often a live unit (active for some picture) is asked to rise where it votes for the picture's class and
            to fall where it votes against, sign(−g) = sign(W[label] − mean of W over the other targets). Null: labels
            shuffled.
*followed*  do outputs move towards the teacher of the frame before? cos(outputs_{f+1} − outputs_f, −correction_f) of
            each picture, mean over those that moved and were asked to. Nulls: corrections shuffled over all pictures,
            and within the class: what that leaves is asked of a whole class, no more of a picture than of its like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import MinLen

from seedscope.drawing import Drawing
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.correlation import cosines
from seedscope.formulas.nulls import shuffled_within
from seedscope.lenses import Network, Replica
from seedscope.lenses.dense_layers import DenseLayers, inputs_of, require_dense_layers

if TYPE_CHECKING:
    import xarray as xr

_PICTURES = 512  # of each kind, balanced over classes
_ON = 0.01  # of the picture's largest output: above it a unit counts as on
VERSIONS = ("post", "pre")


def corrections(chain: DenseLayers, x: np.ndarray, label: np.ndarray) -> list[dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return, for each hidden layer, (outputs, correction) of both versions, each (sample, unit).

    Args:
        chain: the dense layers.
        x: (sample, in), what the first of them takes.
        label: (sample).
    """
    z = chain.forward(x)
    dout = chain.backward(z, label)
    found = []
    for before, after, weight in zip(z[:-1], dout[1:], chain.weights[1:], strict=True):
        gradient = after @ weight
        found.append({"post": (np.maximum(before, 0), gradient), "pre": (before, gradient * (before > 0))})
    return found


def sign_agreement(correction: np.ndarray, weight: np.ndarray, label: np.ndarray, live: np.ndarray) -> float:
    """Return how often a unit is asked to rise where it votes for the picture's class, and to fall where against.

    Pairs of picture and live unit of which either sign is 0 are left out; NaN where none is left.

    Args:
        correction: (sample, unit); it is subtracted.
        weight: (target, unit) of the last layer; a single target is that of label 1.
        label: (sample).
        live: (unit).
    """
    others = weight - weight.sum(0, keepdims=True)  # minus the sum of the others
    vote = weight + others / (len(weight) - 1) if len(weight) > 1 else np.concatenate([-weight, weight])
    product = np.sign(-correction[:, live]) * np.sign(vote[label][:, live])
    told = product != 0
    return float((product[told] > 0).mean()) if told.any() else float("nan")


@dataclass(frozen=True)
class Teacher:
    """The lens.

    Attributes:
        layers: the dense layers from the first to the one that gives the logits, a ReLU between each two; all but the
            last are taught.
    """

    layers: Annotated[Sequence[str], MinLen(1)]

    def check(self, network: Network) -> None:
        """Refuse layers that are not a chain of dense layers up to the logits, or of which none is hidden."""
        require_dense_layers(network, self.layers)
        if len(self.layers) < 2:
            raise SettingError("layers", f"{self.layers[0]!r} alone has no hidden layer before it: nothing is taught")

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return distance, sparsity, signs and following at each frame, by layer and version."""
        import xarray as xr

        if replica.frames is None:
            raise SeedscopeError(f"{replica.experiment}, seed {replica.seed}: there are no frames of the training")
        by_picture = {name: self._follow(replica, name) for name in ("training", "probe")}
        measured = xr.concat(list(by_picture.values()), "pictures", coords="minimal", compat="override")
        times = {name: ("frame", replica.frames[name].values) for name in ("step", "epoch")}
        return measured.assign_coords({"pictures": list(by_picture), **times}).assign_attrs(
            experiment=replica.experiment, seed=replica.seed, class_names=list(replica.class_names)
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return what holds at the end of training, and how well the teacher was followed over all frames."""
        summary = {}
        for layer in measured.layer.values.tolist():
            own = measured.sel(layer=layer)
            for pictures in ("training", "probe"):
                here = own.sel(pictures=pictures)
                post = here.sel(version="post")
                summary[f"distance_{layer}_{pictures}"] = float(post.distance[-1])
                summary[f"distance_at_start_{layer}_{pictures}"] = float(post.distance[0])
                for shuffle, suffix in (("none", ""), ("all", "_shuffled"), ("class", "_shuffled_within_class")):
                    cosine = post.followed.sel(shuffle=shuffle).values
                    known = cosine[~np.isnan(cosine)]
                    name = f"followed_{layer}_{pictures}{suffix}"
                    summary[name] = float(known.mean()) if len(known) else float("nan")
            post = own.sel(pictures="probe", version="post").isel(frame=-1)
            for name in ("zeros", "outputs_zeros", "on", "outputs_on", "negative"):
                summary[f"{name}_{layer}"] = float(post[name])
        last = measured.isel(layer=-1, frame=-1).sel(pictures="probe")
        summary["sign_agreement"] = float(last.sign_agreement)
        summary["sign_agreement_shuffled"] = float(last.sign_agreement_shuffled)
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield distance, sparsity and sign, and following through training, and the corrections by class."""
        from seedscope.drawing import teacher as drawn

        measured = measured.load()
        for layer in measured.layer.values.tolist():
            yield drawn.distance(measured, layer)
            yield drawn.sparsity(measured, layer)
            yield drawn.followed(measured, layer)
            yield drawn.by_class(measured, layer)

    def _follow(self, replica: Replica, which: str) -> xr.Dataset:
        """Return everything for the training or the probe pictures."""
        import xarray as xr

        from seedscope.data import balanced

        assert replica.frames is not None
        pictures = replica.training if which == "training" else replica.probe
        chosen = balanced(pictures.label.values, _PICTURES)
        image, label = pictures.image.isel(sample=chosen).values, pictures.label.values[chosen]
        rng = np.random.default_rng(0)
        orders = {
            "none": np.arange(len(label)),
            "all": rng.permutation(len(label)),
            "class": shuffled_within(label, rng),
        }
        frames, hidden = replica.frames.sizes["frame"], self.layers[:-1]
        shape = (len(hidden), len(VERSIONS), frames)
        names = ("distance", "length", "zeros", "outputs_zeros", "on", "outputs_on", "negative")
        found = {name: np.full(shape, np.nan) for name in names}
        following = np.full((len(hidden), len(VERSIONS), frames, len(orders)), np.nan)
        agreement = np.full((2, len(hidden), frames), np.nan)
        means: dict[str, np.ndarray] = {}
        earlier: list[dict[str, tuple[np.ndarray, np.ndarray]]] = []
        for frame in range(frames):
            with replica.network(frame) as model:
                x = inputs_of(model, self.layers, image)
                chain = DenseLayers.of(model, self.layers)
            now = corrections(chain, x, label)
            for index, layer in enumerate(hidden):
                for v, version in enumerate(VERSIONS):
                    outputs, correction = now[index][version]
                    for name, value in _state(outputs, correction).items():
                        found[name][index, v, frame] = value
                    if earlier:
                        before, asked = earlier[index][version]
                        for o, order in enumerate(orders.values()):
                            cosine = cosines(outputs - before, -asked[order])
                            following[index, v, frame, o] = np.nanmean(cosine) if (~np.isnan(cosine)).any() else np.nan
                gradient = now[index]["post"][1]
                for moment in np.flatnonzero(frame == np.array([0, frames - 1])):
                    kept = means.setdefault(layer, np.full((2, len(replica.class_names), gradient.shape[1]), np.nan))
                    for k in np.unique(label):
                        kept[moment, k] = -gradient[label == k].mean(0)
                if layer == hidden[-1]:
                    live = np.any(now[index]["post"][0] > 0, axis=0)
                    for row, known in enumerate((label, label[orders["all"]])):
                        agreement[row, index, frame] = sign_agreement(gradient, chain.weights[-1], known, live)
            earlier = now
        dims = ("layer", "version", "frame")
        return xr.Dataset(
            {
                **{name: (dims, values) for name, values in found.items()},
                "followed": ((*dims, "shuffle"), following),
                "sign_agreement": (("layer", "frame"), agreement[0]),
                "sign_agreement_shuffled": (("layer", "frame"), agreement[1]),
                **{f"asked_{layer}": (("moment", "true", f"unit_{layer}"), values) for layer, values in means.items()},
            },
            coords={
                "layer": list(hidden),
                "version": list(VERSIONS),
                "shuffle": list(orders),
                "moment": ["start", "end"],
            },
        )


def _state(outputs: np.ndarray, correction: np.ndarray) -> dict[str, float]:
    """Return how far the teacher is, how sparse and how negative, of (sample, unit)."""
    teacher = outputs - correction
    length = np.linalg.norm(correction, axis=1)
    size = np.linalg.norm(outputs, axis=1).sum()
    largest = outputs.max(1, keepdims=True, initial=0)
    threshold = _ON * largest
    return {
        "distance": length.sum() / size if size > 0 else np.nan,
        "length": length.mean(),
        "zeros": (teacher == 0).mean(),
        "outputs_zeros": (outputs == 0).mean(),
        "on": (teacher > threshold).mean(),
        "outputs_on": (outputs > threshold).mean(),
        "negative": (teacher < 0).mean(),
    }
