"""How long a run was planned to train, as its configuration keeps it (no TensorFlow)."""

import math
from dataclasses import dataclass
from numbers import Real

from ganime.bounds import check_whole
from ganime.errors import InputError

MOST_MINUTES, MOST_STEPS = 1e6, 10**9
_WORDS = (
    (0.35, "heads and hair, blurred"),
    (0.2, "recognizable faces"),
    (0.13, "recognizable faces, some good"),
    (0.1, "mostly good faces"),
    (0.05, "most faces whole"),
    (0.0, "most faces good"),
)


@dataclass(frozen=True)
class Plan:
    """What was planned for a run, which config.json keeps.

    Attributes:
        minutes: Of training.
        steps: That take as long.
        images_per_second: Of the recipe on the computer that was measured.
        forecast: KID-lite0 to expect on pictures such as those that it was measured with; None where nothing was measured.

    Raises:
        InputError: If one is not such a number.
    """

    minutes: float
    steps: int
    images_per_second: float
    forecast: float | None = None

    def __post_init__(self):
        check_whole(1, MOST_STEPS, steps=self.steps)
        object.__setattr__(self, "minutes", check_minutes(self.minutes))
        for name in ("images_per_second", *(["forecast"] if self.forecast is not None else [])):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < math.inf:
                raise InputError(f"{name}: {value!r} is not a number of 0 or more")
            object.__setattr__(self, name, float(value))

    def __str__(self):
        faces = "" if self.forecast is None else f": {describe_forecast(self.forecast)}"
        minutes = f"{self.minutes:g} minute{'s' * (self.minutes != 1)}"
        return f"{self.steps:,} steps at {self.images_per_second:.0f} images/s in {minutes}{faces}"

    def extended(self, minutes: float) -> "Plan":
        """The same for other minutes, at the rate that was measured; nothing is forecast."""
        minutes = check_minutes(minutes)
        steps = min(MOST_STEPS, max(1, round(self.steps * minutes / self.minutes)))
        return self if minutes == self.minutes else Plan(minutes, steps, self.images_per_second)


def check_minutes(minutes: float) -> float:
    """The minutes, if they are a number above 0 and at most a million.

    Raises:
        InputError: If they are not.
    """
    if isinstance(minutes, bool) or not isinstance(minutes, Real) or not 0 < minutes <= MOST_MINUTES:
        raise InputError(f"minutes: {minutes!r} is not a number above 0 and up to a million")
    return float(minutes)


def describe_forecast(kernel: float) -> str:
    """What one sees at such a KID-lite0, 0 or more.

    Example:
        >>> describe_forecast(0.12)
        'mostly good faces (KID-lite0 0.12)'
    """
    return f"{next(words for least, words in _WORDS if kernel >= least)} (KID-lite0 {kernel:.2g})"
