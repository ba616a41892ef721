"""Generative adversarial networks for anime faces, in Keras and TensorFlow.

The names in __init__.pyi are imported when they are first used, so `import ganime` itself is quick and leaves TensorFlow alone.
"""

import os
import sys

import lazy_loader

# All are read when TensorFlow and Keras are imported; a value that the user set is respected. oneDNN is off by default on
# CPUs without AVX-512, where it makes training more than twice as fast. Without growth a process takes a GPU's whole memory.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("2", "3"):  # errors come as exceptions; the rest is notes
    from ganime.quiet import QuietImport

    sys.meta_path.insert(0, QuietImport)

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
