"""DCGAN: stride-2 4x4 convolutions (Radford et al. 2016, https://arxiv.org/abs/1511.06434).

Both builders return functional models of stock Keras layers, so `keras.models.load_model` opens a saved one without ganime.
Layers follow Keras' global dtype policy, but for the last ones, which compute in float32 always.
"""

import keras
from keras import layers

from ganime.bounds import check_whole, within_bounds
from ganime.errors import InputError
from ganime.labels import write_layer_name


def build_generator(
    image_size: int = 64,
    latent_size: int = 128,
    widths: tuple[int, ...] = (512, 256, 128, 64),
    slope: float = 0.0,
    bias: bool = False,
    norm_momentum: float = 0.9,
    norm_epsilon: float = 1e-5,
    initializer: str = "torch",
    labels: tuple[str, ...] = (),
    depth: int = 1,
) -> keras.Model:
    """Build a generator: latents to pictures by transposed convolutions, each but the last with batch normalization.

    Args:
        image_size: Side of the square pictures in pixels, 32 to 256: 4, 5, 6 or 7 times a power of two.
        latent_size: Length of the latent vectors.
        widths: Channels of the hidden layers, coarsest first; one for each doubling of the side. Where the size needs more,
            the coarsest repeats; where it needs fewer, the coarsest are left out.
        slope: Negative slope of the (leaky) ReLU; 0 is ReLU.
        bias: Whether the convolutions have a bias.
        norm_momentum: Momentum of the batch normalization, as Keras counts it (0.9 is PyTorch's 0.1).
        norm_epsilon: Epsilon of the batch normalization.
        initializer: `"torch"` (uniform in ±1/sqrt(fan-in), PyTorch's default), `"glorot"` (uniform, Keras' default) or
            `"normal"` (deviation 0.02, the DCGAN paper's).
        labels: Names of the labels, if it is to draw faces of one or the other. Each latent then ends in a weight for each, 1
            for the face's own and 0 for all others; what the first layer makes of a weight is the label's embedding.
        depth: Number of layers at each side but the last. Those besides the one that leads there have 3x3 kernels and no
            normalization, and start as the identity: where the slope is 0 they change no picture at first (Net2DeeperNet,
            Chen et al. 2016, https://arxiv.org/abs/1511.05641).

    Returns:
        A model from latents, float32 [batch, latent_size + number of labels], to images, float32
        [batch, image_size, image_size, 3] in [-1, 1].

    Raises:
        InputError: If the size or the initializer is not one of the above, or another value is beyond a recipe's bounds.

    Example:
        >>> generator = build_generator(image_size=32, widths=(128, 64, 32))
        >>> generator(keras.random.normal((2, 128))).shape
        TensorShape([2, 32, 32, 3])
    """
    shared = {"bias": bias, "norm_momentum": norm_momentum, "norm_epsilon": norm_epsilon, "initializer": initializer}
    own = {"latent_size": latent_size, "generator_widths": widths, "generator_depth": depth, "generator_slope": slope}
    check_keras_settings()
    within_bounds(image_size=image_size, **own, **shared)
    labels = within_bounds(labels=labels)["labels"]
    base, doublings = _pyramid(image_size)
    size = latent_size + len(labels)
    latents = keras.Input((size,), name="latents")
    x = layers.Reshape((1, 1, size), name=write_layer_name(labels))(latents)
    for i, width in enumerate(_fit(widths, doublings)):
        kernel, stride, padding = (4, 2, "same") if i else (base, 1, "valid")
        # In a transposed convolution PyTorch and Keras both count the output channels as the fan-in.
        options = initialized(initializer, bias, fan_in=kernel**2 * width)
        x = layers.Conv2DTranspose(width, kernel, stride, padding, **options)(x)
        x = layers.BatchNormalization(momentum=norm_momentum, epsilon=norm_epsilon)(x)
        x = _activation(slope)(x)
        for _ in range(depth - 1):
            x = layers.Conv2DTranspose(width, 3, 1, "same", kernel_initializer="zeros")(x)
            x = _activation(slope)(x)
    x = layers.Conv2DTranspose(3, 4, 2, "same", dtype="float32", **initialized(initializer, bias, fan_in=4**2 * 3))(x)
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    generator = keras.Model(latents, images, name="generator")
    for layer in generator.layers:
        if keeps_side(layer):
            layer.kernel.assign(keras.ops.pad(keras.ops.eye(layer.filters)[None, None], [(1, 1), (1, 1), (0, 0), (0, 0)]))
    if labels:
        _strengthen_labels(generator, latent_size)
    return generator


