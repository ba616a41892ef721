"""What a GAN refuses before it trains on nonsense."""

import re

import keras
import tensorflow as tf

from ganime.bounds import OUT_OF_RANGE, explain_range, judge_range, suggest, within_bounds
from ganime.errors import InputError
from ganime.networks.dcgan import check_keras_settings
from ganime.training.conditioning import beside, inputs_of

REFUSED_CALLBACKS = {
    keras.callbacks.OrbaxCheckpoint: "OrbaxCheckpoint saves no GAN, whose variables are not all named differently; "
    "keras.callbacks.ModelCheckpoint does",
    keras.callbacks.SwapEMAWeights: "SwapEMAWeights swaps what an optimizer averages, and here none does: "
    "GAN(ema_half_life=...) sets how gan.averaged_generator is averaged",
    keras.callbacks.TerminateOnNaN: "TerminateOnNaN watches 'loss' alone, which a GAN does not log; "
    "ganime.callbacks.StopOnNonFinite() watches all that it does",
}
SHAPING = tuple(getattr(keras.layers, name) for name in ("Reshape", "Permute", "Flatten", "Cropping2D", "UpSampling2D"))
UNWEIGHTED = "has no meaning for a GAN, in which all pictures weigh the same; leave it out"
KERAS_ARGUMENTS = ("loss", "loss_weights", "weighted_metrics")  # of `compile`, which are refused
SETTINGS_OF_LOSS = (
    "relativistic, label_noise, label_smoothing, real_weight, fake_weight, generator_weight, r1_weight and feature_weight"
)


def check_networks(generator: keras.Model, discriminator: keras.Model) -> None:
    """See that the discriminator takes what the generator makes, and that both end as a GAN's networks do.

    Raises:
        InputError: If it does not, or Keras is set to something else than they are built with.
    """
    check_keras_settings()
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not hasattr(network, "input_shape"):
            raise InputError(f"the {name} has unknown shapes; put keras.Sequential([keras.Input(...), {name}]) in its place")
    latents, images = generator.input_shape, generator.output_shape
    if len(latents) != 2 or len(images) != 4:
        raise InputError(
            f"a generator maps latents [batch, size] to images [batch, height, width, channels], not {latents} to {images}"
        )
    taken = inputs_of(discriminator)[0]
    if len(taken) != 4 or any(None not in sides and len({*sides}) > 1 for sides in zip(images[1:], taken[1:], strict=True)):
        raise InputError(f"the generator makes images of {images[1:]}, but the discriminator takes {taken[1:]}")
    if discriminator.output_shape[1:] != (1,):
        raise InputError(f"a discriminator gives one logit for each image, [batch, 1], not {discriminator.output_shape}")
    if _ends_in_sigmoid(generator):
        raise InputError("the generator ends in a sigmoid, but images are in [-1, 1]: end it in tanh, or add Rescaling(2, -1)")
    if _ends_in_sigmoid(discriminator):
        raise InputError("the discriminator ends in a sigmoid, but a GAN takes its logits: leave that activation out")
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if network.losses or any(getattr(layer, "activity_regularizer", None) for layer in network.layers):
            raise InputError(f"the {name} has regularizers, which are not in a GAN's losses; optimizers have weight_decay")


def _ends_in_sigmoid(network):
    for operation in reversed(getattr(network, "operations", network.layers)):
        if isinstance(operation, keras.Function | keras.Sequential):
            return _ends_in_sigmoid(operation)
        if not isinstance(operation, SHAPING):
            named = type(operation).__name__ == "Sigmoid"  # as keras.ops.sigmoid calls it
            return named or getattr(operation, "activation", None) is keras.activations.sigmoid
    return False


