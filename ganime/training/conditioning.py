"""Labels in a GAN: a generator whose latents end in their weights, and a discriminator that is given them beside the images."""

import keras
import tensorflow as tf

from ganime.data.labelled import hash_labels, renumber
from ganime.errors import InputError
from ganime.labels import labels_of, list_labels
from ganime.recipes import Recipe
from ganime.run import Run


def inputs_of(discriminator: keras.Model) -> tuple[tuple, int]:
    """The shape of the images that a discriminator takes, with the batch, and the number of labels; 0 if it takes none."""
    shape = discriminator.input_shape
    if not isinstance(shape, list):
        return shape, 0
    usual = len(shape) == 2 and len(shape[1]) == 2 and (shape[1][1] or 0) > 1
    if not usual:
        raise InputError(f"a discriminator takes images, or [images, weights of two labels or more], not inputs of {shape}")
    return shape[0], shape[1][1]


def find_labels(generator: keras.Model, discriminator: keras.Model) -> tuple[str, ...]:
    """The labels of two networks; none if they have none. A generator that does not name them has them numbered.

    Raises:
        InputError: If the networks do not have the same number of labels, or the generator has no latent besides.
    """
    count, names = inputs_of(discriminator)[1], labels_of(generator)
    if not names and count:
        names = tuple(map(str, range(count)))
    if len(names) != count:
        raise InputError(f"the generator has {len(names)} labels, but the discriminator takes {count}")
    if count >= generator.input_shape[-1]:
        raise InputError(f"the generator takes {generator.input_shape[-1]} numbers, which are no more than {count} labels")
    return names


def with_labels(values: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
    """Latents with the weights of the labels behind them."""
    return values if labels is None else tf.concat([values, labels], axis=1)


def beside(images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor | list[tf.Tensor]:
    """What a discriminator takes."""
    return images if labels is None else [images, labels]


def read_labels(labels, names: tuple[str, ...]) -> tf.Tensor:
    """The labels of a batch as weights, float32 [batch, number of labels].

    Args:
        labels: Weights, or the number of each picture's label, integers [batch].
        names: The names of all labels.

    Raises:
        InputError: If they are something else.
    """
    wanted = f"weights [batch, {len(names)}], such as one-hot ones, or whole numbers [batch]"
    if labels is None:
        raise InputError(f"this GAN has labels: give (pictures, labels), where labels are {wanted}")
    labels = tf.convert_to_tensor(labels)
    if labels.dtype.is_integer and labels.shape.rank == 1:
        return tf.one_hot(labels, len(names))
    if labels.shape.rank != 2 or labels.shape[1] != len(names):
        raise InputError(f"labels are {wanted}, not {labels.dtype.name} {[*labels.shape]}")
    return tf.cast(labels, tf.float32)


def adopt_labels(recipe: Recipe, pictures, run: Run) -> Recipe:
    """The recipe with the labels of the pictures: those that it has or that the run was begun with, if the pictures' are among
    them, else the pictures' own.

    Raises:
        InputError: If only one of both has labels, the pictures have other ones, or `balance_labels` has nothing to balance.
    """
    begun = run.read_config()["recipe"].get("labels", []) if run.config_path.exists() else []
    if not getattr(pictures, "labels", ()):
        if labels := recipe.labels or begun:
            trained = f"run {run.name} is trained with labels, {list_labels(labels)}"
            raise InputError(f"{trained}; give the pictures theirs with --labels (ganime.label_pictures)")
        if recipe.balance_labels:
            raise InputError("balance_labels is for pictures with labels, which --labels (ganime.label_pictures) gives them")
        return recipe
    labels, whose = (recipe.labels, "the recipe's") if recipe.labels else (begun, f"those of run {run.name}")
    if labels:
        renumber(pictures, labels, whose)
    return recipe.override(labels=tuple(labels) or pictures.labels)


def describe_labels(pictures) -> dict[str, str]:
    """What identifies the labels of the pictures of a run, in its configuration; empty if they have none."""
    return {"labels": hash_labels(pictures)} if getattr(pictures, "labels", ()) else {}
