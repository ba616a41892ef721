"""Generative adversarial networks for anime faces, in Keras and TensorFlow.

Train, in a folder that holds everything and from which the same call continues::

    import ganime

    training, held_out = ganime.split(ganime.PictureFolder("faces"), 64)
    watch = ganime.Evaluation(held_out, every=1000, best_path="best.keras")
    gan = ganime.fit("my-faces", "default", training, steps=20_000, callbacks=[watch])

Make faces, here and anywhere::

    generator = ganime.load_generator("my-faces")  # a run; a .keras file; without a name, the one that ships
    ganime.show(ganime.sample(generator, seeds=range(16)))  # uint8 [16, 64, 64, 3] as a picture
    ganime.export(generator, "onnx", "faces.onnx")

Or as a Keras model, with networks, data and callbacks of your own::

    gan = ganime.GAN(ganime.build_generator(64), ganime.build_discriminator(64), ema_half_life=5000)
    gan.compile(label_noise=0.1, metrics=[ganime.KernelDistance()])
    gan.fit(pictures, batch_size=32, epochs=10)  # uint8, or float in [-1, 1], [count, 64, 64, 3]
    gan.save("gan.keras")
    gan = ganime.load_gan("gan.keras")  # or a run; it trains on

What is wrong with an input is an `ganime.InputError`, what fails otherwise a `ganime.GanimeError`; each says why in one line.
The names in __init__.pyi are imported when they are first used, so `import ganime` itself is quick and leaves TensorFlow alone.
"""

import os
import sys

import lazy_loader

from ganime.quiet import AroundImport, QuietImport
from ganime.registry import register, registered

# All are read when TensorFlow and Keras are imported; a value that the user set is respected. oneDNN is off by default on
# CPUs without AVX-512, where it makes training more than twice as fast. Without growth a process takes a GPU's whole memory.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("2", "3"):  # errors come as exceptions; the rest is notes
    sys.meta_path.insert(0, QuietImport)
if "keras" in sys.modules:
    register()
else:
    sys.meta_path.insert(0, AroundImport("keras", registered))

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
