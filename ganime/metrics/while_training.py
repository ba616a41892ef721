"""Scores for `fit`, ours or anybody's: a Keras callback and a Keras metric."""

import math
import os

import keras
import tensorflow as tf

from ganime.bounds import check_ending, check_whole
from ganime.data.joined import as_pictures
from ganime.errors import InputError
from ganime.files import atomic_write, insist
from ganime.metrics.evaluation import GeneratedPictures, check_enough, describe_scores, reference_features, score
from ganime.metrics.features import FeatureExtractor
from ganime.training.checks import scale_pictures
from ganime.training.forms import own_statistics
from ganime.training.periodic import next_multiple


class Evaluation(keras.callbacks.Callback):
    """Score the generator every so many steps against pictures that it is not trained on, and keep the best generator. Where
    these have labels, its faces have them in the same shares.

    The scores are added to the step's logs and, the latest, to the epoch's, so callbacks after this one see them.

    Args:
        pictures: Held-out pictures, as `ganime.fit` takes them: a part that `split` gave, another set such as `PictureFolder`,
            the path of one, or an array, uint8 or float in [-1, 1], [count, size, size, 3]. Anything serves that has `len()`,
            `load_batch(indices, size)` to uint8 [count, size, size, 3], and `fingerprint`, a string no other pictures have.
        every: Steps between two evaluations.
        samples: Number of faces that are scored; the same seeds each time.
        extractor: The feature network; lite0 by default.
        generator: Model from latents to images in [-1, 1]; by default the trained model's `averaged_generator`, which is scored
            and kept as `Checkpoint` keeps it.
        best_path: Where to keep the generator with the lowest kernel distance; a path that ends in `.keras`.
        best: The lowest kernel distance so far, where training is continued.
        verbose: 1 prints each score.

    Raises:
        InputError: If there are too few pictures or they are no such set, or `every`, `samples` or `best_path` cannot be used.

    Example:
        >>> from ganime.data.drawn import DrawnFaces
        >>> evaluation = Evaluation(DrawnFaces(500), every=1000)
        >>> # model.fit(..., callbacks=[evaluation])
    """

    def __init__(
        self,
        pictures,
        every: int = 1000,
        samples: int = 1000,
        extractor: FeatureExtractor | None = None,
        generator: keras.Model | None = None,
        best_path: str | os.PathLike | None = None,
        best: float = math.inf,
        verbose: int = 1,
    ):
        super().__init__()
        check_whole(every=every, samples=samples)
        if best_path:
            check_ending("best_path", best_path, ".keras")
        self.pictures = as_pictures(pictures)
        check_enough(self.pictures, samples)
        self.every, self.samples, self.verbose = every, samples, verbose
        self.extractor = extractor or FeatureExtractor()
        self.generator, self.best_path, self.best = generator, best_path, best
        self.step, self.scores, self.generated = 0, {}, None

    def on_train_begin(self, logs=None):
        self._find_generator()
        self._count(0)

    def _find_generator(self):
        generator = self.generator or getattr(self.model, "averaged_generator", None)
        if generator is None:
            raise InputError("Evaluation has no generator to score: give it one, Evaluation(..., generator=...)")
        self.generated = GeneratedPictures(generator, self.samples, like=self.pictures)
        self.reference = reference_features(self.pictures, self.generated.size, self.extractor)

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        self._count(self.model.steps_per_execution)
        if self.step // self.every > before // self.every:
            self.scores = self.evaluate()
            logs.update(self.scores)

    def next_due(self, step: int) -> int:
        """The next step after which there is an evaluation (see `ganime.training.loop.train`)."""
        return next_multiple(step, self.every)

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.scores)

    def _count(self, steps):
        """The model's own step where it has one: the last execution of an epoch may have fewer steps than the others."""
        step = getattr(self.model, "step", None)
        self.step = int(step.numpy()) if isinstance(step, keras.Variable) else self.step + steps

    def evaluate(self) -> dict[str, float]:
        """The scores of the generator as it is now, in `fit` or outside of it.

        Raises:
            InputError: If there is no generator: none was given, and `fit` has not begun.
        """
        if self.generated is None:
            self._find_generator()
        kernel = self.extractor.network.kernel
        with own_statistics(self.generated.generator):
            scores = score(self.reference, self.extractor.extract(self.generated, self.generated.size), self.extractor)
            if better := scores[kernel] < self.best:
                self.best = scores[kernel]
                if self.best_path:
                    insist(self._keep, f"{self.best_path} cannot be written")
        if self.verbose:
            shown = "  ".join(map(" ".join, describe_scores(scores).items()))
            print(f"step {self.step:,}: {shown}{'  (best so far)' if better else ''}", flush=True)
        return scores

    def _keep(self):
        with atomic_write(self.best_path) as part:
            self.generated.generator.save(part)


