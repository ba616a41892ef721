"""What a model that two optimizers train owes to Keras: means over an epoch, evaluation, learning rates, saving, export."""

import functools
import inspect
import warnings

import keras
import numpy as np
import tensorflow as tf

from ganime.errors import InputError
from ganime.training import draws, losses, replicas
from ganime.training.checks import OUT_OF_RANGE, UNWEIGHTED, check_fit_arguments, scale_pictures

NO_H5 = "a GAN is saved as .keras, its weights as .weights.h5; Keras' legacy .h5 has no place for two optimizers"
EVALUATION = 1 << 40  # where the steps of an evaluation are counted from, so that they draw as no step of a training does


class Means:
    """Means of named values over the steps since the last reset. Not a Keras metric, which would be part of a saved state.

    Args:
        names: Of the values.
    """

    def __init__(self, names):
        self.names = tuple(names)
        over_replicas = {"synchronization": tf.VariableSynchronization.ON_READ, "aggregation": tf.VariableAggregation.SUM}
        zeros = tf.zeros((2, len(self.names)), tf.float64)
        self._totals_and_counts = tf.Variable(zeros, trainable=False, **over_replicas)
        self.steps = tf.Variable(tf.zeros((), tf.int64), trainable=False, **over_replicas)

    def update(self, values: dict[str, tf.Tensor], counted: dict[str, tf.Tensor] | None = None) -> None:
        """Add a step's values, float32 scalars, but those that `counted` says are not to count."""
        counts = [(counted or {}).get(name, True) for name in self.names]
        rows = [[values[name] for name in self.names], counts]
        self._totals_and_counts.assign_add(tf.stack([tf.stack([tf.cast(x, tf.float64) for x in row]) for row in rows]))
        self.steps.assign_add(1)

    def reset(self) -> None:
        """Begin again."""
        self._totals_and_counts.assign(tf.zeros_like(self._totals_and_counts))
        self.steps.assign(0)

    def result(self) -> dict[str, float]:
        """The means, of what was never counted 0; empty if there was no step."""
        totals, counts = tf.convert_to_tensor(self._totals_and_counts).numpy()
        means = totals / np.maximum(counts, 1)
        return dict(zip(self.names, means.tolist(), strict=True)) if counts.any() else {}


class _BothOptimizers:
    """What Keras' callbacks find as the model's optimizer: the learning rate is the generator's; if it is changed, that of the
    discriminator changes in proportion. `iterations` are the model's steps."""

    built, use_ema = True, False

    def __init__(self, g_optimizer, d_optimizer, step):
        self._optimizers = g_optimizer, d_optimizer
        self.inner_optimizer, self.iterations = g_optimizer, step  # for TensorBoard

    @property
    def variables(self):
        return [variable for optimizer in self._optimizers for variable in optimizer.variables]

    @property
    def learning_rate(self):
        return self._optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        g_optimizer, d_optimizer = self._optimizers
        share = float(d_optimizer.learning_rate) / (float(g_optimizer.learning_rate) or 1.0)
        g_optimizer.learning_rate, d_optimizer.learning_rate = value, share * float(value)

    def get_config(self):
        raise InputError(NO_H5)  # only Keras' legacy format asks


