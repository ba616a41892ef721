"""A whole GAN out of a file or a run: to train on, to look into, or to start a new run from."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from ganime.data.names import show
from ganime.errors import GanimeError, InputError, one_line
from ganime.generation.archive import CONFIG, Unsound, read_archive, read_members
from ganime.generation.sampling import find_generator, load_generator
from ganime.recipes import Recipe
from ganime.run import Run, describe_origin
from ganime.snapshots import open_run
from ganime.training.building import (
    NETWORK_FIELDS,
    TRAINED,
    as_recipe,
    build_gan,
    can_become,
    deepen,
    find_recipe,
    read_fields,
)
from ganime.training.checks import check_networks
from ganime.training.engine import Engine
from ganime.training.forms import settle
from ganime.training.gan import GAN

WEIGHTS = "model.weights.h5"  # in a folder that Keras writes with `zipped=False`
_SHIPPED = "shipped"  # what the generator that ships is called where a run starts from it
_WHOLE = keras.saving.get_registered_name(GAN)


def load_gan(source: Run | str | os.PathLike) -> GAN:
    """Load a whole GAN, ready to be trained on: both networks, the average, optimizers, step and settings.

    Args:
        source: A `.keras` file or a folder that `GAN.save` or `keras.callbacks.ModelCheckpoint` wrote; or a run, its name or
            its path, of which it is the last state, or `RUN@STEP`, a step that it keeps. The run's pictures are not needed.

    Raises:
        InputError: If there is no such file or run, it holds no whole GAN, or the run has saved no state yet.
        GanimeError: If the file cannot be read, or the run's states are damaged.

    Example:
        >>> gan = load_gan("checkpoints/my-faces")  # doctest: +SKIP
        >>> gan.evaluate(held_out)  # doctest: +SKIP
    """
    if isinstance(source, Run):
        return _build(*_read_run(source))
    path = Path(source)
    return _load_file(path) if path.suffix == ".keras" or (path / WEIGHTS).is_file() else _build(*_read_run(open_run(source)))


def _load_file(path):
    if not path.exists():
        raise InputError(f"{show(path)} does not exist")
    try:
        if path.is_file():
            read_members(path)  # Keras does not compare the weights' checksum
        gan = keras.models.load_model(path)
    except GanimeError:
        raise
    except Unsound as error:
        raise InputError(f"{show(path)} {error}") from None
    except Exception as error:  # Keras, zipfile and h5py raise errors of all kinds
        raise InputError(f"{show(path)} cannot be loaded: {[*str(error).strip().splitlines(), 'no reason'][0]}") from error
    if not isinstance(gan, GAN):
        raise InputError(f"{show(path)} is no whole GAN but another model; ganime.load_generator opens generators")
    return gan


def _read_run(run):
    config = run.read_config()
    state = run.newest_state()
    if state is None:
        raise InputError(f"run {run.name} has saved no state yet")
    return config, state


def _build(config, state):
    gan = build_gan(Recipe(**config["recipe"]), config["seed"], Engine(precision=config.get("precision", "float32")))
    state.load_into(gan)
    if config.get("from"):
        settle(gan.averaged_generator)
    return gan


@dataclass(frozen=True, eq=False)
class Start:
    """What a run starts from: trained networks, without what had trained them.

    The optimizers are not part of it: what they know of the gradients is of other pictures, and maybe of other settings. The
    step counts from 0 again.

    Attributes:
        origin: What the run's configuration records as `from`: `name`, `sha256` and, where it is known, `step`.
        fields: The `NETWORK_FIELDS` of these networks, by name.
        run: The run that they are taken from, if it is one.
        weights: Of the generator, the discriminator and the averaged generator; None where the run has states of its own, from
            which it goes on.
    """

    origin: dict
    fields: dict = field(repr=False)
    run: Run | None = None
    weights: tuple[list[np.ndarray], ...] | None = field(default=None, repr=False)

    def __str__(self):
        return describe_origin(self.origin)

    def adopt(self, recipe: Recipe | None, *assignments: str, **values) -> Recipe:
        """The recipe for training on: its networks are these, all else is as the recipe has it, but for `feature_after` and
        `r1_fall`, which are 0 unless they are set. The generator may become deeper.

        Args:
            recipe: How to train; None is as `find_recipe` finds it.
            assignments, values: What the user has set besides, as `Recipe.override` takes it.

        Raises:
            InputError: If something is set that makes other networks; the message names it.
        """
        named = {text.partition("=")[0].strip() for text in assignments} | values.keys()
        kept = {name: value for name, value in (TRAINED | self.fields).items() if name not in named}
        recipe = (recipe or find_recipe(self.fields)).override(*assignments, **kept, **values)
        wanted = {name: getattr(recipe, name) for name in NETWORK_FIELDS}
        if not can_become(self.fields, wanted):
            set_otherwise = (f"{n} is {ours}, set to {wanted[n]}" for n, ours in self.fields.items() if wanted[n] != ours)
            raise InputError(
                f"the networks of {show(self.origin['name'])} are given: {'; '.join(set_otherwise)}. Leave out what is set of "
                "them (and for ganime.fit name a recipe, or give a dictionary)"
            )
        return recipe

    def load_into(self, gan: GAN) -> None:
        """Give a new GAN these weights.

        Raises:
            GanimeError: If there are none, since the run had a state when this was made.
        """
        if self.weights is None:
            raise GanimeError("the run's state was there a moment ago, and is gone; start again")
        for network, weights in zip((gan.generator, gan.discriminator, gan.averaged_generator), self.weights, strict=True):
            network.set_weights(deepen(weights, self.fields["generator_depth"], network))


def begin_from(
    start: Start | Run | str | os.PathLike | None, run: Run, recipe: Recipe | str | Mapping | None
) -> tuple[Start | None, Recipe]:
    """What `open_start` opens for a run, and the recipe as `Start.adopt` makes it. A recipe's name sets no field, a dictionary
    those in it, a `Recipe` all.

    Raises:
        InputError, GanimeError: As these do, or `as_recipe`.
    """
    if not isinstance(start, Start):
        start = open_start(start, run)
    if start is None:
        return None, as_recipe(recipe)
    if isinstance(recipe, Mapping):
        as_recipe(recipe)  # says more of a field that there is not
        return start, start.adopt(Recipe(), **recipe)
    names = *NETWORK_FIELDS, *TRAINED
    given = {name: value for name in names if (value := getattr(recipe, name, ())) != ()}  # a recipe's name sets none
    return start, start.adopt(None if recipe is None else as_recipe(recipe), **given)


def open_start(start: Run | str | os.PathLike | None, run: Run) -> Start | None:
    """Open what a run is to start from or, where it has begun, what it started from.

    Args:
        start: A run, its name or its path, of which it is the last state, or `RUN@STEP`; a `.keras` file: a whole GAN that
            `GAN.save` wrote, or a generator with its discriminator beside it, `NAME.discriminator.keras`; `"shipped"`; or None
            for whatever the run has recorded.
        run: The run that is to be trained. Where it has a state of its own, nothing else is opened.

    Returns:
        None if nothing is given and nothing was recorded.

    Raises:
        InputError: If there is no such run or file, something is missing or damaged, its networks are none that `fit` could
            train, a weight is not finite, or it is another one than when the run was started, which has saved nothing since.
        GanimeError: If the states of a run are damaged.
    """
    config = read_before(run)
    origin = config.get("from")
    if start is None and not origin:
        return None
    name, place = _locate(origin["name"] if start is None else start)
    origin = origin if origin and origin["name"] == name else None
    if config and (run.state_path.exists() or run.previous_path.exists()):
        return Start(origin or {"name": name}, _network_fields(config))
    try:
        found = _open_run(name, place) if isinstance(place, Run) else _open_file(name, place or find_generator())
    except InputError as error:
        if not origin:
            raise
        raise InputError(f"run {run.name}, which started from {show(name)}, has saved nothing yet: {error}") from error
    if origin and origin["sha256"] != found.origin["sha256"]:
        raise InputError(
            f"run {run.name} started from {show(describe_origin(origin))}, which is another one now, and has saved nothing "
            f"yet: use --run with a new name, or remove {show(run.path)}"
        )
    return found


def read_before(run):
    """The configuration of a run, of its state where it has lost its own; empty if it has not begun."""
    if run.config_path.exists():
        return run.read_config()
    state = run.newest_state()
    return state.about.get("config", {}) if state else {}


def _locate(start):
    """The name to record, and the run or the file; None for the one that ships."""
    if isinstance(start, Run):
        return start.short_name, start
    if not isinstance(start, str | os.PathLike):
        raise InputError(f"start: {start!r} is neither a run nor a .keras file nor '{_SHIPPED}'")
    text = os.fspath(start)
    if text.startswith("hf://"):
        raise InputError(f"{show(text)}: what is shared is a generator, without the discriminator that training needs")
    if text == _SHIPPED:
        return text, None
    path = Path(text)
    if (path / WEIGHTS).is_file():
        raise InputError(f"{show(path)} is a folder; a run starts from a file, as gan.save('gan.keras') writes one")
    return (path.name, path) if path.suffix == ".keras" else ((run := open_run(text)).short_name, run)


def _network_fields(config):
    recipe = Recipe(**config["recipe"])
    return {name: getattr(recipe, name) for name in NETWORK_FIELDS}


def _open_run(name, run):
    config, state = _read_run(run)
    gan = _build(config, state)
    weights = _take_weights(name, gan.generator, gan.discriminator, gan.averaged_generator)
    return Start({"name": name, "step": int(gan.step), "sha256": state.sha256}, _network_fields(config), run, weights)


def _open_file(name, path):
    if not path.is_file():
        raise InputError(f"{show(path)} does not exist, or is no file")
    known, files = {}, [path]
    whole = json.loads(read_archive(path).members[CONFIG]).get("registered_name") == _WHOLE
    if not whole:
        files.append(path.with_name(f"{path.stem}.discriminator.keras"))
        if not files[1].is_file():
            folder = path.absolute().parent
            run = f"; if you mean its run, that is --from {show(folder)}" if (folder / "config.json").is_file() else ""
            raise InputError(f"{show(path)} lacks its discriminator, which training needs: there is no {show(files[1])}{run}")
    sha256 = _hash(files)
    if whole:
        gan = load_gan(path)
        networks, known = (gan.generator, gan.discriminator, gan.averaged_generator), {"step": int(gan.step)}
    else:
        generator = load_generator(path)
        networks = generator, _load_discriminator(files[1]), generator
    try:
        check_networks(*networks[:2])
        fields = read_fields(*networks[:2])
    except InputError as error:
        raise InputError(f"{show(path)}: {error}") from error
    weights = _take_weights(path, *networks)
    if _hash(files) != sha256:
        raise GanimeError(f"{show(path)} was changed while it was read; start again")
    return Start({"name": name, **known, "sha256": sha256}, fields, None, weights)


def _load_discriminator(path):
    archive = read_archive(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "discriminator.keras")  # nothing but what was found sound
        archive.write(copy)
        try:
            return keras.models.load_model(copy, compile=False)
        except Exception as error:  # whatever a file can hold
            raise InputError(f"{show(path)} cannot be loaded as a Keras model: {one_line(str(error), 200)}") from error


def _take_weights(name, *networks):
    weights = tuple([np.asarray(array, np.float32) for array in network.get_weights()] for network in networks)
    if not all(np.isfinite(array).all() for arrays in weights for array in arrays):
        raise InputError(f"{show(name)}: some of its weights are not finite; start from what was saved earlier")
    return weights


def _hash(paths):
    """The SHA-256 of files, one after another."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