@keras.saving.register_keras_serializable(package="ganime")
class KernelDistance(keras.metrics.Metric):
    """The kernel distance, streamed: the mean over batches, each a subset. With the Inception network it is called KID, with
    others KID-lite0 and so on. Of no batch it is not a number, and so it is where each batch is of one picture.

    Args:
        extractor: The feature network; lite0 by default.
        name: By default the distance's.

    Example:
        >>> metric = KernelDistance()
        >>> metric.update_state(keras.random.uniform((4, 64, 64, 3), -1, 1), keras.random.uniform((4, 64, 64, 3), -1, 1))
        >>> metric.result().shape
        TensorShape([])
    """

    def __init__(self, extractor: FeatureExtractor | None = None, name: str | None = None, **kwargs):
        self.extractor = extractor or FeatureExtractor()
        super().__init__(name=name or self.extractor.network.kernel, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.batches = self.add_weight(name="batches", initializer="zeros")

    def update_state(self, real, generated):
        """Add a batch. One of a single picture has no pairs, and adds nothing.

        Args:
            real: Pictures, uint8 or float in [-1, 1], [batch, height, width, 3].
            generated: Such pictures; float ones beyond [-1, 1] are clipped.

        Raises:
            InputError: If the real ones are of another range. In a graph it is a `tf.errors.InvalidArgumentError`.
        """
        real = scale_pictures(tf.convert_to_tensor(real), (None, None, 3), tf.convert_to_tensor(self.batches) == 0)
        if keras.ops.dtype(generated) == "uint8":
            generated = keras.ops.cast(generated, "float32") / 127.5 - 1.0
        pixels = [keras.ops.round((keras.ops.clip(images, -1.0, 1.0) + 1.0) * 127.5) for images in (real, generated)]
        x, y = (self.extractor.model(images)["features"] for images in pixels)
        counts = keras.ops.minimum(keras.ops.cast(keras.ops.shape(x)[0], "float32") - 1.0, 1.0)  # 0 for one image, 1 for more
        self.total.assign_add(counts * (_mean_of_pairs(x) + _mean_of_pairs(y) - 2.0 * keras.ops.mean(_kernel(x, y))))
        self.batches.assign_add(counts)

    def result(self):
        return self.total / self.batches

    def get_config(self):
        return {**super().get_config(), "network": self.extractor.name, "weights": self.extractor.identity["weights_sha256"]}

    @classmethod
    def from_config(cls, config):
        """The metric again, if the network's weights are still the same: other ones would give other numbers.

        Raises:
            InputError: If they are not.
        """
        config = dict(config)
        extractor, weights = FeatureExtractor(config.pop("network")), config.pop("weights")
        if extractor.identity["weights_sha256"] != weights:
            raise InputError(f"{config['name']} was measured with other weights of {extractor.name} than those found here")
        return cls(extractor, **config)


def _kernel(x, y):
    return (keras.ops.matmul(x, keras.ops.transpose(y)) / x.shape[1] + 1.0) ** 3


def _mean_of_pairs(x):
    products = _kernel(x, x)
    count = keras.ops.cast(keras.ops.shape(x)[0], products.dtype)
    return (keras.ops.sum(products) - keras.ops.trace(products)) / keras.ops.maximum(count * (count - 1.0), 1.0)