def check_optimizers(g_optimizer, d_optimizer) -> None:
    """See that each network has an optimizer of its own, and that neither averages weights, which nothing would use.

    Raises:
        InputError: If not.
    """
    if g_optimizer is d_optimizer:
        raise InputError("g_optimizer and d_optimizer are one object; each network needs an optimizer of its own")
    for name, optimizer in (("g_optimizer", g_optimizer), ("d_optimizer", d_optimizer)):
        if getattr(optimizer, "inner_optimizer", optimizer).use_ema:
            raise InputError(f"{name} has use_ema, which changes nothing here: GAN(ema_half_life=...) averages the generator")


def check_fit_arguments(arguments: dict) -> None:
    """See that nothing that Keras' `fit` and `evaluate` take would be ignored.

    Raises:
        InputError: If something would.
    """
    if arguments.get("x") is None:
        raise InputError("x is missing: an array, a tf.data.Dataset or a keras.utils.PyDataset of pictures")
    for name in ("class_weight", "sample_weight"):
        if arguments.get(name) is not None:
            raise InputError(f"{name} {UNWEIGHTED}")
    callbacks = arguments.get("callbacks") or []
    for callback in getattr(callbacks, "callbacks", callbacks if isinstance(callbacks, list | tuple) else [callbacks]):
        if sentence := REFUSED_CALLBACKS.get(type(callback)):
            raise InputError(sentence)
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_best_only and callback.save_freq != "epoch":
            raise InputError('ModelCheckpoint: save_best_only needs save_freq="epoch"; with another Keras fails')


def keeps_order(data) -> bool:
    """Whether Keras' `fit` takes pictures as they come, as those of a `tf.data.Dataset`: it shuffles arrays, and a `PyDataset`
    that ends."""
    arrays = isinstance(data, list | tuple | dict) or hasattr(data, "shape")
    return not arrays and getattr(data, "num_batches", None) is None


def check_keras_arguments(optimizer, metrics, others: dict, names) -> None:
    """See that what Keras' `compile` takes besides is something that a GAN can honor.

    Args:
        optimizer: The one of both networks.
        metrics: Keras metrics.
        others: What else was given.
        names: The arguments that there are.

    Raises:
        InputError: If not.
    """
    if optimizer is not None and not isinstance(optimizer, str | dict):
        raise InputError(f"optimizer={optimizer!r}: one object cannot serve two networks; pass g_optimizer and d_optimizer")
    for metric in metrics:
        if not isinstance(metric, keras.metrics.Metric):
            raise InputError(
                f"metrics: {metric!r} is not a keras.metrics.Metric of real and generated images, as ganime.KernelDistance() is"
            )
    for name, value in others.items():
        if name in ("learning_rate", "lr"):
            raise InputError(f"compile: {name} is the optimizers', as in g_optimizer=keras.optimizers.Adam({value!r})")
        if name not in KERAS_ARGUMENTS:
            raise InputError(f"compile: there is no {name}{suggest(name, names)}")
        if value is not None and name == "weighted_metrics":
            raise InputError(f"{name} {UNWEIGHTED}")
        if value is not None:
            raise InputError(f"a GAN's losses are set by {SETTINGS_OF_LOSS}, not by loss or loss_weights")


def check_settings(settings: dict) -> dict:
    """What `compile` was given, as it is kept.

    Raises:
        InputError: If a value is not one that a recipe may have, real labels could fall below 0, or pairs would be parted.
    """
    settings = within_bounds(**settings)
    if settings["label_noise"] + settings["label_smoothing"] > 1:
        raise InputError("label_noise and label_smoothing are more than 1 together: real labels would fall below 0")
    if settings["relativistic"] and settings["separate_updates"]:
        raise InputError(
            "relativistic and separate_updates exclude each other: pairs need real and generated pictures in one update"
        )
    return settings


def check_latents(latents, size: int) -> None:
    """See that arrays or tensors that are to become faces are latents.

    Raises:
        InputError: If they are not.
    """
    shape = getattr(latents, "shape", None)
    if shape is not None and (len(shape) != 2 or shape[1] != size):
        raise InputError(f"faces are made of latents [batch, {size}], not of an array {list(shape)}; pictures go to evaluate")


