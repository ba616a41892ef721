"""The optimizer of both networks."""

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ganime")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980), its arithmetic in one operation for each
    variable instead of a dozen: the same state and, but for rounding, steps.

    Args:
        *args, **kwargs: As of Keras' Adam, learning_rate, beta_1, beta_2 and epsilon first.
        equalized_rms: The root mean square of first weights at which a kernel (a variable of two or more axes) learns at the
            learning rate, others in proportion, so that all kernels change by the same share in a step; 0: all learn at the
            learning rate. It is the equalized learning rate of progressive GANs (Karras et al. 2018,
            https://arxiv.org/abs/1710.10196) without its scaled weights. The first weights are those at `build`.

    Example:
        >>> weight = keras.Variable([1.0])
        >>> FusedAdam(learning_rate=0.1).apply([tf.constant([3.0])], [weight])
        >>> weight.numpy().round(3)
        array([0.9], dtype=float32)
    """

    def __init__(self, *args, equalized_rms=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.equalized_rms = equalized_rms

    def build(self, variables):
        """Make the state: besides Keras', if equalized, each variable's factor of the learning rate."""
        if self.built:
            return
        super().build(variables)
        if self.equalized_rms:
            self._factors = self.add_variable((len(variables),), "ones", name="factors")
            self._factors.assign([self._factor(variable) for variable in variables])

    def _factor(self, variable):
        kernel = len(variable.shape) > 1
        return float(np.sqrt(np.mean(np.square(variable.numpy())))) / self.equalized_rms if kernel else 1.0

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable, in place."""
        index, dtype = self._get_variable_index(variable), variable.dtype
        if self.equalized_rms:
            learning_rate *= self._factors.value[index]
        if self.amsgrad:
            return super().update_step(gradient, variable, learning_rate)
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

    def get_config(self):
        return {**super().get_config(), "equalized_rms": self.equalized_rms}