def keeps_side(layer: keras.layers.Layer) -> bool:
    """Whether a layer of `build_generator` is one of those that `depth` adds."""
    return isinstance(layer, layers.Conv2DTranspose) and layer.kernel_size == (3, 3)


def _strengthen_labels(generator, latent_size):
    """Let a label change as much of a new generator's first layer as the whole latent does: else it is learned late."""
    (kernel, *_) = generator.layers[2].weights
    kernel.assign(kernel * keras.ops.where(keras.ops.arange(kernel.shape[3]) < latent_size, 1.0, latent_size**0.5))


def build_discriminator(
    image_size: int = 64,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    slopes: tuple[float, ...] = (0.2,),
    bias: bool = False,
    norm: str = "batch",
    norm_momentum: float = 0.9,
    norm_epsilon: float = 1e-5,
    initializer: str = "torch",
    head_channels: int = 0,
    minibatch_deviation: int = 0,
    labels: tuple[str, ...] = (),
) -> keras.Model:
    """Build a discriminator: pictures to one logit by stride-2 convolutions.

    Args:
        image_size: Side of the square pictures in pixels, 32 to 256: 4, 5, 6 or 7 times a power of two.
        widths: Channels of the convolutions, finest first, one for each halving of the side. Where the size needs more, the
            coarsest repeats; where it needs fewer, the coarsest are left out.
        slopes: Negative slopes of the leaky ReLU after each convolution; the last one repeats.
        bias: Whether the convolutions and the head have a bias.
        norm: `"batch"` (batch normalization after every convolution), `"batch-inner"` (after all but the first, as the DCGAN
            paper has it) or `"none"`.
        norm_momentum: Momentum of the batch normalization, as Keras counts it (0.9 is PyTorch's 0.1).
        norm_epsilon: Epsilon of the batch normalization.
        initializer: As in `build_generator`.
        head_channels: 0 for a dense layer from the coarsest features to the logit; else the coarsest convolution is replaced
            by a valid stride-2 one to this many channels, and another one to the logit (sizes that are powers of two).
        minibatch_deviation: If not 0, the head also sees the mean deviation of its input over groups of this many neighbours in
            the batch, whose size must be a multiple of it: a remedy for mode collapse (Karras et al. 2018,
            https://arxiv.org/abs/1710.10196, section 3; in groups of 4 in StyleGAN2).
        labels: The generator's labels. The logit then gets a second part, the product of the coarsest features with an
            embedding of the picture's label (projection: Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).

    Returns:
        A model from images, float32 [batch, image_size, image_size, 3] in [-1, 1], to logits, float32 [batch, 1]; with labels
        from [images, weights of the labels, float32 [batch, number of labels]].

    Raises:
        InputError: If the size, the normalization or the initializer is not one of the above, or another value is beyond a
            recipe's bounds.

    Example:
        >>> discriminator = build_discriminator(image_size=32, widths=(32, 64, 128))
        >>> discriminator(keras.random.uniform((2, 32, 32, 3), -1, 1)).shape
        TensorShape([2, 1])
    """
    shared = {"bias": bias, "norm_momentum": norm_momentum, "norm_epsilon": norm_epsilon, "initializer": initializer}
    own = {"discriminator_widths": widths, "discriminator_slopes": slopes, "discriminator_norm": norm}
    check_keras_settings()
    within_bounds(image_size=image_size, head_channels=head_channels, **own, **shared)
    check_whole(0, minibatch_deviation=minibatch_deviation)
    labels = within_bounds(labels=labels)["labels"]
    base, halvings = _pyramid(image_size)
    if head_channels and base != 4:
        raise InputError(f"head_channels needs a size of 32, 64, 128 or 256, not {image_size}")
    x = images = keras.Input((image_size, image_size, 3), name="images")
    for i, width in enumerate(reversed(_fit(widths[::-1], halvings - bool(head_channels)))):
        x = layers.Conv2D(width, 4, 2, "same", **initialized(initializer, bias, fan_in=4**2 * x.shape[-1]))(x)
        if norm == "batch" or (norm == "batch-inner" and i > 0):
            x = layers.BatchNormalization(momentum=norm_momentum, epsilon=norm_epsilon)(x)
        x = _activation(slopes[min(i, len(slopes) - 1)])(x)
    if minibatch_deviation:
        x = append_deviation(x, minibatch_deviation)
    features, last = x, None if labels else "logits"
    if head_channels:
        x = layers.Conv2D(head_channels, 4, 2, **initialized(initializer, bias, fan_in=4**2 * x.shape[-1]))(x)
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(1, 4, 2, dtype="float32", **initialized(initializer, bias, fan_in=4**2 * head_channels))(x)
        logits = layers.Flatten(dtype="float32", name=last)(x)
    else:
        x = layers.Flatten()(x)
        logits = layers.Dense(1, dtype="float32", name=last, **initialized(initializer, bias, fan_in=x.shape[-1]))(x)
    if not labels:
        return keras.Model(images, logits, name="discriminator")
    weights, flat = keras.Input((len(labels),), name="labels"), layers.Flatten()(features)
    # A product of the features with each label's embedding, of which the picture's own are taken.
    products = layers.Dense(len(labels), dtype="float32", **initialized(initializer, False, fan_in=flat.shape[-1]))(flat)
    own = layers.Dot(1, dtype="float32")([products, weights])
    return keras.Model([images, weights], layers.Add(dtype="float32", name="logits")([logits, own]), name="discriminator")


