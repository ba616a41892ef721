"""What to train in some minutes on this computer: which networks, how many steps, and what faces to expect."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ganime.data.arrays import ArrayPictures
from ganime.data.memory import RememberedPictures
from ganime.errors import InputError
from ganime.plan import MOST_STEPS, Plan, check_minutes
from ganime.recipes import Recipe, get_recipe
from ganime.training.building import as_recipe, build_gan
from ganime.training.distribution import is_multiworker
from ganime.training.engine import Engine, complete
from ganime.training.fit import make_source
from ganime.training.loop import train
from ganime.training.periodic import Periodic

TIMED = 6.0  # seconds of steps that are timed
WARM_UP = 3  # steps before
SPARE = 0.08  # share of the minutes for reading pictures, grids, plots and saving

# What some minutes may be spent on: a recipe; the time of a step per picture, in that of `default` with its heads, on CPU cores
# in float32 and in bfloat16 with AMX (on a GPU narrow networks gain less); and KID-lite0 after so many pictures of `faces64`
# (docs/research/ablation.md).
_CANDIDATES = (
    (
        get_recipe("default"),
        {"float32": 1.0, "bfloat16": 1.0},
        {4e3: 0.643, 8e3: 0.419, 12e3: 0.376, 32e3: 0.264, 60e3: 0.116, 110e3: 0.0785}
        | {213e3: 0.0635, 470e3: 0.0505, 854e3: 0.0498, 1.271e6: 0.0462},
    ),
    (get_recipe("large"), {"float32": 1.8, "bfloat16": 1.3}, {1.3e6: 0.060, 3.7e6: 0.033}),
)


def choose_networks(
    minutes: float, images_per_second: float, precision: str | None = None
) -> tuple[Recipe, float, float | None]:
    """What makes the best faces in some minutes.

    Args:
        minutes: Of training.
        images_per_second: Of `default` on the computer in that time.
        precision: In which that is: bfloat16 on a CPU speeds some widths up more than others.

    Returns:
        The recipe, what to expect of its own images/s, and the KID-lite0 to expect: linear between the logarithms of what was
        measured, and constant after the last of it; None where they are fewer pictures than it was ever measured after.
    """
    found = []
    rates = [images_per_second / costs.get(precision, costs["float32"]) for _, costs, _ in _CANDIDATES]
    for rate, (_, _, curve) in zip(rates, _CANDIDATES, strict=True):
        pictures, kernels = np.log([*curve]), np.log([*curve.values()])
        found.append(float(np.exp(np.interp(np.log(60 * minutes * rate), pictures, kernels, left=np.inf))))
    # `default` is the first: what is no better by 5 % than that, where seeds differ by as much, is not worth other networks.
    best = next(i for i, kernel in enumerate(found) if kernel <= 1.05 * min(found))
    return _CANDIDATES[best][0], rates[best], found[best] if math.isfinite(found[best]) else None


def plan_training(
    minutes: float, recipe: Recipe | str | Mapping | None = None, engine: Engine | None = None
) -> tuple[Recipe, Plan]:
    """Plan a training of some minutes on this computer, after less than a minute of measuring.

    Sets global seeds, as `build_gan` does.

    Args:
        minutes: Of training, from its first step, with what is saved and drawn meanwhile.
        recipe: What to train; by default what makes the best faces of 64x64 in this time: `default`, or after hours `large`.
        engine: How to compute.

    Returns:
        The recipe, and how long to train with it: `ganime.fit(run, recipe, pictures, plan.steps, plan=plan)`.

    Raises:
        InputError: If the minutes are not above 0 and up to a million, the recipe is none, or it is an engine of several hosts.

    Example:
        >>> recipe, plan = plan_training(20)  # doctest: +SKIP
    """
    minutes, given = check_minutes(minutes), None if recipe is None else as_recipe(recipe)
    engine = engine or Engine()
    if is_multiworker(engine.strategy):
        raise InputError("minutes are for one host; several workers need steps")
    measured = given or get_recipe("default")
    engine = complete(engine, measured, 2 * measured.batch_size, MOST_STEPS)
    seconds, forecast = 60 * minutes * (1 - SPARE), None
    rate = measure_rate(measured, engine, seconds)
    if given is None:
        given, rate, forecast = choose_networks(minutes * (1 - SPARE), rate, engine.precision)
    steps = min(MOST_STEPS, max(1, int(seconds * rate / given.batch_size)))
    return given, Plan(minutes, steps, round(rate, 1), forecast and round(forecast, 4))


def measure_rate(recipe: Recipe, engine: Engine, seconds: float = math.inf) -> float:
    """Images/s in so many seconds of training with a recipe on this computer, by steps that take some seconds on pictures of
    noise."""
    if recipe.feature_weight and recipe.feature_after:
        alone = _time_steps(replace(recipe, feature_weight=0.0), engine)
        if seconds * alone <= recipe.feature_after:
            return alone
        joined = _time_steps(replace(recipe, feature_after=0), engine)
        return joined + recipe.feature_after * (1 - joined / alone) / seconds
    return _time_steps(recipe, engine)


def _time_steps(recipe, engine):
    shape = 2 * recipe.batch_size, recipe.image_size, recipe.image_size, 3
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pictures, recipe = RememberedPictures(ArrayPictures(noise), recipe.image_size), replace(recipe, labels=())
    timer = _Timer()
    gan = build_gan(recipe, 0, engine)
    source = make_source(recipe, pictures, 0, MOST_STEPS, 0, engine)
    train(gan, source, MOST_STEPS, [timer], engine.jit_compile, engine.steps_per_execution)
    return recipe.batch_size * timer.steps / timer.seconds


class _Timer(Periodic):
    """Time steps until there are enough seconds of them. The first stretches trace and allocate, and are not counted."""

    def __init__(self):
        super().__init__()
        self.first = None

    def on_train_batch_end(self, batch, logs=None):
        now, step = time.monotonic(), self.step
        if step < WARM_UP:
            return
        if self.first is None:
            self.first, self.began = step, now
        self.steps, self.seconds = step - self.first, now - self.began
        self.model.stop_training = self.seconds >= TIMED


def resume_plan(config: Mapping) -> tuple[Recipe, Plan] | None:
    """The recipe and the plan of a run that was begun with one, by its configuration: nothing is measured or chosen again."""
    return (replace(Recipe(**config["recipe"]), labels=()), Plan(**config["plan"])) if "plan" in config else None
