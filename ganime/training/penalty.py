"""The R1 gradient penalty as part of a training step."""

import math

import tensorflow as tf

from ganime.training import checks, losses, replicas
from ganime.training.conditioning import beside
from ganime.training.optimizer import variables_of


def find_gamma(gan, real: tf.Tensor) -> tf.Tensor | float:
    """The weight of the penalty in this step: along half a cosine from `r1_first_weight` to `r1_weight` while the GAN learns
    from its first `r1_fall` pictures, then `r1_weight`. R3GAN's gamma falls so (Huang et al. 2024,
    https://arxiv.org/abs/2501.05441).

    Args:
        gan: The `GAN`.
        real: This replica's real images, [batch, …].
    """
    first, last, pictures = (gan.settings[name] for name in ("r1_first_weight", "r1_weight", "r1_fall"))
    if not pictures:
        return last
    seen = tf.cast(gan.step * replicas.batch_size(real), tf.float32)
    return last + (first - last) * (1 + tf.cos(math.pi * tf.minimum(seen / pictures, 1.0))) / 2


def r1_gradients(gan, real: tf.Tensor, labels: tf.Tensor | None = None) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The squared gradient norm and the penalty's gradients; zeros in the steps that lazy regularization leaves out.

    Args:
        gan: The `GAN` whose discriminator it is about.
        real: Real images as the discriminator sees them, float32 [batch, height, width, 3].
        labels: Weights of their labels, if it has any.

    Raises:
        InputError: If the discriminator has operations that cannot be differentiated twice.
    """
    if not gan.differentiable:
        checks.check_twice_differentiable(gan.discriminator, real, len(gan.labels))
        gan.differentiable = True
    variables, interval = variables_of(gan.discriminator), gan.settings["r1_interval"]

    def penalize():
        with tf.GradientTape() as tape:
            norm = losses.r1_penalty(lambda x, training: gan.discriminator(beside(x, labels), training=training), real)
            penalty = gan.d_optimizer.scale_loss(norm * (find_gamma(gan, real) / 2 * interval / replicas.count()))
        return norm, tape.gradient(penalty, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    if interval == 1:
        return penalize()
    return tf.cond(gan.step % interval == 0, penalize, lambda: (0.0, [tf.zeros_like(v) for v in variables]))