def scale_pictures(pictures: tf.Tensor, shape: tuple, first: tf.Tensor | bool) -> tf.Tensor:
    """A batch as float32 in [-1, 1].

    Args:
        pictures: uint8, which is scaled, or float, whose range is checked when the step runs (not where XLA compiles it).
        shape: Height, width and channels that the discriminator takes; None for any.
        first: Whether this is the first batch of several, in which pictures in [0, 1] are noticed too.

    Raises:
        InputError: If the pictures are of another shape or type, or a number is out of range. In a graph the latter is a
            `tf.errors.InvalidArgumentError` that `explain_range_error` knows.
    """
    found = tuple(pictures.shape[1:])
    if len(found) != 3 or any(None not in sides and len({*sides}) > 1 for sides in zip(found, shape, strict=True)):
        wanted, found = (", ".join(str(side or "any") for side in sides) for sides in (shape, found))
        raise InputError(f"pictures are [batch, {wanted}] for this discriminator, not [batch, {found}]")
    if pictures.dtype == tf.uint8:
        return tf.cast(pictures, tf.float32) / 127.5 - 1.0
    if not pictures.dtype.is_floating:
        raise InputError(f"pictures are uint8 or float, not {pictures.dtype.name}")
    pictures = tf.cast(pictures, tf.float32)
    least, most = tf.reduce_min(pictures), tf.reduce_max(pictures)
    inside, halved = judge_range(least, most, tf.shape(pictures)[0])
    sound = inside & ~(halved & first)
    if tf.executing_eagerly():
        if not sound:
            raise InputError(explain_range(float(least), float(most)))
        return pictures
    with tf.control_dependencies([tf.debugging.Assert(sound, [OUT_OF_RANGE, least, most])]):
        return tf.identity(pictures)


def explain_range_error(error: tf.errors.InvalidArgumentError) -> str | None:
    """What an error out of a graph says of the range of pictures; None if it is another error."""
    found = re.search(re.escape(OUT_OF_RANGE) + r"\] \[(\S+)\] \[(\S+)\]", error.message)
    return found and explain_range(float(found[1]), float(found[2]))


def check_twice_differentiable(discriminator, images: tf.Tensor, labels: int = 0) -> None:
    """See that the penalty on a discriminator's gradient has a gradient itself: TensorFlow's operations to resize pictures have
    none, and some of them say nothing.

    Args:
        discriminator: A model.
        images: Such as it takes.
        labels: How many labels it takes besides.

    Raises:
        InputError: If the discriminator has such an operation.
    """
    from tensorflow.python.framework.ops import gradient_registry

    @tf.function(autograph=False)
    def differentiate(x):
        weights = tf.zeros((tf.shape(x)[0], labels)) if labels else None
        return tf.gradients(discriminator(beside(x, weights), training=True), x)

    graph = differentiate.get_concrete_function(tf.TensorSpec(images.shape, tf.float32)).graph
    for operation in graph.get_operations():
        if not operation.type.endswith("Grad"):
            continue
        try:
            known = gradient_registry.lookup(operation.type) is not None
        except LookupError:
            known = False
        if not known:
            raise InputError(
                f"r1_weight: the discriminator has {operation.type.removesuffix('Grad')}, which TensorFlow cannot "
                "differentiate twice: the penalty would miss what goes through it. Strided convolutions, pooling and nearest "
                "upsampling (UpSampling2D) are fine"
            )


def batch_multiple(discriminator: keras.Model) -> int:
    """The size of the groups in which a discriminator looks at a batch (see `minibatch_deviation` of `build_discriminator`); 1
    if it looks at each image for itself."""
    (_, *sides), labels = inputs_of(discriminator)
    if None in sides:
        return 1
    for size in range(1, 65):
        weights = keras.KerasTensor((size, labels)) if labels else None
        try:
            discriminator.compute_output_spec(beside(keras.KerasTensor((size, *sides)), weights))
        except ValueError:
            continue
        return size
    return 1
