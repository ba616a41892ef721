"""What a computer has to train with."""

import logging
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

log = logging.getLogger("ganime")


@dataclass(frozen=True)
class Hardware:
    """What a computer has to train with.

    Args:
        gpus: Names of the GPUs that TensorFlow sees.
        gpu_memory: Bytes of its memory that the first may fill; None where that is not known.
        memory: Bytes that are free in the computer's own memory; None where that is not known.
        amx: Whether the CPU multiplies matrices of bfloat16, as Intel's Xeons since 2023 do, and TensorFlow lets it.
    """

    gpus: tuple[str, ...] = ()
    gpu_memory: int | None = None
    memory: int | None = None
    amx: bool = False


def find_hardware(gpu_memory: bool = True) -> Hardware:
    """This computer's.

    Args:
        gpu_memory: Whether to ask for that, for which TensorFlow starts the GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    names = tuple(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    return Hardware(names, _gpu_memory() if gpus and gpu_memory else None, free_memory(), bool(has_amx()))


def _gpu_memory():
    from tensorflow.python.client import device_lib  # the only place that tells

    return next((device.memory_limit for device in device_lib.list_local_devices() if device.device_type == "GPU"), None)


def is_quick_in_bfloat16() -> bool | None:
    """Whether the hardware computes in bfloat16 no slower than in float32: a GPU, or a CPU as `has_amx` knows it."""
    return True if tf.config.list_physical_devices("GPU") else has_amx()


def has_amx(cpu: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether the CPU multiplies matrices of bfloat16 (AMX) and oneDNN, which does so, is on; None where it is not known.

    Instructions for bfloat16 alone (AVX512-BF16) do not help: with oneDNN kept to these, a step of `default` took 1.5 times as
    long as in float32.

    Args:
        cpu: Linux' description of the CPU.
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return False
    try:
        flags = {flag for line in cpu.read_text().splitlines() if line.startswith("flags") for flag in line.split()}
    except OSError:
        return None
    return "amx_bf16" in flags if flags else None


def free_memory(linux: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes of memory that are free for a program; None where that is not known.

    Args:
        linux: Linux' account of the memory.
    """
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB$", linux.read_text(), re.MULTILINE)
    except OSError:
        return None
    return 1024 * int(found[1]) if found else None


def warn_of_memory(generator: keras.Model, discriminator: keras.Model, batch_size: int) -> None:
    """Say on the log where a training step needs more memory than a computer without a GPU has free: Linux ends a program for
    that without a word. (A GPU's own memory is TensorFlow's to judge; there is an error then.)
    """
    free = free_memory()
    if free is None or tf.config.list_physical_devices("GPU"):
        return
    values = sum(math.prod(layer.output.shape[1:]) for network in (generator, discriminator) for layer in network.layers)
    # Measured for six recipes and sizes: 2.2 to 2.8 times what the layers give, in float32, for each picture more in a batch.
    needed = 2.2 * 4 * values * batch_size
    if needed > free:
        log.warning(
            "a step needs about %.0f GB of memory, and %.0f GB are free: if the system ends the training, try a smaller "
            "--set batch_size",
            needed / 1e9,
            free / 1e9,
        )
