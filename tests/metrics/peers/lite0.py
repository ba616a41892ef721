"""What timm's EfficientNet-Lite0 makes of three pictures, with the weights that ganime uses.

    python -m tests.metrics.peers.lite0 WEIGHTS [FILE]

stores every fourth number of it in lite0.npz, or in that file; needs torch and timm.
"""

import sys
from pathlib import Path

import numpy as np

STORED = Path(__file__).with_suffix(".npz")
EVERY = 4


def pictures():
    """uint8 [3, 224, 224, 3]: noise, blocks of colors, waves."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (224, 224, 3))
    blocks = random.integers(0, 256, (7, 7, 3)).repeat(32, 0).repeat(32, 1)
    rows, columns, colors = np.mgrid[:224, :224, :3]
    waves = 127.5 + 127.5 * np.sin(rows / (9 + colors) + columns / (5 + 3 * colors))
    return np.stack([noise, blocks, waves]).astype(np.uint8)


def timm_lite0(file):
    """Features and logits of the pictures."""
    import timm
    import torch

    network = timm.create_model("tf_efficientnet_lite0").eval()
    weights = torch.load(file, weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))  # in the same order
    with torch.no_grad():
        maps = network.forward_features(torch.tensor((pictures() - np.float32(127)) / 128).permute(0, 3, 1, 2))
        features = network.forward_head(maps, pre_logits=True)
        return {"features": features.numpy(), "logits": network.classifier(features).numpy()}


def main(weights, file=STORED):
    """Store the outputs."""
    np.savez_compressed(file, **{name: values[:, ::EVERY] for name, values in timm_lite0(weights).items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
