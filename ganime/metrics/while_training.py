"""Scores for `fit`, ours or anybody's: a Keras callback and a Keras metric."""

import math
from pathlib import Path

import keras
import numpy as np

from ganime.errors import InputError
from ganime.files import atomic_write
from ganime.metrics.evaluation import GeneratedPictures, check_enough, describe_scores, reference_features, score
from ganime.metrics.features import FeatureExtractor
from ganime.run import read_history
from ganime.training.callbacks import check_room


class Evaluation(keras.callbacks.Callback):
    """Score the generator every so many steps against pictures that it is not trained on, and keep the best generator.

    The scores are added to the step's logs and, the latest, to the epoch's, so callbacks after this one see them.

    Args:
        pictures: Held-out pictures: a part that `split` gave, or another set.
        every: Steps between two evaluations.
        samples: Number of faces that are scored; the same seeds each time.
        extractor: The feature network; lite0 by default.
        generator: Model from latents to images in [-1, 1]; by default the trained model's `averaged_generator`.
        best_path: Where to keep the generator with the lowest kernel distance; ends in `.keras`.
        history_path: A history of the run so far, in which the best score is looked up when training is continued.
        verbose: 1 prints each score.

    Raises:
        InputError: If there are too few pictures.

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
        best_path: Path | None = None,
        history_path: Path | None = None,
        verbose: int = 1,
    ):
        super().__init__()
        check_enough(pictures, samples)
        self.pictures, self.every, self.samples, self.verbose = pictures, every, samples, verbose
        self.extractor = extractor or FeatureExtractor()
        self.generator, self.best_path, self.history_path = generator, best_path, history_path
        self.step, self.best, self.scores = 0, math.inf, {}

    def on_train_begin(self, logs=None):
        self.generated = GeneratedPictures(self.generator or self.model.averaged_generator, self.samples)
        self.reference = reference_features(self.pictures, self.generated.size, self.extractor)
        self._count(0)
        history = read_history(self.history_path) if self.history_path else {}
        if (kernel := self.extractor.network.kernel) in history:
            before = history[kernel][history["step"] <= self.step]
            self.best = min(before[np.isfinite(before)], default=math.inf)

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        self._count(self.model.steps_per_execution)
        if self.step // self.every > before // self.every:
            self.scores = self.evaluate()
            logs.update(self.scores)

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.scores)

    def _count(self, steps):
        """The model's own step where it has one: the last execution of an epoch may have fewer steps than the others."""
        step = getattr(self.model, "step", None)
        self.step = int(step.numpy()) if isinstance(step, keras.Variable) else self.step + steps

    def evaluate(self) -> dict[str, float]:
        """The scores of the generator as it is now."""
        scores = score(self.reference, self.extractor.extract(self.generated, self.generated.size), self.extractor)
        kernel = self.extractor.network.kernel
        if better := scores[kernel] < self.best:
            self.best = scores[kernel]
            if self.best_path:
                generator = self.generated.generator
                check_room(self.best_path.parent, generator.variables, "the best generator")
                with atomic_write(self.best_path) as part:
                    generator.save(part)
        if self.verbose:
            shown = "  ".join(map(" ".join, describe_scores(scores).items()))
            print(f"step {self.step:,}: {shown}{'  (best so far)' if better else ''}", flush=True)
        return scores


@keras.saving.register_keras_serializable(package="ganime")
class KernelDistance(keras.metrics.Metric):
    """The kernel distance, streamed: the mean over batches, each a subset. With the Inception network it is called KID, with
    others KID-lite0 and so on.

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
        """Add a batch of images in [-1, 1], float [batch, height, width, 3] each; a batch of one has no pairs, adds nothing."""
        pixels = [keras.ops.round((keras.ops.clip(images, -1.0, 1.0) + 1.0) * 127.5) for images in (real, generated)]
        x, y = (self.extractor.model(images)["features"] for images in pixels)
        counts = keras.ops.minimum(keras.ops.cast(keras.ops.shape(x)[0], "float32") - 1.0, 1.0)  # 0 for one image, 1 for more
        self.total.assign_add(counts * (_mean_of_pairs(x) + _mean_of_pairs(y) - 2.0 * keras.ops.mean(_kernel(x, y))))
        self.batches.assign_add(counts)

    def result(self):
        return self.total / keras.ops.maximum(self.batches, 1.0)

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