def _in_words(method):
    """A method of Keras' model in which arguments that would be ignored and pictures out of range are an `InputError`."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        check_fit_arguments(signature.bind(self, *args, **kwargs).arguments)
        try:
            return method(self, *args, **kwargs)
        except tf.errors.InvalidArgumentError as error:
            if OUT_OF_RANGE not in error.message:
                raise
            raise InputError(OUT_OF_RANGE) from None

    return call


class AdversarialModel(keras.Model):
    """What `GAN` inherits. It sets `generator`, `discriminator`, `averaged_generator`, `latent_size`, `settings` and so on."""

    fit, evaluate = _in_words(keras.Model.fit), _in_words(keras.Model.evaluate)
    train_on_batch, test_on_batch = _in_words(keras.Model.train_on_batch), _in_words(keras.Model.test_on_batch)

    def _begin_reports(self, names, metrics):
        """Set what a step logs, and which metrics an evaluation adds."""
        self._train_means, self._test_means = Means(names), Means([name for name in names if name != "r1"])
        self._metrics_of_images = lambda: metrics  # hidden from Keras, which would save them with the state
        self.optimizer = _BothOptimizers(self.g_optimizer, self.d_optimizer, self.step)

    @property
    def metrics_names(self):
        """Names of what `evaluate` returns, in its order."""
        if not self.compiled:
            return []
        return sorted([*self._test_means.names, *(metric.name for metric in self._metrics_of_images())])

    def reset_metrics(self):
        """Begin means over an epoch or an evaluation again."""
        super().reset_metrics()
        if self.compiled:
            for means in (self._train_means, self._test_means):
                means.reset()
            for metric in self._metrics_of_images():
                metric.reset_state()

    def get_metrics_result(self):
        """Means of what the steps since the last reset logged, in which `r1` is over the steps that applied it; after an
        evaluation the metrics too."""
        if tested := self._test_means.result():
            return tested | {metric.name: float(metric.result()) for metric in self._metrics_of_images()}
        return self._train_means.result()

    def _read_pictures(self, data, first):
        """A batch in [-1, 1]; where the discriminator looks at groups, the last is filled up with the first pictures."""
        pictures, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if isinstance(pictures, dict | list | tuple):
            raise InputError(f"a batch is one array of pictures, [batch, height, width, 3], not a {type(pictures).__name__}")
        if weights is not None:
            raise InputError(f"sample_weight {UNWEIGHTED}")
        if labels is not None:
            warnings.warn("labels (y) are ignored: a GAN trains on pictures alone", stacklevel=2)
        pictures = scale_pictures(tf.convert_to_tensor(pictures), self.discriminator.input_shape[1:], first)
        group = self._group
        if group == 1 or (pictures.shape[0] or 1) % group == 0:
            return pictures
        count = tf.shape(pictures)[0]
        return tf.gather(pictures, tf.range((count + group - 1) // group * group) % count)

    def test_step(self, data):
        """Judge held-out pictures and the averaged generator's, of latents that are the same in every evaluation.

        Returns:
            The values that `train_step` logs but `r1`, without noise in the labels and without updates: how far `real_score`
            lies below that of the training shows how much the discriminator knows its pictures by heart. Also the metrics
            that `compile` was given, of real and generated images.
        """
        real = self._read_pictures(data, tf.constant(False))
        seed = tf.stack([tf.constant(self.seed, tf.int64), EVALUATION + self._test_means.steps.read_value()])
        fakes = self.averaged_generator(draws.normal((tf.shape(real)[0], self.latent_size), seed), training=False)
        images = {"real": real, "fake": fakes}
        logits = {kind: tf.cast(self.discriminator(images[kind], training=False), tf.float32) for kind in images}
        s = self.settings
        judged = losses.compare(logits) if s["relativistic"] else logits
        logs = {
            "real_loss": losses.binary_cross_entropy(tf.ones_like(judged["real"]), judged["real"]),
            "fake_loss": losses.binary_cross_entropy(tf.zeros_like(judged["fake"]), judged["fake"]),
            "g_loss": losses.binary_cross_entropy(tf.ones_like(judged["fake"]), judged["fake"]) * s["generator_weight"],
            **losses.scores(judged),
        }
        logs["d_loss"] = s["real_weight"] * logs["real_loss"] + s["fake_weight"] * logs["fake_loss"]
        self._test_means.update(logs)
        for metric in self._metrics_of_images():
            metric.update_state(real, fakes)
            logs[metric.name] = metric.result()
        return replicas.as_logs(logs)

    def export(self, filepath, format="tf_saved_model", **options):
        """Export the averaged generator, from latents to images, in a format of Keras' (see `keras.Model.export`;
        `ganime.export` writes smaller files, and proves them)."""
        signature = [keras.InputSpec(shape=(None, self.latent_size), dtype="float32", name="latents")]
        self.averaged_generator.export(str(filepath), format, **{"input_signature": signature, **options})

    def save(self, filepath, *args, **kwargs):
        """Save networks, optimizers and step as `.keras`, or as a folder (see `keras.Model.save`). Where it is loaded with
        `keras.models.load_model`, import this class first: `from ganime import GAN`."""
        if str(filepath).endswith((".h5", ".hdf5")):
            raise InputError(NO_H5)
        super().save(filepath, *args, **kwargs)

    def quantize(self, *args, **kwargs):
        """Refused: no optimizer could train on."""
        raise InputError("a quantized GAN cannot train; ganime.export writes small generators, in float16 or int8")

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "ema_half_life": self.ema_half_life,
            "seed": self.seed,
            "sync_batch_norm": self.sync_batch_norm,
        }

    @classmethod
    def from_config(cls, config):
        networks = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("generator", "discriminator")}
        return cls(**{**config, **networks})

    def get_compile_config(self):
        if not self.compiled:
            return None
        names = ("g_optimizer", "d_optimizer")
        optimizers = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        metrics = [keras.saving.serialize_keras_object(metric) for metric in self._metrics_of_images()]
        return {**optimizers, **self.settings, **self._execution, **({"metrics": metrics} if metrics else {})}

    def compile_from_config(self, config):
        import ganime.metrics.while_training  # noqa: F401 (Keras finds no metric that is not imported)

        given = {key: config[key] for key in ("g_optimizer", "d_optimizer", "metrics") if key in config}
        made = {key: keras.saving.deserialize_keras_object(value) for key, value in given.items()}
        self.compile(**{**config, **made})
