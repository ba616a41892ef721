"""TensorFlow's SavedModel: a folder that TensorFlow Serving and older TensorFlow take."""

import json
from pathlib import Path

import numpy as np

from ganime.files import atomic_folder
from ganime.generation.chain import Chain

NAMES = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra")  # of a SavedModel's files and folders


def place(output: Path):
    """Where to write, in a `with` statement, to become `output` when all is done.

    Raises:
        InputError: If the folder holds anything but an earlier SavedModel.
    """
    return atomic_folder(output, NAMES if (output / NAMES[0]).is_file() else ())


def write(path: Path, chain: Chain, facts: dict[str, str]) -> None:
    """Write a SavedModel whose signature `serving_default` has `latents` and `images`; the facts lie in its `assets.extra`."""
    import tensorflow as tf

    from ganime.exporting.tensorflow_module import ChainModule

    module = ChainModule(chain)
    tf.saved_model.save(module, path, signatures=module.serve)
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / "ganime.json").write_text(json.dumps(facts, indent=2) + "\n")


def run(path: Path, latents: np.ndarray) -> np.ndarray:
    """The written file's images, float32 [count, height, width, 3], of latents [count, latent_size]."""
    import tensorflow as tf

    return tf.saved_model.load(path).signatures["serving_default"](latents=tf.constant(latents))["images"].numpy()
