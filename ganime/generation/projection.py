"""The latent of a given face: that whose face is nearest to a picture, in pixels and features.

Levenberg-Marquardt (Marquardt 1963) from a linear guess: a latent has so few numbers that the Jacobian of the face by all of
them is had by finite differences, in a pass of the generator over as many faces.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from ganime.errors import InputError
from ganime.generation.conditions import make_latents
from ganime.generation.numpy_generator import NOT_FINITE
from ganime.metrics.features import FeatureExtractor
from ganime.networks.transposed import quick_network

BANK = 2000  # faces that the linear guess is fitted to
RIDGE = 0.1  # of that fit, in parts of the mean variance
GUESS_SIDE = 16  # pixels of the pictures that the guess sees
SIDE = 64  # larger pictures are compared at this side, which bounds memory
CHUNK = 32  # faces made at a time
CHANNELS = (24, 40)  # of lite0's second and third stage, whose features are compared: strokes and eyes, not whole faces
FEATURES = 1.0  # weight of features to pixels, each in parts of its variance over the bank. Pixels alone smudge eyes and mouths
PRIOR = 0.001  # weight of a latent's squared length to the logarithm of the error
STEP = 0.03  # of the finite differences
DAMPINGS = 10.0 ** np.arange(-3, 3)  # tried at once, in parts of the mean curvature
ROUNDS = 16  # Jacobians, at most
REUSES = 3  # more steps with each of them, at most
FOUND = 1e-3  # error, in parts of the variance, at which a face is found: more than 40 dB
STALL = 0.05  # of the error, by which a step must lower it to be worth another


def project(
    generator: keras.Model, pictures: np.ndarray, report: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """The latents whose faces are nearest to some pictures.

    What is made small is log(error) + PRIOR times the latent's squared length; the error is the squared distance of pixels
    and of features, in parts of their variance. So the prior counts where no latent fits, and hardly where one does.

    Args:
        generator: Model from latents to images in [-1, 1].
        pictures: uint8 [count, height, width, 3], RGB, of the generator's size.
        report: Called with the numbers of pictures done and to do.

    Returns:
        float32 [count, latent_size]; the same every time.

    Raises:
        InputError: If the pictures are not of that form, or the generator's images are not finite.

    Example:
        >>> import ganime
        >>> generator = ganime.load_generator()
        >>> latents = project(generator, ganime.sample(generator, seeds=[7]))  # doctest: +SKIP
    """
    pictures = np.asarray(pictures)
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != generator.output_shape[1:]:
        wanted = f"uint8 [count, {', '.join(map(str, generator.output_shape[1:]))}]"
        raise InputError(f"the pictures are {pictures.dtype} {[*pictures.shape]}; for this generator they are {wanted}")
    if not len(pictures):
        return np.empty((0, generator.input_shape[-1]), np.float32)
    space = _Space(generator)
    latents = []
    for i, picture in enumerate(pictures):
        image = tf.constant(picture[None], tf.float32) / 127.5 - 1.0
        latents.append(_descend(space, space.guess(image)[0], space.represent(image).numpy()[0]))
        report(i + 1, len(pictures))
    return np.stack(latents)


def peak_signal_to_noise(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of pictures in decibels, float64 [count], infinite where they are equal.

    Args:
        first, second: uint8 [count, height, width, 3].
    """
    errors = np.square(np.subtract(first, second, dtype=np.float64)).mean((1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / errors)


class _Space:
    """Where faces are compared: as vectors whose squared length is 1 (pixels) and `FEATURES` (features) in the mean."""

    def __init__(self, generator):
        self.latent_size = generator.input_shape[-1]
        self._extract, self._side = _feature_network(), min(SIDE, generator.output_shape[1])
        network = quick_network(generator)
        signature = [tf.TensorSpec([None, self.latent_size])]
        make = tf.function(lambda latents: tf.cast(network(latents, training=False), tf.float32), input_signature=signature)

        bank = make_latents(generator, range(BANK))
        images = make(bank[:CHUNK])
        weights = [1.0, *[FEATURES / len(CHANNELS)] * len(CHANNELS)]
        variances = [float(tf.reduce_sum(tf.math.reduce_variance(part, axis=0))) for part in self._parts(images)]
        self._scales = [(weight / max(variance, 1e-9)) ** 0.5 for weight, variance in zip(weights, variances, strict=True)]
        small = np.concatenate([_shrink(make(bank[i : i + CHUNK])) for i in range(0, BANK, CHUNK)])
        if not np.isfinite(small).all():
            raise InputError(NOT_FINITE)
        self._mean = small.mean(0)
        small -= self._mean
        ridge = RIDGE * BANK * small.var() * np.eye(small.shape[1], dtype=np.float32)
        self._guess = np.linalg.solve(small.T @ small + ridge, small.T @ bank)

        self.represent = tf.function(self._represent, reduce_retracing=True)
        self._place = tf.function(lambda latents: self._represent(make(latents)), input_signature=signature)

    def guess(self, images):
        """Latents whose faces are somewhat like these images, float32 [count, latent_size]."""
        return ((_shrink(images) - self._mean) @ self._guess).astype(np.float32)

    def place(self, latents):
        """The vectors of latents' faces, float32 [count, dimensions]."""
        return np.concatenate([self._place(latents[i : i + CHUNK]) for i in range(0, len(latents), CHUNK)])

    def _represent(self, images):
        parts = zip(self._parts(images), self._scales, strict=True)
        return tf.concat([tf.reshape(part * scale, [tf.shape(images)[0], -1]) for part, scale in parts], axis=1)

    def _parts(self, images):
        if images.shape[1] != self._side:
            images = tf.image.resize(images, (self._side, self._side), antialias=True)
        return [images, *self._extract((images * 127.5 + 0.5) / 128.0)]  # as lite0 scales values of 0 to 255


def _feature_network():
    """From images at their own size, scaled as lite0 does it, to the features of some of its stages."""
    model = FeatureExtractor("lite0").model
    start = next(layer.output for layer in model.layers if isinstance(layer, keras.layers.Rescaling))
    ends = {layer.output.shape[-1]: layer.output for layer in model.layers if isinstance(layer, keras.layers.Add)}
    stages = keras.Model(start, [ends[channels] for channels in CHANNELS])
    return keras.models.clone_model(stages, keras.Input((None, None, 3)), clone_function=lambda layer: layer)


def _shrink(images):
    return tf.reshape(tf.image.resize(images, (GUESS_SIDE, GUESS_SIDE), "area"), [len(images), -1]).numpy()


def _descend(space, latent, target):
    """From a first latent to the nearest. Each Jacobian serves several steps; of several dampings the best is taken."""

    def judge(latents, places):
        errors = np.square(places - target).sum(1)
        return errors, np.log(errors + 1e-12) + PRIOR * np.square(latents).sum(1)

    place = space.place(latent[None])[0]
    error, cost = (float(values[0]) for values in judge(latent[None], place[None]))
    for _ in range(ROUNDS):
        before = cost
        jacobian = (space.place(latent + STEP * np.eye(len(latent), dtype=np.float32)) - place) / STEP
        curvatures, axes = np.linalg.eigh((jacobian @ jacobian.T).astype(np.float64))
        dampings = DAMPINGS
        for _ in range(1 + REUSES):
            slope = axes.T @ (jacobian @ (target - place) - PRIOR * error * latent)
            steps = slope / (curvatures + PRIOR * error + curvatures.mean() * dampings[:, None])
            latents = (latent + steps @ axes.T).astype(np.float32)
            places = space.place(latents)
            errors, costs = judge(latents, places)
            best = int(np.argmin(costs))
            gain = cost - costs[best]
            if gain > 0:
                latent, place, error, cost = latents[best], places[best], float(errors[best]), float(costs[best])
                dampings = dampings[best] * np.array([0.3, 1.0, 10.0])
            if gain < STALL:
                break
        if error < FOUND or before - cost < STALL:
            break
    return latent
