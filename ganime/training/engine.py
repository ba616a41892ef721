"""How a training is computed, as data: on which devices, in which precision."""

import logging
import math
import re
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import keras
import tensorflow as tf

from ganime.errors import InputError

log = logging.getLogger("ganime")
DTYPE_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextmanager
def dtype_policy(precision: str):
    """Keras' layers made in this `with` statement compute in that precision, whatever the global policy is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(DTYPE_POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def has_bfloat16(cpu: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether the hardware has instructions for bfloat16: a GPU, or a CPU of which Linux says so; None where it is not known.

    Args:
        cpu: Linux' description of the CPU.
    """
    if tf.config.list_physical_devices("GPU"):
        return True
    try:
        flags = {flag for line in cpu.read_text().splitlines() if line.startswith("flags") for flag in line.split()}
    except OSError:
        return None
    return bool(flags & {"avx512_bf16", "amx_bf16"}) if flags else None


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


@dataclass(frozen=True, kw_only=True, repr=False)
class Engine:
    """How a training is computed. Another engine gives the same training, but for rounding and, on several devices, for batch
    normalization that is not synchronized.

    Args:
        precision: `"float32"`; `"bfloat16"` or `"float16"` compute the networks' inner layers in 16 bits, for hardware that is
            faster so. Weights, last layers, losses, the norm in a penalty and the averaged generator stay in float32.
        jit_compile: Whether XLA compiles the training step.
        steps_per_execution: Steps between two returns to Python, where callbacks run.
        strategy: The devices to share every batch among (see `ganime.make_strategy`); None for the usual one.
        sync_batch_norm: Whether batch normalization is over the global batch, where there are several devices.

    Raises:
        InputError: If a value is none of these, or one for one device is for several, or the reverse.
    """

    precision: str = "float32"
    jit_compile: bool = False
    steps_per_execution: int = 1
    strategy: tf.distribute.Strategy | None = None
    sync_batch_norm: bool = False

    def __post_init__(self):
        if self.precision not in DTYPE_POLICIES:
            raise InputError(f"precision {self.precision!r} is not one of {', '.join(DTYPE_POLICIES)}")
        if self.steps_per_execution < 1:
            raise InputError(f"steps_per_execution {self.steps_per_execution} is not 1 or more")
        if self.strategy and self.jit_compile:
            raise InputError("--jit is for one device; leave it out with --distribute")
        if self.strategy and self.precision == "float16":  # Keras scales each replica's loss by what that one sees
            raise InputError("--precision float16 is for one device; take bfloat16 with --distribute")
        if self.strategy and self.steps_per_execution > 1:  # TensorFlow 2.21 fails on the loop that Keras 3.15 makes of it
            raise InputError("--steps-per-execution is for one device; leave it out with --distribute")
        if self.sync_batch_norm and not self.strategy:
            raise InputError("--sync-batch-norm is for several devices, with --distribute")
        if self.precision == "bfloat16" and has_bfloat16() is False:
            log.warning("bfloat16 is slow here: this CPU has no instructions for it (on such a one it took 12 times as long)")

    def __repr__(self):
        changed = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}
        if self.strategy:
            changed["strategy"] = f"{type(self.strategy).__name__} of {self.strategy.num_replicas_in_sync}"
        return f"Engine({', '.join(f'{name}={value}' for name, value in changed.items())})"

    def check_intervals(self, first: int, **intervals: int) -> None:
        """See that no interval ends within an execution.

        Args:
            first: The step from which training goes on.
            **intervals: Steps between two grids and so on, by the options' names.

        Raises:
            InputError: If one does.
        """
        length = self.steps_per_execution
        for name, interval in intervals.items():
            if interval % length:
                raise InputError(f"--{name.replace('_', '-')} {interval} is not a multiple of --steps-per-execution {length}")
        if first % length:
            last = first + -first % length
            raise InputError(
                f"the run is at step {first}, no multiple of --steps-per-execution {length}; go without it to --steps {last}"
            )
