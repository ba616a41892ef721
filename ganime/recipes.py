"""Recipes: every hyperparameter of a training, as data. A published system is a row of values here, not a code path."""

import dataclasses
import sys
from dataclasses import dataclass, fields
from itertools import pairwise

from ganime.errors import InputError
from ganime.labels import MOST as MOST_LABELS
from ganime.labels import check_labels

MOST_WEIGHTS = 10**9  # of a network; with the optimizer's they take 16 GB
MOST_VALUES = 32  # of a field that is a list


def _field(default, doc, low=None, high=None, choices=None, most=MOST_VALUES):
    limits = {"low": low, "high": high, "choices": choices, "most": most}
    return dataclasses.field(default=default, metadata={"doc": doc, **limits})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All hyperparameters of a training; the defaults are a plain DCGAN's (Radford et al. 2016).

    Raises:
        InputError: If a value is not of its field's type, range or choices, or the batch cannot be parted as it should.

    Example:
        >>> Recipe(image_size=32, batch_size=64).latent_size
        100
    """

    image_size: int = _field(64, "side of the pictures, pixels", 32, 256)
    latent_size: int = _field(100, "length of the latents", 1, 4096)
    labels: tuple[str, ...] = _field((), "what pictures are told apart by; `fit --labels` sets them", most=MOST_LABELS)
    generator_widths: tuple[int, ...] = _field((512, 256, 128, 64), "channels, coarsest first", 1, 8192)
    generator_depth: int = _field(1, "layers at each side; all but the first do nothing at first", 1, 16)
    generator_slope: float = _field(0.0, "negative slope of the leaky ReLU; 0: ReLU", 0, 1)
    discriminator_widths: tuple[int, ...] = _field((64, 128, 256, 512), "channels, finest first", 1, 8192)
    discriminator_slopes: tuple[float, ...] = _field((0.2,), "negative slopes; the last repeats", 0, 1)
    discriminator_norm: str = _field("batch-inner", "batch normalization", choices=("batch", "batch-inner", "none"))
    head_channels: int = _field(0, "a convolution before the logit; 0: a dense head", 0, 8192)
    minibatch_deviation: int = _field(0, "show the head the deviation in groups of so many; 0: not", 0, 8192)
    bias: bool = _field(False, "biases in the convolutions")
    norm_momentum: float = _field(0.9, "of the batch normalization", 0, 1)
    norm_epsilon: float = _field(1e-5, "of the batch normalization", 0, 1)
    initializer: str = _field("normal", "first weights", choices=("torch", "glorot", "normal"))

    relativistic: bool = _field(False, "judge real and generated pictures by their logits' difference")
    label_noise: float = _field(0.0, "real labels 1 - U(0, a), fake ones U(0, a)", 0, 1)
    label_smoothing: float = _field(0.0, "lowers the real labels", 0, 1)
    label_flips: float = _field(0.0, "share of labels turned around", 0, 1)
    real_weight: float = _field(1.0, "of the loss on real pictures", 0)
    fake_weight: float = _field(1.0, "of the loss on generated pictures", 0)
    generator_weight: float = _field(1.0, "of the generator's loss", 0)
    r1_weight: float = _field(0.0, "gamma of the R1 gradient penalty; 0: none", 0)
    r1_first_weight: float = _field(0.0, "gamma at first, from where it goes to r1_weight", 0)
    r1_fall: int = _field(0, "pictures that this takes; 0: gamma is r1_weight from the first on", 0, 10**12)
    r1_interval: int = _field(1, "steps between penalties", 1, 10**9)
    feature_weight: float = _field(0.0, "of the losses of heads on a pretrained network's features; 0: none", 0)
    feature_after: int = _field(0, "pictures after which these heads join", 0, 10**12)
    augmentations: tuple[str, ...] = _field((), "of what the discriminator sees", choices=("color", "translation", "cutout"))

    batch_size: int = _field(128, "pictures per step", 1, 8192)
    g_learning_rate: float = _field(2e-4, "Adam, generator", 0)
    d_learning_rate: float = _field(2e-4, "Adam, discriminator", 0)
    beta_1: float = _field(0.5, "Adam", 0, 0.9999)
    beta_2: float = _field(0.999, "Adam", 0, 0.9999)
    adam_epsilon: float = _field(1e-8, "Adam", 0, 1)
    separate_updates: bool = _field(False, "one discriminator update on real, one on fake pictures")
    reuse_fakes: bool = _field(False, "the same generated batch for both updates")
    d_updates: int = _field(1, "discriminator updates per generator update", 1, 100)
    hold_below: float = _field(0.0, "generator held while D's accuracy is below", 0, 1)
    ema_half_life: int = _field(0, "pictures; 0: no averaged generator", 0, 10**9)
    flips: bool = _field(False, "mirror half of the pictures")
    balance_labels: bool = _field(False, "show all labels equally often, however many pictures they have")

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, _check(field, getattr(self, field.name)))
        for name, depth in {"generator_widths": self.generator_depth, "discriminator_widths": 1}.items():
            widths = getattr(self, name)
            weights = 16 * sum(before * after for before, after in pairwise(widths))
            weights += 9 * (depth - 1) * sum(width**2 for width in widths)
            if weights > MOST_WEIGHTS:
                raise InputError(f"{name}: {weights:,} weights are too many for a network; {MOST_WEIGHTS:,} are allowed")
        check_labels(self.labels)
        if self.minibatch_deviation and self.batch_size % self.minibatch_deviation:
            raise InputError(
                f"batch_size: {self.batch_size} is not a multiple of minibatch_deviation, {self.minibatch_deviation}"
            )

    def override(self, *assignments: str, **values) -> "Recipe":
        """A copy with other values.

        Args:
            assignments: Texts such as `"batch_size=64"` or `"generator_widths=256,128,64,32"`.
            values: Values by the names of their fields, as in `override(batch_size=64)`.

        Raises:
            InputError: If a text is not `field=value`, there is no such field, or the value does not fit it.
        """
        for name in values:
            _find_field(name, name)
        return dataclasses.replace(self, **dict(self._parse(text) for text in assignments), **values)

    def _parse(self, text):
        name, equals, value = (part.strip() for part in text.partition("="))
        field = _find_field(name if equals else "", text)
        if _is_tuple(field):
            return name, tuple(_read(field, part.strip()) for part in value.split(",") if part.strip())
        return name, _read(field, value)


def _find_field(name, text):
    named = {field.name: field for field in fields(Recipe)}
    if name not in named:
        raise InputError(f"{text!r} is not field=value with a field of the recipe: {', '.join(named)}")
    return named[name]


def _is_tuple(field):
    return isinstance(field.default, tuple)


def _item_type(field):
    return field.type.__args__[0] if _is_tuple(field) else field.type


def _read(field, text):
    kind = _item_type(field)
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return words.get(text.lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text  # the check names the field and what it takes


def _check(field, value):
    """The value, an int made a float where the field is one; raises what makes it unfit."""
    if _is_tuple(field):
        if not isinstance(value, tuple | list) or (field.default and not value):
            raise InputError(f"{field.name}: {_quote(value)} is not a list of values such as {field.default}")
        if len(value) > (most := field.metadata["most"]):
            raise InputError(f"{field.name}: {len(value):,} values are too many; {most:,} are allowed")
        return tuple(_check_item(field, item) for item in value)
    return _check_item(field, value)


def _check_item(field, value):
    kind, limits = _item_type(field), field.metadata
    low, high = limits["low"], sys.float_info.max if limits["high"] is None else limits["high"]
    if type(value) is not kind and not (kind is float and type(value) is int):
        what = "true or false" if kind is bool else f"of type {kind.__name__}"
        raise InputError(f"{field.name}: {_quote(value)} is not {what}")
    if limits["choices"] and value not in limits["choices"]:
        raise InputError(f"{field.name}: {_quote(value)} is not one of {', '.join(limits['choices'])}")
    if low is not None and not low <= value <= high:  # NaN fails too
        allowed = f"{low} or more" if limits["high"] is None else f"from {low} to {high}"
        raise InputError(f"{field.name}: {_quote(value)} is not {allowed}")
    return float(value) if kind is float else value


def _quote(value):
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists in lists in lists
        return f"{type(value).__name__} without measure"


_ZERO_TO_GANS = Recipe(
    latent_size=128,
    discriminator_norm="batch",
    initializer="torch",
)

_OURS = Recipe(
    latent_size=128,
    generator_widths=(256, 128, 64, 32),
    discriminator_widths=(32, 64, 128, 256),
    discriminator_norm="none",
    minibatch_deviation=4,
    bias=True,
    initializer="torch",
    relativistic=True,
    label_noise=0.1,
    r1_interval=8,
    augmentations=("translation",),
    batch_size=32,
    g_learning_rate=8e-4,
    d_learning_rate=8e-4,
    beta_1=0.0,
    beta_2=0.99,
    reuse_fakes=True,
    ema_half_life=5000,
    flips=True,
)

RECIPES = {
    # What makes the best faces in some minutes of a CPU; docs/research/ablation.md.
    "default": dataclasses.replace(
        _OURS,
        r1_weight=0.05,
        r1_first_weight=2.0,
        r1_fall=64_000,
        feature_weight=1.0,
        feature_after=32_000,
    ),
    # Wider, slower and averaged over longer: for a GPU, or for days. checkpoints/anime-face-64.keras began so.
    "large": dataclasses.replace(
        _OURS,
        generator_widths=(384, 192, 96, 48),
        discriminator_widths=(64, 128, 256, 512),
        r1_weight=0.5,
        augmentations=("color", "translation"),
        batch_size=64,
        g_learning_rate=4e-4,
        d_learning_rate=4e-4,
        ema_half_life=20_000,
    ),
    # github.com/privet1mir/Puppy-projects: the networks of zero-to-gans; 100 epochs.
    "puppy-projects": _ZERO_TO_GANS,
    # github.com/Abhishek-Aditya-bs/Anime-Face-Generation-Pytorch: 25 epochs of 63,000 pictures are 12,300 steps.
    "zero-to-gans": _ZERO_TO_GANS,
    # github.com/nabdullayev10657/Anime-Faces-Creation-using-GANs: 20 epochs of 63,000 pictures are 6,300 steps.
    "anime-faces-creation": Recipe(
        latent_size=128,
        generator_widths=(128, 256, 128, 64),
        discriminator_widths=(128, 256, 512),
        discriminator_slopes=(0.15, 0.15, 0.2),
        discriminator_norm="batch",
        head_channels=10,
        bias=True,
        initializer="torch",
        batch_size=200,
        g_learning_rate=1e-3,
        d_learning_rate=1e-3,
        beta_2=0.9,
    ),
    # github.com/bharatdhyani13/Anime_Face_Generation_GAN: 20,000 steps.
    "anime-face-generation": Recipe(
        generator_widths=(1024, 512, 256, 128),
        generator_slope=0.2,
        discriminator_widths=(128, 256, 512, 1024),
        bias=True,
        norm_momentum=0.5,
        norm_epsilon=1e-3,
        initializer="glorot",
        label_noise=0.2,
        batch_size=64,
        adam_epsilon=1e-7,
        separate_updates=True,
    ),
    # github.com/tsusdere/Generating-Anime: its networks are not published, so this is a plain DCGAN; it holds the generator
    # while it fools the discriminator, what its author found missing.
    "generating-anime": Recipe(hold_below=0.5),
}


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: If there is none.
    """
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def name_recipe(recipe: Recipe) -> str:
    """What to call a recipe: the name of the nearest one, or all names of that, and what was set, but for the labels, which are
    the pictures'.

    Example:
        >>> name_recipe(get_recipe("default").override("batch_size=64"))
        'default with batch_size=64'
    """
    changed = {
        name: [
            f"{field.name}={_write(getattr(recipe, field.name))}"
            for field in fields(Recipe)
            if field.name != "labels" and getattr(recipe, field.name) != getattr(other, field.name)
        ]
        for name, other in RECIPES.items()
    }
    nearest = min(changed.values(), key=len)
    names = " or ".join(name for name in changed if changed[name] == nearest)
    return f"{names} with {' '.join(nearest)}" if nearest else names


def _write(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
