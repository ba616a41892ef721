"""What torch-fidelity's and pytorch-fid's Inception make of random pictures and weights.

    python -m tests.metrics.peers.inception [FILE]

stores it in inception.npz, or in that file; needs torch, torchvision, torch-fidelity and pytorch-fid.
"""

import json
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np

STORED = Path(__file__).with_suffix(".npz")
SIZES = (64, 64), (299, 299), (100, 80)


def random_picture(height, width, seed=0):
    """uint8 [1, height, width, 3]: a few gradients, some noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.linspace(0, 6, height)[:, None, None], np.linspace(0, 6, width)[:, None]
    waves = np.sin(rows * random.normal(size=3) + columns * random.normal(size=3) + random.normal(size=3))
    return np.clip(128 + 100 * waves + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.uint8)[None]


def random_weights(shapes, seed=0):
    """Weights under which activations keep their size, and keep depending on the picture: each filter's sum is 0.

    Args:
        shapes: Of the weights, by their names in PyTorch.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        part = name.rpartition(".")[2]
        if len(shape) > 1:
            kernel = random.standard_normal(shape, np.float32) * np.float32((3 / np.prod(shape[1:])) ** 0.5)
            weights[name] = kernel - kernel.mean(tuple(range(1, len(shape))), keepdims=True)
        elif part == "num_batches_tracked":
            weights[name] = np.zeros(shape, np.int64)
        elif part in ("weight", "running_var"):
            weights[name] = random.uniform(*((0.5, 1.5) if part == "weight" else (1, 2)), shape).astype(np.float32)
        else:
            weights[name] = random.normal(0, 0.1, shape).astype(np.float32)
    return weights


def fidelity(weights, pictures):
    """torch-fidelity's features and unbiased logits of uint8 pictures [batch, height, width, 3]."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save(_tensors(weights), file.name)
        network = FeatureExtractorInceptionV3("network", ["2048", "logits_unbiased"], file.name)
    with torch.no_grad():
        return [values.numpy() for values in network(torch.tensor(pictures.transpose(0, 3, 1, 2)))]


def pytorch_fid(weights, pictures):
    """pytorch-fid's features of uint8 pictures [batch, 299, 299, 3]; it takes 255 to 1, where TensorFlow's graph takes 256."""
    import torch
    from pytorch_fid import inception

    with patch.object(inception, "load_state_dict_from_url", lambda *_, **__: _tensors(weights)):
        network = inception.InceptionV3(resize_input=False).eval()
    with torch.no_grad():
        return network(torch.tensor(pictures.transpose(0, 3, 1, 2) / np.float32(255)))[0][:, :, 0, 0].numpy()


def weight_shapes():
    """The shapes of pytorch-fid's weights by their names."""
    import torch
    from pytorch_fid import inception

    with patch.object(inception, "load_state_dict_from_url"), patch.object(torch.nn.Module, "load_state_dict"):
        network = inception.fid_inception_v3()
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def _tensors(weights):
    import torch

    return {name: torch.from_numpy(values) for name, values in weights.items()}


def main(file=STORED):
    """Store the outputs, and the shapes of the weights by their names."""
    shapes = weight_shapes()
    weights = random_weights(shapes)
    stored = {"shapes": np.frombuffer(json.dumps(shapes).encode(), np.uint8)}
    for height, width in SIZES:
        stored[f"features {height}x{width}"], stored["logits"] = fidelity(weights, random_picture(height, width))
    stored["pytorch-fid"] = pytorch_fid(weights, random_picture(299, 299))
    np.savez_compressed(file, **stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