def check_keras_settings() -> None:
    """See that Keras is set to what all networks here are built with. Its settings may come from the user's `keras.json`.

    Raises:
        InputError: If it is not.
    """
    if keras.config.image_data_format() != "channels_last":
        raise InputError("Keras is set to channels_first; call keras.config.set_image_data_format('channels_last')")
    if keras.config.floatx() != "float32":
        raise InputError(f"Keras is set to {keras.config.floatx()}; call keras.config.set_floatx('float32')")


def _pyramid(image_size: int) -> tuple[int, int]:
    """The coarsest side (4 to 7) and how often it doubles up to `image_size`."""
    doublings = image_size.bit_length() - 3
    base, rest = divmod(image_size, 2**doublings)
    if rest or not 32 <= image_size <= 256:
        raise InputError(f"image_size {image_size} is not 4, 5, 6 or 7 times a power of two, from 32 to 256")
    return base, doublings


def _fit(widths: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Exactly `count` widths, coarsest first: the finest are kept, the coarsest repeats or is left out."""
    return (widths[0],) * (count - len(widths)) + tuple(widths[max(0, len(widths) - count) :])


def initialized(name: str, bias: bool, fan_in: int) -> dict:
    """Arguments of a layer for its first weights (see `build_generator`) and whether it has a bias."""
    if name == "torch":
        kernel = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        offset = keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)
    elif name == "glorot":
        kernel, offset = keras.initializers.GlorotUniform(), "zeros"
    else:
        kernel, offset = keras.initializers.RandomNormal(stddev=0.02), "zeros"
    return {"use_bias": bias, "kernel_initializer": kernel, "bias_initializer": offset if bias else None}


def _activation(slope: float) -> keras.layers.Layer:
    return layers.LeakyReLU(slope) if slope else layers.ReLU()


def append_deviation(x, group: int):
    """Features with another channel, their mean deviation in groups of the batch (see `build_discriminator`)."""
    groups = keras.ops.reshape(x, (-1, group, *x.shape[1:]))
    deviation = keras.ops.sqrt(keras.ops.var(groups, axis=1) + 1e-8)
    deviation = keras.ops.mean(deviation, axis=(1, 2, 3), keepdims=True)
    # Not zeros plus the deviation: Keras 3.15 takes that for a bias where batch and side are equal.
    return layers.Concatenate()([x, keras.ops.ones_like(x[..., :1]) * keras.ops.repeat(deviation, group, axis=0)])
