"""Generative adversarial networks for anime faces, in Keras and TensorFlow.

The names below are imported when they are first used, so `import ganime` itself is quick and leaves TensorFlow alone.
"""

import importlib
import os

# All are read when TensorFlow and Keras are imported; a value that the user set is respected. oneDNN is off by default on
# CPUs without AVX-512, where it makes training more than twice as fast. Without growth a process takes a GPU's whole memory.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"

_HOMES = {
    "DrawnFaces": "ganime.data.drawn",
    "Edits": "ganime.generation.edits",
    "Engine": "ganime.training.engine",
    "Evaluation": "ganime.metrics.while_training",
    "FeatureExtractor": "ganime.metrics.features",
    "GAN": "ganime.training.gan",
    "GeneratedPictures": "ganime.metrics.evaluation",
    "KernelDistance": "ganime.metrics.while_training",
    "PackedPictures": "ganime.data.packed",
    "PictureFolder": "ganime.data.folder",
    "RECIPES": "ganime.recipes",
    "Recipe": "ganime.recipes",
    "Run": "ganime.runs",
    "build_discriminator": "ganime.networks",
    "build_gan": "ganime.training.fit",
    "build_generator": "ganime.networks",
    "draw_face": "ganime.data.drawn",
    "fit": "ganime.training.fit",
    "from_seeds": "ganime.generation.latents",
    "get_recipe": "ganime.recipes",
    "load_generator": "ganime.generation.sampling",
    "make_dataset": "ganime.data.pipeline",
    "make_strategy": "ganime.training.distribution",
    "mix": "ganime.generation.walks",
    "open_pictures": "ganime.data.sources",
    "pack": "ganime.data.packed",
    "paint": "ganime.generation.sampling",
    "project": "ganime.generation.projection",
    "reference_features": "ganime.metrics.evaluation",
    "sample": "ganime.generation.sampling",
    "score": "ganime.metrics.evaluation",
    "split": "ganime.data.split",
    "walk": "ganime.generation.walks",
}

_MODULES = {"callbacks": "ganime.training.callbacks"}

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'ganime' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted([*globals(), *__all__])
