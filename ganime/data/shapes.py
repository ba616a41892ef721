"""Colors and outlines for drawing: RGB tuples, and arrays of points [n, 2]."""

import colorsys

import numpy as np

WHITE = (255, 255, 255)
ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
# Weights of four neighbouring points at six places between the middle two (Catmull-Rom).
PLACES = np.arange(6)[:, None] / 6
SPLINE = 0.5 * PLACES ** np.arange(4) @ [[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]


def pick(rng, shares):
    """A key of the dictionary, drawn with its share as the probability."""
    draw = rng.uniform() * sum(shares.values())
    for name, share in shares.items():
        draw -= share
        if draw < 0:
            return name
    return name


def hair_color(rng):
    """Natural colors half of the time, else any hue."""
    if rng.uniform() < 0.5:
        natural = [
            (0.08, 0.35, 0.95),
            (0.06, 0.6, 0.55),
            (0.05, 0.5, 0.3),
            (0.65, 0.25, 0.22),
            (0.03, 0.7, 0.65),
            (0.6, 0.06, 0.88),
        ]
        h, s, v = natural[rng.randint(len(natural))]
        return hsv(h + rng.normal(0, 0.01), s * rng.uniform(0.8, 1.2), v * rng.uniform(0.85, 1.1))
    return hsv(rng.uniform(), rng.uniform(0.25, 0.75), rng.uniform(0.5, 0.98))


def hsv(h, s, v):
    """RGB of hue (any number, round the circle), saturation and value (1 at most)."""
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(h % 1, min(s, 1), min(v, 1)))


def mix(a, b, share):
    """The color that lies a share of the way from a to b."""
    return (int(a[0] + (b[0] - a[0]) * share), int(a[1] + (b[1] - a[1]) * share), int(a[2] + (b[2] - a[2]) * share))


def shade(color, share):
    """The color as a share, the rest being a dark violet: outlines and shadows."""
    return mix((35, 15, 50), color, share)


def mirror(half):
    """The whole outline, centred at 0.5, of its right half given as (distance from the middle, y) from top to bottom."""
    right = [(0.5 + x, y) for x, y in half]
    return right + [(0.5 - x, y) for x, y in reversed(half) if x]


def ellipse(x, y, rx, ry):
    """The outline of an ellipse."""
    return CIRCLE * (rx, ry) + (x, y)


def curve(points, closed=True):
    """A Catmull-Rom spline through the points."""
    points = list(points)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    control = np.array(ends[0] + points + ends[1])
    windows = np.arange(len(control) - 3)[:, None] + np.arange(4)
    spline = (SPLINE @ control[windows]).reshape(-1, 2)
    return spline if closed else np.concatenate([spline, control[-1:]])


def spikes(points, rng):
    """A smooth line whose every other point stands out from the head."""
    smooth = curve(points, closed=False)[::2]
    outward = smooth - (0.5, 0.5)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return smooth + outward * (np.arange(len(smooth)) % 2)[:, None] * rng.uniform(0.04, 0.09, (len(smooth), 1))
