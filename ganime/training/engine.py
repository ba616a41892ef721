"""How a training is computed, as data: on which devices, in which precision, and where the pictures are kept."""

import logging
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import keras
import tensorflow as tf

from ganime.errors import InputError
from ganime.recipes import Recipe
from ganime.run import Run
from ganime.training.distribution import make_strategy
from ganime.training.hardware import Hardware, find_hardware, is_quick_in_bfloat16
from ganime.training.loop import LONGEST

log = logging.getLogger("ganime")
DTYPE_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
PLACES = ("device", "memory", "disk")
SHARE_OF_MEMORY = 4  # pictures are kept where they take a quarter of what is free, at most
UNKNOWN_MEMORY = 2**31  # what is counted on where a system does not tell
COMPILE_FROM = 2_500  # steps that repay XLA's compiling: it took 45 s on an H100, which did 48 steps a second without
WIDE = 128  # channels of the widest layer from which bfloat16 is quicker on AMX (docs/speed.md)
SHARE_FROM = 64  # pictures for each of several GPUs; with fewer, a step is bound by the start of its operations, not by them


@contextmanager
def dtype_policy(name: str):
    """Keras' layers made in this `with` statement are of that policy, whatever the global one is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@dataclass(frozen=True, kw_only=True, repr=False)
class Engine:
    """How a training is computed. Another engine gives the same training, but for rounding and, on several devices, for batch
    normalization that is not synchronized.

    Args:
        precision: `"float32"` (TF32 in the products of a GPU that has it); `"bfloat16"` or `"float16"` compute the networks'
            inner layers in 16 bits, for hardware that is faster so. Weights, last layers, losses, the norm in a penalty and the
            averaged generator stay in float32. By default the one that a run was begun in; of a new run bfloat16 on a CPU that
            multiplies matrices of it (AMX), if the networks are wide enough to gain, else float32.
        jit_compile: Whether XLA compiles the training step; by default on a GPU, if the training is long enough.
        steps_per_execution: Steps between two returns to Python, where callbacks run, at most; by default as many as take half
            a second. It changes no result.
        keep_pictures: Where pictures stay once they are decoded: on the `"device"` that computes, in `"memory"`, or on
            `"disk"`, as they are, to be decoded again; by default the first that they do not fill by more than a quarter.
        strategy: The devices to share every batch among (see `ganime.make_strategy`); by default several GPUs of this computer
            if there is enough for each to do, else one device.
        sync_batch_norm: Whether batch normalization is over the global batch, where there are several devices.

    Raises:
        InputError: If a value is none of these, or one for one device is for several, or the reverse.
    """

    precision: str | None = None
    jit_compile: bool | None = None
    steps_per_execution: int | None = None
    keep_pictures: str | None = None
    strategy: tf.distribute.Strategy | None = None
    sync_batch_norm: bool = False

    def __post_init__(self):
        if self.precision not in (None, *DTYPE_POLICIES):
            raise InputError(f"precision {self.precision!r} is not one of {', '.join(DTYPE_POLICIES)}")
        if self.steps_per_execution is not None and not 1 <= self.steps_per_execution <= LONGEST:
            raise InputError(f"steps_per_execution {self.steps_per_execution} is not from 1 to {LONGEST}")
        if self.keep_pictures not in (None, *PLACES):
            raise InputError(f"keep_pictures {self.keep_pictures!r} is not one of {', '.join(PLACES)}")
        if self.strategy and self.jit_compile:
            raise InputError("--jit is for one device; leave it out with --distribute")
        if self.strategy and self.precision == "float16":  # Keras scales each replica's loss by what that one sees
            raise InputError("--precision float16 is for one device; take bfloat16 with --distribute")
        if self.strategy and self.keep_pictures == "device":
            raise InputError("--keep-pictures device is for one device; take memory with --distribute")
        if self.sync_batch_norm and not self.strategy:
            raise InputError("--sync-batch-norm is for several devices, with --distribute")
        if self.precision == "bfloat16" and is_quick_in_bfloat16() is False:
            log.warning("bfloat16 is slow here: this CPU has no AMX (without, it took 1.5 to 12 times as long as float32)")

    def __repr__(self):
        changed = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}
        if self.strategy:
            changed["strategy"] = f"{type(self.strategy).__name__} of {self.strategy.num_replicas_in_sync}"
        return f"Engine({', '.join(f'{name}={value}' for name, value in changed.items())})"

    def __str__(self):
        """What a user is told of it, once all is chosen."""
        kept = {"device": "pictures stay on the device once decoded", "memory": "pictures stay in memory once decoded"}
        parts = [
            self.precision,
            "compiled by XLA" if self.jit_compile else "",
            f"{self.steps_per_execution} steps at a stretch" if self.steps_per_execution else "",
            kept.get(self.keep_pictures, "pictures are decoded each time: they are too many to keep"),
        ]
        return ", ".join(filter(None, parts))


def shared_gpus(hardware: Hardware, recipe: Recipe) -> int:
    """Among how many GPUs a batch is shared without being asked for."""
    group = recipe.minibatch_deviation or 1
    counts = range(len(hardware.gpus), 1, -1)
    return next((n for n in counts if recipe.batch_size % (n * group) == 0 and recipe.batch_size // n >= SHARE_FROM), 1)


def choose(engine: Engine, hardware: Hardware, recipe: Recipe, pictures: int, steps: int) -> Engine:
    """The engine in which all that was left open is decided.

    Args:
        engine: What the user wants.
        hardware: What there is to train with.
        recipe: What is trained.
        pictures: How many there are.
        steps: The step to reach.
    """
    one_gpu = bool(hardware.gpus) and not engine.strategy
    size = 3 * pictures * recipe.image_size**2
    fits = {
        "device": one_gpu and size <= (hardware.gpu_memory or 0) // SHARE_OF_MEMORY,
        "memory": size <= (hardware.memory or UNKNOWN_MEMORY) // SHARE_OF_MEMORY,
        "disk": True,
    }
    wide = max(*recipe.generator_widths, *recipe.discriminator_widths) >= WIDE
    chosen = {
        "precision": "bfloat16" if hardware.amx and wide and not (hardware.gpus or engine.strategy) else "float32",
        "jit_compile": one_gpu and steps >= COMPILE_FROM,
        "keep_pictures": next(place for place in PLACES if fits[place]),
    }
    return replace(engine, **{name: value for name, value in chosen.items() if getattr(engine, name) is None})


def complete(engine: Engine, recipe: Recipe, pictures: int, steps: int, run: Run | None = None) -> Engine:
    """What `choose` chooses for this computer, several GPUs included; of a run that was begun already, its precision."""
    if engine.precision is None and run and run.config_path.exists():
        engine = replace(engine, precision=run.read_config().get("precision", "float32"))
    hardware = find_hardware(gpu_memory=not engine.strategy and engine.keep_pictures is None)
    alone = engine.strategy or engine.jit_compile or engine.keep_pictures == "device" or engine.precision == "float16"
    if not alone and (gpus := shared_gpus(hardware, recipe)) > 1:
        engine = replace(engine, strategy=make_strategy("mirrored", gpus))
    return choose(engine, hardware, recipe, pictures, steps)
