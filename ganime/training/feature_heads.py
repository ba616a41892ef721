"""A second discriminator, which has seen many other pictures: small heads on the features of a pretrained network.

Discriminators on frozen features at several depths are Projected GAN's (Sauer et al. 2021, https://arxiv.org/abs/2111.01007).
That they join one that has trained alone is after Kumari et al. 2022 (https://arxiv.org/abs/2112.09130).
"""

import keras
import tensorflow as tf
from keras import layers

from ganime.errors import InputError
from ganime.metrics.networks import lite0
from ganime.metrics.torch_weights import read_weights
from ganime.networks.dcgan import append_deviation, initialized
from ganime.training import draws, losses, replicas
from ganime.training.augment import augment
from ganime.training.conditioning import inputs_of
from ganime.training.engine import dtype_policy
from ganime.training.optimizer import variables_of

WIDTH, WIDEST, COARSE = 32, 128, 4  # channels of a head, at most; the side to which it halves the features
SEEDS = 1 << 42  # added to the seed for what the heads draw


def build_heads(discriminator: keras.Model, group: int) -> tuple[keras.Model, keras.Model]:
    """EfficientNet-Lite0 without its last layers, frozen, and heads on its features at four depths.

    The heads' last kernels start from 0, so that they have nothing to say before they have learned something.

    Args:
        discriminator: What they join: of its images, and in its precision.
        group: Size of the groups whose deviation the coarsest head sees (see `batch_multiple`); 1 for none.

    Returns:
        A model from images, float32 [batch, height, width, 3] in [-1, 1], to a list of features, and one from these to logits,
        float32 [batch, 4].

    Raises:
        InputError: If the images are not of three channels and known sides of 32 pixels or more.
        GanimeError: If the weights are missing.
    """
    _, *shape = inputs_of(discriminator)[0]
    if None in shape or shape[-1] != 3 or min(shape[:2]) < 32:
        raise InputError(f"feature_weight: the pretrained network takes pictures [32 or more, 32 or more, 3], not {shape}")
    policy = next((layer.dtype_policy for layer in discriminator.layers if layer.trainable_variables), keras.DTypePolicy())
    with dtype_policy(policy.compute_dtype):  # its weights are so, too: they are frozen, and a step need not cast them
        network = lite0.build_stages(read_weights(lite0.find_weights()), tuple(shape))
    inputs = [keras.Input(features.shape[1:], dtype=features.dtype) for features in network.outputs]
    groups = [1] * (len(inputs) - 1) + [group]
    with dtype_policy(policy.name):
        logits = [_build_head(features, size) for features, size in zip(inputs, groups, strict=True)]
    return network, keras.Model(inputs, layers.Concatenate(dtype="float32")(logits), name="feature_heads")


def _build_head(x, group):
    x, width = _convolve(x, WIDTH, 1, 1), WIDTH
    while x.shape[1] > COARSE:
        width = min(2 * width, WIDEST)
        x = _convolve(x, width, 4, 2)
    x = layers.Flatten()(append_deviation(x, group) if group > 1 else x)
    return layers.Dense(1, dtype="float32", kernel_initializer="zeros")(x)


def _convolve(x, width, side, stride):
    options = initialized("torch", True, fan_in=side**2 * x.shape[-1])
    return layers.LeakyReLU(0.2)(layers.Conv2D(width, side, stride, "same", **options)(x))


def train_heads(gan, real: tf.Tensor, fakes: tf.Tensor) -> tf.Tensor:
    """Update the heads on a batch, once they have joined.

    Args:
        gan: The `GAN` that they are part of.
        real, fakes: float32 [batch, height, width, 3], real pictures and generated ones.

    Returns:
        The gradient at `fakes` of the generator's loss, as its optimizer scales it, by the heads as they were before; 0 before
        they join.
    """
    s, variables = gan.settings, variables_of(gan.feature_heads)
    seeds = draws.split(tf.stack([SEEDS + tf.constant(gan.seed, tf.int64), gan.step.value]), 3)
    noise = draws.uniform((3, tf.shape(real)[0], 1), seeds[0], axis=1)
    truths = {
        "real": losses.real_labels(noise[0], s["label_noise"], s["label_smoothing"]),
        "fake": losses.fake_labels(noise[1], s["label_noise"]),
    }

    def look():
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fakes)
            images = {"real": augment(real, s["augmentations"], seeds[1]), "fake": augment(fakes, s["augmentations"], seeds[2])}
            logits = {kind: gan.judge_features(images[kind]) for kind in images}
            judged = losses.compare(logits) if s["relativistic"] else logits
            d_loss = tf.add_n([s[kind + "_weight"] * _mean_loss(truths[kind], judged[kind]) for kind in judged])
            g_loss = s["generator_weight"] * _mean_loss(losses.real_labels(noise[2], s["label_noise"]), judged["fake"])
            optimizers = gan.f_optimizer, gan.g_optimizer
            objectives = [o.scale_loss(x / replicas.count()) for o, x in zip(optimizers, (d_loss, g_loss), strict=True)]
        return tape.gradient(objectives[0], variables), tape.gradient(objectives[1], fakes)

    if s["feature_after"]:
        joined = gan.step * replicas.batch_size(real) >= s["feature_after"]
        gradients, direction = tf.cond(joined, look, lambda: ([tf.zeros_like(v) for v in variables], tf.zeros_like(fakes)))
        replicas.run_if(joined, lambda: gan.f_optimizer.apply(gradients))
    else:
        gradients, direction = look()
        gan.f_optimizer.apply(gradients)
    return s["feature_weight"] * direction


def _mean_loss(truths, logits):
    """Over all heads."""
    return losses.binary_cross_entropy(tf.broadcast_to(truths, tf.shape(logits)), logits)
