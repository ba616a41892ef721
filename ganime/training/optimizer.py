"""The optimizer of both networks, and what it moves."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ganime")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980), its arithmetic in one operation for each
    variable instead of a dozen: the same arguments, state and, but for rounding, steps.

    Example:
        >>> weight = keras.Variable([1.0])
        >>> FusedAdam(learning_rate=0.1).apply([tf.constant([3.0])], [weight])
        >>> weight.numpy().round(3)
        array([0.9], dtype=float32)
    """

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable, in place."""
        if self.amsgrad:
            return super().update_step(gradient, variable, learning_rate)
        index, dtype = self._get_variable_index(variable), variable.dtype
        beta_1, beta_2, count = (tf.cast(value, dtype) for value in (self.beta_1, self.beta_2, self.iterations + 1))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**count,
            beta2_power=beta_2**count,
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def variables_of(network: keras.Model) -> list[tf.Variable]:
    """TensorFlow's variables, which a tape knows, behind those of Keras that a network trains."""
    return [variable.value for variable in network.trainable_variables]


def make_optimizer(value, network: keras.Model, scaled: bool = True) -> keras.optimizers.Optimizer:
    """An optimizer for a network.

    Args:
        value: An optimizer, its name or configuration, or "default": Adam, 2e-4, beta_1 0.5.
        network: If some of its layers compute in float16, the loss is scaled, as Keras does it (small gradients would be 0).
        scaled: Whether to do that.
    """
    optimizer = FusedAdam(2e-4, beta_1=0.5) if value == "default" else keras.optimizers.get(value)
    half = any(layer.compute_dtype == "float16" for layer in network.layers)
    if scaled and half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
