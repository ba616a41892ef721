"""A third feature network, in one file: the means of 16 blocks."""

from pathlib import Path

import keras

from ganime.metrics.features import FeatureNetwork


def build(weights):
    pictures = keras.Input((None, None, 3))
    blocks = keras.ops.image.resize(pictures, (4, 4), antialias=True) / 255.0
    features = keras.layers.Flatten()(blocks)
    return keras.Model(pictures, {"features": features, "logits": features})


NETWORK = FeatureNetwork("FD-blocks", "KID-blocks", "none", lambda: Path(__file__).parents[1] / "peers" / "zip.pth", build)
