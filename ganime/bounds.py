"""What a value may be, wherever it is given (no TensorFlow)."""

import difflib
import math
import numbers
from collections.abc import Iterable

import numpy as np

from ganime.errors import InputError
from ganime.recipes import Recipe

OUT_OF_RANGE = "pictures must be float in [-1, 1] or uint8 in 0...255"


def within_bounds(**values) -> dict:
    """Values of a recipe's fields, by the names of the fields, as a recipe has them.

    Raises:
        InputError: If one is not of its field's type, range or choices.

    Example:
        >>> within_bounds(r1_weight=1)
        {'r1_weight': 1.0}
    """
    recipe = Recipe(**{name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()})
    return {name: getattr(recipe, name) for name in values}


def check_whole(least: int = 1, most: float = math.inf, /, **values) -> None:
    """See that values are whole numbers.

    Args:
        least, most: The least and the most that they may be.
        **values: The values by their names.

    Raises:
        InputError: If one is not.
    """
    for name, value in values.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            limits = f"of {least} or more" if most == math.inf else f"from {least} to {most}"
            raise InputError(f"{name}: {value!r} is not a whole number {limits}")


def check_ending(name: str, path, ending: str) -> None:
    """See that a path ends as its format demands.

    Raises:
        InputError: If it does not.
    """
    if not str(path).endswith(ending):
        raise InputError(f"{name}: {str(path)!r} does not end in {ending}")


def suggest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist: which one may be meant.

    Example:
        >>> suggest("lable_noise", ["label_noise", "d_updates"])
        '; did you mean label_noise?'
    """
    nearest = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def judge_range(least, most, count):
    """Whether so many float pictures with numbers from `least` to `most` are in [-1, 1], and whether they look as if they were
    meant for [0, 1]: no number is negative, though they are several and have contrasts. For tensors and NumPy's numbers."""
    inside = (least >= -1.001) & (most <= 1.001)  # resizing and rounding may overstep a little; NaN is not inside
    return inside, inside & (least >= 0.0) & (most - least > 0.5) & (count >= 4)


def explain_range(least: float, most: float) -> str:
    """What is wrong with float pictures in the range from `least` to `most`."""
    if not (math.isfinite(least) and math.isfinite(most)):
        return f"{OUT_OF_RANGE}; this batch has numbers that are infinite or not a number"
    remedy = ""
    if least >= 0 and most <= 1.001:
        remedy = ": pictures of [0, 1]? scale them by x * 2 - 1 (where they are truly so bright, give uint8)"
    elif least >= 0 and most <= 256:
        remedy = ": pictures of 0...255? scale them by x / 127.5 - 1, or give them as uint8"
    return f"{OUT_OF_RANGE}; this batch lies between {least:.3g} and {most:.3g}{remedy}"
