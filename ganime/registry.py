"""Keras finds ganime's classes in saved files, although they are imported only when they are needed (no TensorFlow)."""

import importlib
from contextlib import contextmanager

CLASSES = {
    "GAN": "ganime.training.gan",
    "FusedAdam": "ganime.training.optimizer",
    "KernelDistance": "ganime.metrics.while_training",
}


class _Later:
    """Stands for a class in Keras' registry until that is imported, and takes its own place there."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def get_class(self):
        return getattr(importlib.import_module(self.module), self.name)

    def from_config(self, config):
        return self.get_class().from_config(config)


def register() -> None:
    """Tell Keras of the classes."""
    from keras.saving import get_custom_objects

    for name, module in CLASSES.items():
        get_custom_objects().setdefault(f"ganime>{name}", _Later(module, name))


@contextmanager
def registered():
    """Tell Keras of them once it is imported: it is, in this `with` statement."""
    yield
    register()
