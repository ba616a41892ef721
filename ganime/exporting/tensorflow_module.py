"""A chain as a `tf.Module`: what SavedModel and LiteRT files are made of."""

import tensorflow as tf

from ganime.generation.chain import Chain


class ChainModule(tf.Module):
    """Images [batch, height, width, 3] of latents [batch, latent_size], float32.

    Transposed convolutions are plain ones here; of those that double the side, the four pixels around each corner are then laid
    side by side (sub-pixel convolution, Shi et al. 2016, https://arxiv.org/abs/1609.05158). The numbers are the same, and no
    shape depends on the batch, for which LiteRT leaves its quick kernels.

    Args:
        chain: The generator.
    """

    def __init__(self, chain: Chain):
        super().__init__()
        self._slopes = [layer.slope for layer in chain.layers]
        self._shape = chain.layers[0].kernel.shape[:3]
        self._strides = [layer.stride for layer in chain.layers]
        self._kernels = [tf.Variable(_arrange(layer, i == 0), trainable=False) for i, layer in enumerate(chain.layers)]
        self._biases = [tf.Variable(layer.bias, trainable=False) for layer in chain.layers]
        latents = tf.TensorSpec([None, chain.latent_size], tf.float32, name="latents")
        self.serve = tf.function(lambda latents: {"images": self._draw(latents)}, input_signature=[latents])

    def _draw(self, latents):
        x = tf.reshape(tf.matmul(latents, self._kernels[0]), [-1, *self._shape])
        x = _activate(x + self._biases[0], self._slopes[0])
        layers = zip(self._kernels, self._biases, self._slopes, self._strides, strict=True)
        for kernel, bias, slope, stride in list(layers)[1:]:
            x = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), kernel, 1, "VALID")
            x = _activate(x + tf.tile(bias, [stride**2]), slope)
            if stride == 2:
                x = tf.nn.depth_to_space(x, 2)[:, 1:-1, 1:-1]
        return x


def _arrange(layer, first):
    """The kernel as that of a product, of a plain convolution or, [2, 2, inputs, 4 outputs], of the one around corners."""
    kernel = layer.weights
    outputs, inputs = kernel.shape[2:]
    if first:
        return kernel.transpose(3, 0, 1, 2).reshape(inputs, -1)
    if layer.stride == 1:
        return kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    corners = kernel.reshape(2, 2, 2, 2, outputs, inputs)[::-1, :, ::-1]
    return corners.transpose(0, 2, 5, 1, 3, 4).reshape(2, 2, inputs, 4 * outputs)


def _activate(x, slope):
    if slope is None:
        return tf.tanh(x)
    return tf.nn.leaky_relu(x, slope) if slope else tf.nn.relu(x)
