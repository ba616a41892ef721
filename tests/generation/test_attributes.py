import numpy as np
import pytest
import tensorflow as tf

from ganime.generation import latents, sampling
from ganime.generation.attributes import ATTRIBUTES, measure

WARMER, GREENER, RED = np.array([[0.2, 0, -0.2], [0, 0.2, 0], [0.6, 0, 0]])


@pytest.fixture(scope="module")
def faces():
    return sampling.paint(sampling.load_for(1), latents.from_seeds(range(16), 128)).astype(np.float32) / 255


def value(images, name):
    return measure(tf.constant(images))[:, [*ATTRIBUTES].index(name)].numpy()


def changed(images, top, bottom, left, right, change):
    """Images whose pixels in a region, in parts of the side, are changed."""
    images, side = images.copy(), images.shape[1]
    part = slice(None), slice(round(top * side), round(bottom * side)), slice(round(left * side), round(right * side))
    images[part] = np.clip(change(images[part]), 0, 1)
    return images


@pytest.mark.parametrize(
    "name, region, change",
    [
        ("hair-brightness", (0, 0.3, 0, 1), lambda part: part + 0.2),
        ("hair-warmth", (0, 0.3, 0, 1), lambda part: part + WARMER),
        ("hair-green", (0, 0.3, 0, 1), lambda part: part + GREENER),
        ("background-brightness", (0, 0.16, 0, 0.1), lambda part: part * 0 + 1.5),
        ("skin-brightness", (0.6, 0.72, 0.4, 0.6), lambda part: part * 1.1),
        ("eye-warmth", (0.44, 0.58, 0.25, 0.37), lambda part: part + WARMER),
        ("eye-green", (0.44, 0.58, 0.25, 0.37), lambda part: part + GREENER),
        ("mouth-open", (0.74, 0.82, 0.43, 0.57), lambda part: part * 0 + RED),
        ("light-side", (0, 0.3, 0.5, 1), lambda part: part + 0.2),
        ("collar-brightness", (0.9, 1, 0, 1), lambda part: part + 0.2),
    ],
)
def test_a_change_that_a_person_sees_is_measured_as_what_it_is(faces, name, region, change):
    difference = value(changed(faces, *region, change), name) - value(faces, name)
    assert (difference >= 0).all() and (difference > 0).mean() > 0.8


def test_blur_takes_sharpness(faces):
    blurred = (faces + np.roll(faces, 1, 1) + np.roll(faces, 1, 2)) / 3
    assert (value(blurred, "sharpness") < value(faces, "sharpness")).all()


def test_a_mirror_turns_around_what_has_a_side_and_nothing_else(faces):
    before, after = (measure(tf.constant(np.ascontiguousarray(images))).numpy() for images in (faces, faces[:, :, ::-1]))
    deviations = before.std(0)
    for i, name in enumerate(ATTRIBUTES):
        if name in ("head-tilt", "light-side"):
            assert np.allclose(after[:, i], -before[:, i], atol=1e-4), name
        elif name == "head-turn":
            assert np.corrcoef(after[:, i], -before[:, i])[0, 1] > 0.9
        else:
            assert np.abs(after[:, i] - before[:, i]).mean() < 0.3 * deviations[i], name


def test_size_does_not_count(faces):
    larger = faces.repeat(2, axis=1).repeat(2, axis=2)
    before, after = (measure(tf.constant(images)).numpy() for images in (faces, larger))
    names = [name for name in ATTRIBUTES if name != "sharpness"]
    chosen = [[*ATTRIBUTES].index(name) for name in names]
    assert np.allclose(before[:, chosen], after[:, chosen], atol=1e-4)


def test_plain_pictures_have_values_and_gradients():
    for level in (0.0, 0.5, 1.0):
        images = tf.fill([2, 32, 32, 3], level)
        with tf.GradientTape() as tape:
            tape.watch(images)
            values = measure(images)
        assert np.isfinite(values).all() and np.isfinite(tape.gradient(values, images)).all()
