"""The R1 gradient penalty as part of a training step."""

import tensorflow as tf

from ganime.training import checks, losses, replicas
from ganime.training.conditioning import beside


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
    variables = [variable.value for variable in gan.discriminator.trainable_variables]
    interval = gan.settings["r1_interval"]

    def penalize():
        with tf.GradientTape() as tape:
            norm = losses.r1_penalty(lambda x, training: gan.discriminator(beside(x, labels), training=training), real)
            penalty = gan.d_optimizer.scale_loss(norm * (gan.settings["r1_weight"] / 2 * interval / replicas.count()))
        return norm, tape.gradient(penalty, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    if interval == 1:
        return penalize()
    return tf.cond(gan.step % interval == 0, penalize, lambda: (0.0, [tf.zeros_like(v) for v in variables]))
