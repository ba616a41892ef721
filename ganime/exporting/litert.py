"""LiteRT (formerly TensorFlow Lite): a file for telephones, small computers and quick CPUs."""

import json
import tempfile
from pathlib import Path

import numpy as np

from ganime.errors import missing
from ganime.exporting import saved_model
from ganime.generation.chain import Chain


def write(path: Path, chain: Chain, facts: dict[str, str]) -> None:
    """Write a LiteRT file, whose signature `serving_default` has `latents` and `images`; the facts are its metadata `ganime`.

    Kernels of float16 are stored so, and computed with in float32.
    """
    import tensorflow as tf
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    with tempfile.TemporaryDirectory() as folder:
        saved_model.write(Path(folder, "model"), chain, facts)
        converter = tf.lite.TFLiteConverter.from_saved_model(f"{folder}/model")
        if any(layer.kernel.dtype == np.float16 for layer in chain.layers):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        model = flatbuffer_utils.convert_bytearray_to_object(converter.convert())
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    entry.name, entry.buffer = "ganime", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def run(path: Path, latents: np.ndarray) -> np.ndarray:
    """The written file's images, float32 [count, height, width, 3], of latents [count, latent_size].

    Raises:
        GanimeError: If LiteRT is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise missing("ai-edge-litert") from error
    return Interpreter(str(path)).get_signature_runner()(latents=latents)["images"]
