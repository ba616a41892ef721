"""The transposed convolutions of DCGANs, quicker on a CPU than what oneDNN 3.7 makes of some of them (measured on AVX-512).

A transposed convolution is also what takes a convolution's gradient back to its input.
"""

import keras
import tensorflow as tf


class _QuickForm(keras.layers.Layer):
    """A convolution layer in another form: it has the variables, this the arithmetic."""

    def __init__(self, layer):
        super().__init__(dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, inputs, mask=None):
        layer = self.layer
        images = self.convolve(inputs, layer.kernel.value)
        if images is None:
            return layer(inputs)
        return layer.activation(tf.nn.bias_add(images, layer.bias.value) if layer.use_bias else images)

    def convolve(self, inputs, kernel):
        """The images before bias and activation; None where there is no quicker way."""
        raise NotImplementedError


class QuickTranspose(_QuickForm):
    """A `Conv2DTranspose` layer."""

    def convolve(self, inputs, kernel):
        layer = self.layer
        if (layer.kernel_size, layer.strides, layer.padding) == ((4, 4), (2, 2), "same"):
            return double(inputs, kernel)
        if (*inputs.shape[1:3], *layer.strides, layer.padding) == (1, 1, 1, 1, "valid"):
            return tf.reshape(_products(inputs, kernel), [-1, *kernel.shape[:3]])
        return None


class QuickConvolution(_QuickForm):
    """A `Conv2D` layer in training."""

    def convolve(self, inputs, kernel):
        layer = self.layer
        usual = (layer.kernel_size, layer.strides, layer.padding, layer.groups) == ((4, 4), (2, 2), "same", 1)
        if usual and all(side and side % 2 == 0 for side in inputs.shape[1:3]):
            return halve(inputs, kernel)
        return None


def quick_form(layer: keras.layers.Layer, training: bool = False) -> keras.layers.Layer:
    """The layer in its quicker form, with the same variables, if it has one and there is no GPU; else the layer itself.

    Args:
        layer: Any layer.
        training: Whether gradients are to be taken (once); convolutions have a quicker form for these only.
    """
    kinds = {keras.layers.Conv2DTranspose: QuickTranspose} | ({keras.layers.Conv2D: QuickConvolution} if training else {})
    kind = kinds.get(type(layer))
    if kind is None or layer.data_format != "channels_last" or layer.dilation_rate != (1, 1):
        return layer
    if getattr(layer, "output_padding", None) is not None or tf.config.list_physical_devices("GPU"):
        return layer
    return kind(layer)


def quick_network(network: keras.Model) -> keras.Model:
    """The network with its layers in their quicker forms, to sample with; itself if it is not built of layers in Keras'
    functional way."""
    if isinstance(network, keras.Function | keras.Sequential):
        return keras.models.clone_model(network, clone_function=quick_form)
    return network


@tf.custom_gradient
def double(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transposed convolution of 4x4 kernels and stride 2 that doubles the side ("same"); differentiable once.

    Args:
        images: [batch, height, width, inputs].
        kernel: [4, 4, outputs, inputs].

    Returns:
        [batch, 2 height, 2 width, outputs].
    """

    def gradient(upstream):
        return tf.nn.conv2d(upstream, kernel, 2, "SAME"), _kernel_gradient(upstream, images, kernel.shape)

    return _double(images, kernel), gradient


@tf.custom_gradient
def halve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The convolution of 4x4 kernels and stride 2 that halves an even side ("same"); differentiable once.

    Args:
        images: [batch, height, width, inputs].
        kernel: [4, 4, inputs, outputs].

    Returns:
        [batch, height / 2, width / 2, outputs].
    """

    def gradient(upstream):
        return _double(upstream, kernel), _kernel_gradient(images, upstream, kernel.shape)

    return tf.nn.conv2d(images, kernel, 2, "SAME"), gradient


def _kernel_gradient(large, small, shape):
    """Of a kernel of that shape, between images and those of half their side, by the quicker of two ways."""
    (height, width), outputs = small.shape[1:3], shape[3]
    if max(height or 16, width or 16) > (8 if large.dtype == tf.bfloat16 else 4):
        strides = [1, 2, 2, 1]
        return tf.raw_ops.Conv2DBackpropFilter(
            input=large, filter_sizes=shape, out_backprop=small, strides=strides, padding="SAME"
        )
    # Quarters of the kernel, each a product over all pixels.
    blocks = tf.nn.space_to_depth(tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)
    small = tf.reshape(small, [-1, outputs])
    corners = [blocks[:, i : i + height, j : j + width] for i in (0, 1) for j in (0, 1)]
    quarters = [tf.matmul(tf.reshape(x, [-1, x.shape[3]]), small, transpose_a=True) for x in corners]
    kernel = tf.reshape(tf.stack(quarters), [2, 2, 2, 2, *shape[2:]])
    return tf.reshape(tf.transpose(kernel, [0, 2, 1, 3, 4, 5]), shape)


def _double(images, kernel):
    """By the quickest of three ways."""
    (height, width), outputs = images.shape[1:3], kernel.shape[2]
    if max(height or 8, width or 8) < 8:
        return _double_by_product(images, kernel)
    if outputs < 8:
        return _double_by_convolution(images, kernel)
    shape = tf.shape(images)
    size = tf.stack([shape[0], 2 * shape[1], 2 * shape[2], outputs])
    return tf.nn.conv2d_transpose(images, kernel, size, 2, "SAME")


def _products(images, kernel):
    """Each pixel's part of a transposed convolution: [batch, height, width, *kernel's size, channels]."""
    return tf.einsum("nhwi,abci->nhwabc", images, kernel)


def _double_by_product(images, kernel):
    """The parts of all pixels, 4x4 and two apart, are added where they overlap."""
    (_, height, width, _), channels = images.shape, kernel.shape[2]
    parts = tf.reshape(_products(images, kernel), [-1, height, width, 2, 2, 2, 2, channels])
    quarters = []
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        quarter = tf.reshape(parts[:, :, :, i, :, j], [-1, height, width, 4 * channels])
        quarters.append(tf.pad(quarter, [[0, 0], [i, 1 - i], [j, 1 - j], [0, 0]]))
    return tf.nn.depth_to_space(tf.add_n(quarters), 2)[:, 1:-1, 1:-1]


def _double_by_convolution(images, kernel):
    """A 2x2 convolution gives the four pixels that lie around each corner where four pixels meet."""
    channels, inputs = kernel.shape[2:]
    kernel = tf.reshape(kernel, [2, 2, 2, 2, channels, inputs])[::-1, :, ::-1]
    kernel = tf.reshape(tf.transpose(kernel, [0, 2, 5, 1, 3, 4]), [2, 2, inputs, 4 * channels])
    corners = tf.nn.conv2d(images, kernel, 1, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.depth_to_space(corners, 2)[:, 1:-1, 1:-1]
