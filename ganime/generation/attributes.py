"""What a person sees of a face, as numbers: fixed formulas on the pixels of aligned faces, from the front.

Regions are parts of the side, so that pictures of any size will do. Hair and skin are known by the face's own colors: the mean
of a region at the crown, and of one between the cheeks.
"""

import numpy as np
import tensorflow as tf

ATTRIBUTES = {
    "hair-brightness": "hair, from dark to light",
    "hair-warmth": "hair, from blue to red and yellow",
    "hair-green": "hair, from purple to green",
    "background-brightness": "what is behind the head, from dark to light",
    "skin-brightness": "skin, from dark to light",
    "eye-warmth": "eyes, from blue to red and brown",
    "eye-green": "eyes, from purple to green",
    "eye-size": "eyes, from small to large",
    "head-tilt": "head, from leaning left to leaning right",
    "mouth-open": "mouth, from closed to open",
    "fringe": "hair on the forehead, from none to much",
    "hair-length": "hair beside the neck, from short to long",
    "face-width": "face, from narrow and far to wide and near",
    "head-turn": "head, from turned right to turned left",
    "light-side": "light on the hair, from the left to the right",
    "collar-brightness": "clothes below the chin, from dark to light",
    "sharpness": "strokes, from soft to sharp",
}
# Measured so that edits leave it as it is. An edit of it does what it says, but soft faces are hardly faces any more.
KEPT = ("sharpness",)


def measure(images: tf.Tensor) -> tf.Tensor:
    """The attributes of faces, in units of their own; differentiable.

    Args:
        images: Float [count, side, side, 3], RGB from 0 to 1.

    Returns:
        float32 [count, len(ATTRIBUTES)].
    """
    side = images.shape[1]
    red, green, blue = tf.unstack(images, axis=-1)
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    warm, verdant = red - blue, green - (red + blue) / 2

    def region(top, bottom, left, right, both=False):
        return _region(side, top, bottom, left, right, both)

    crown, cheeks = region(0.04, 0.30, 0.30, 0.70), region(0.60, 0.72, 0.40, 0.60)
    hair, skin = (tf.einsum("nyxc,yx->nc", images, part) for part in (crown, cheeks))
    from_hair, from_skin = (tf.reduce_sum(tf.square(images - color[:, None, None]), -1) for color in (hair, skin))
    skinlike = (from_hair + 0.03) / (from_hair + from_skin + 0.06)
    iris, eyes = region(0.44, 0.58, 0.25, 0.37, both=True), region(0.40, 0.64, 0.22, 0.42, both=True)
    forehead = tf.einsum("nyxc,yx->nc", images, region(0.28, 0.46, 0.34, 0.66))
    ink = 1.5 * red - 2 * green  # high in an open mouth, middling in strokes, low on skin
    darkness = _soft_positive(_mean(light, cheeks)[:, None, None] - light - 0.1)
    left_eye = region(0.36, 0.66, 0.20, 0.40)
    values = {
        "hair-brightness": _mean(light, crown),
        "hair-warmth": _mean(warm, crown),
        "hair-green": _mean(verdant, crown),
        "background-brightness": _mean(light, region(0, 0.16, 0, 0.08, both=True)),
        "skin-brightness": _mean(light, cheeks),
        "eye-warmth": _mean(warm, iris),
        "eye-green": _mean(verdant, iris),
        "eye-size": _mean(from_skin / (from_skin + 0.06), eyes),
        "head-tilt": _height(darkness, left_eye) - _height(darkness, left_eye[:, ::-1]),
        "mouth-open": tf.math.log(0.05 + _soft_positive(_mean(ink, region(0.74, 0.82, 0.43, 0.57)) - _mean(ink, cheeks))),
        "fringe": -_share_of_way(forehead, hair, skin),
        "hair-length": -_mean(from_hair / (from_hair + 0.15), region(0.70, 1, 0, 0.22, both=True)),
        "face-width": _mean(skinlike, region(0.52, 0.80, 0.12, 0.32, both=True)),
        "head-turn": _mean(skinlike, region(0.50, 0.85, 0.64, 0.90)) - _mean(skinlike, region(0.50, 0.85, 0.10, 0.36)),
        "light-side": _mean(light, region(0.04, 0.30, 0.60, 0.85)) - _mean(light, region(0.04, 0.30, 0.15, 0.40)),
        "collar-brightness": _mean(light, region(0.90, 1, 0.30, 0.70)),
        "sharpness": tf.math.log(1e-6 + _mean(_edges(light), region(0.04, 0.80, 0.15, 0.85))),
    }
    return tf.stack([values[name] for name in ATTRIBUTES], axis=1)


def _region(side, top, bottom, left, right, both):
    """The weight of each pixel in a rectangle, or in it and its mirror image; they add up to one."""
    edges = np.arange(side + 1) / side
    rows, columns = (
        np.clip(np.minimum(edges[1:], last) - np.maximum(edges[:-1], first), 0, None)
        for first, last in ((top, bottom), (left, right))
    )
    weights = np.outer(rows, columns)
    weights = weights + weights[:, ::-1] if both else weights
    return (weights / weights.sum()).astype(np.float32)


def _mean(values, weights):
    return tf.tensordot(values, tf.constant(np.ascontiguousarray(weights)), [[1, 2], [0, 1]])


def _soft_positive(values):
    return tf.nn.softplus(20 * values) / 20


def _height(darkness, weights):
    """How far down the dark in a region lies, 0 to 1."""
    rows = (np.arange(len(weights), dtype=np.float32)[:, None] + 0.5) / len(weights)
    return _mean(darkness, weights * rows) / (_mean(darkness, weights) + 0.02)


def _share_of_way(color, start, end):
    """How far a color is on the way from one to another, [count]."""
    way = end - start
    return tf.reduce_sum((color - start) * way, -1) / (tf.reduce_sum(tf.square(way), -1) + 0.05)


def _edges(light):
    down, right = tf.abs(light[:, 1:] - light[:, :-1]), tf.abs(light[:, :, 1:] - light[:, :, :-1])
    return tf.pad(down, [[0, 0], [0, 1], [0, 0]]) + tf.pad(right, [[0, 0], [0, 0], [0, 1]])
