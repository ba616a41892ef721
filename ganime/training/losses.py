"""Adversarial losses and gradient penalties: functions of logits, labels and images, without state."""

import tensorflow as tf


def binary_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean binary cross-entropy of soft labels in [0, 1] and logits of the same shape, as a float32 scalar.

    With the labels of real pictures for generated ones it is the non-saturating generator loss (Goodfellow et al. 2014,
    https://arxiv.org/abs/1406.2661).
    """
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def compare(logits: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Relativistic logits: how much more real each real picture seems than a generated one, and the reverse.

    With them the losses are those of Jolicoeur-Martineau 2018 (RSGAN, https://arxiv.org/abs/1807.00734; RpGAN in Huang et
    al. 2024, R3GAN, https://arxiv.org/abs/2501.05441), the discriminator's counted twice: without label noise its real and its
    fake term are equal.

    Args:
        logits: "real" and "fake", float32 [batch, 1] each; pairs have the same place.

    Returns:
        The same, to be judged by the same labels.
    """
    return {"real": logits["real"] - logits["fake"], "fake": logits["fake"] - logits["real"]}


def real_labels(uniform: tf.Tensor, noise: float, smoothing: float = 0.0) -> tf.Tensor:
    """Labels of real pictures: 1 - smoothing - U(0, noise), for `uniform` draws in [0, 1).

    The noise is bharatdhyani13/Anime_Face_Generation_GAN's; one-sided smoothing is Salimans et al. 2016
    (https://arxiv.org/abs/1606.03498).
    """
    return 1.0 - smoothing - noise * uniform


def fake_labels(uniform: tf.Tensor, noise: float) -> tf.Tensor:
    """Labels of generated pictures: U(0, noise), for `uniform` draws in [0, 1)."""
    return noise * uniform


def flip_labels(labels: tf.Tensor, uniform: tf.Tensor, share: float) -> tf.Tensor:
    """Turn a random `share` of the labels around (y to 1 - y), where the `uniform` draws in [0, 1) are below it."""
    return tf.where(uniform < share, 1.0 - labels, labels)


def scores(judged: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """How well real and generated pictures are told apart: `real_score` and `fake_score`, the mean sigmoids of the logits, and
    `d_accuracy`, the mean of the shares that are right."""
    right = [tf.cast(judged["real"] > 0, tf.float32), tf.cast(judged["fake"] < 0, tf.float32)]
    return {f"{kind}_score": tf.reduce_mean(tf.sigmoid(judged[kind])) for kind in judged} | {
        "d_accuracy": tf.reduce_mean(right)
    }


def r1_penalty(discriminator, images: tf.Tensor) -> tf.Tensor:
    """Mean squared gradient norm of the logits at the images, a float32 scalar (Mescheder et al. 2018, R1,
    https://arxiv.org/abs/1801.04406). The paper's penalty is half of it times its weight.

    Args:
        discriminator: From images to logits; called in training mode.
        images: float32 [batch, height, width, channels].
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.reduce_sum(tf.cast(discriminator(images, training=True), tf.float32))
    gradient = tf.cast(tape.gradient(logits, images), tf.float32)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))
