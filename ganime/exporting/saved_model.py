"""TensorFlow's SavedModel: a folder that TensorFlow Serving and older TensorFlow take."""

import json
from pathlib import Path

import numpy as np

from ganime.exporting.manifest import check_ours
from ganime.files import atomic_folder
from ganime.generation.chain import Chain

FACTS = "assets.extra/ganime.json"
NAMES = rf"(saved_model|fingerprint)\.pb|variables/variables\.(index|data-\d{{5}}-of-\d{{5}})|{FACTS}"  # of all files


def place(output: Path):
    """Where to write, in a `with` statement, to become `output` when all is done.

    Raises:
        InputError: If the folder holds anything but an earlier SavedModel of ganime's.
    """
    return atomic_folder(output, check_ours(output, NAMES) if (output / FACTS).is_file() else ())


def write(path: Path, chain: Chain, facts: dict[str, str]) -> None:
    """Write a SavedModel whose signature `serving_default` has `latents` and `images`; the facts lie in its `assets.extra`."""
    import tensorflow as tf

    from ganime.exporting.tensorflow_module import ChainModule

    module = ChainModule(chain)
    tf.saved_model.save(module, path, signatures=module.serve)
    (path / FACTS).parent.mkdir()
    (path / FACTS).write_text(json.dumps(facts, indent=2) + "\n")


def run(path: Path, latents: np.ndarray) -> np.ndarray:
    """The written file's images, float32 [count, height, width, 3], of latents [count, latent_size]."""
    import tensorflow as tf

    return tf.saved_model.load(path).signatures["serving_default"](latents=tf.constant(latents))["images"].numpy()
