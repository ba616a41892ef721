"""Feature networks: pictures -> the numbers that sets of pictures are compared by."""

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.files import hash_file
from ganime.metrics import networks
from ganime.metrics.networks import network_names
from ganime.metrics.torch_weights import read_weights
from ganime.training.engine import dtype_policy

PUBLISHED = re.compile(r"-([0-9a-f]{8,64})\.pth?")  # names of weights end with the beginning of their SHA-256: PyTorch's custom
BATCH = 50  # pictures that go through the network at a time


@dataclass(frozen=True)
class FeatureNetwork:
    """A pretrained network whose features are compared.

    Attributes:
        frechet: What its Fréchet distance is called, as in "FID".
        kernel: What its kernel distance is called, as in "KID".
        resize: How it resizes pictures, in words.
        find_weights: Where its weights lie; fetches them if need be.
        build: From the weights by their names to a model from pictures, float32 [batch, height, width, 3] from 0 to 255, to
            {"features": float32 [batch, dimensions], "logits": float32 [batch, classes]} and more; some weights have no logits.
        inception_score: Whether its logits are the Inception Score's.
    """

    frechet: str
    kernel: str
    resize: str
    find_weights: Callable[[], Path]
    build: Callable[[dict[str, np.ndarray]], keras.Model]
    inception_score: bool = False


class FeatureExtractor:
    """A feature network with its weights.

    Args:
        name: One of `network_names()`.
        weights: File of its weights, instead of the known ones (which are found or fetched).

    Attributes:
        network: The `FeatureNetwork`.
        identity: What decides about the features, apart from the libraries; of JSON's types.
        model: The Keras model (see `FeatureNetwork.build`).
        inception_score: Whether its logits are the Inception Score's, and the weights have them.

    Raises:
        InputError: If there is no such network, the file does not hold its weights, or not what its name says it does.
        GanimeError: If the weights cannot be found or fetched.

    Example:
        >>> FeatureExtractor("lite0")(np.zeros((2, 64, 64, 3), np.uint8))["features"].shape
        (2, 1280)
    """

    def __init__(self, name: str = "lite0", weights: Path | None = None):
        if name not in network_names():
            raise InputError(f"there is no feature network {name!r}; there are {', '.join(network_names())}")
        self.name = name
        module = importlib.import_module(f"{networks.__name__}.{name}")
        self.network = module.NETWORK
        path = Path(weights or self.network.find_weights())
        content = read_weights(path)
        sha256 = hash_file(path)
        if (named := PUBLISHED.search(path.name)) and not sha256.startswith(named[1]):
            raise InputError(f"{show(path)} is damaged: its SHA-256 is {sha256[:8]}..., not as in its name; get it anew")
        try:
            with dtype_policy("float32"):  # whatever else is trained here: a score means one arithmetic
                self.model = self.network.build(content)
        except InputError as error:
            raise InputError(f"{show(path)}: {error}") from error
        self.inception_score = self.network.inception_score and "logits" in self.model.output
        self.identity = {
            "network": name,
            "network_sha256": hash_file(module.__file__),
            "weights_sha256": sha256,
            "resize": self.network.resize,
        }
        self._run = tf.function(self.model, reduce_retracing=True)

    def __repr__(self):
        return f"<FeatureExtractor: {self.name}>"

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Features and logits of pictures, uint8 [count, height, width, 3]."""
        parts = [self._run(tf.cast(images[i : i + BATCH], tf.float32)) for i in range(0, len(images), BATCH)]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def extract(
        self, pictures, size: int, report: Callable[[int, int], None] = lambda done, total: None, also: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Features (and logits, if they are the Inception Score's) of a whole set, which is loaded batch by batch.

        Args:
            pictures: Anything with `len()` and `load_batch(indices, size)` to uint8 [count, size, size, 3].
            size: Side of the pictures in pixels.
            report: Called with the numbers of pictures done and to do.
            also: What else of the network's outputs is wanted.

        Raises:
            GanimeError: If they are not finite.
        """
        count, parts = len(pictures), []
        keys = ["features", *(["logits"] if self.inception_score else []), *also]
        for start in range(0, count, BATCH):
            indices = list(range(start, min(start + BATCH, count)))
            outputs = self(pictures.load_batch(indices, size))
            parts.append([outputs[key] for key in keys])
            if not all(np.isfinite(part).all() for part in parts[-1]):
                raise GanimeError(f"the features by {self.name} are not finite; its weights are damaged, or another network's")
            report(indices[-1] + 1, count)
        return dict(zip(keys, map(np.concatenate, zip(*parts, strict=True)), strict=True))
