"""What a model that two optimizers train owes to Keras: means over an epoch, evaluation, learning rates, saving, export."""

import functools
import inspect
import warnings

import keras
import tensorflow as tf

from ganime.errors import GanimeError, InputError
from ganime.generation.sampling import sample
from ganime.training import draws, losses, replicas
from ganime.training.checks import (
    UNWEIGHTED,
    check_fit_arguments,
    check_latents,
    explain_range_error,
    keeps_order,
    scale_pictures,
)
from ganime.training.conditioning import beside, inputs_of, read_labels, with_labels
from ganime.training.means import Means

NO_H5 = "a GAN is saved as .keras, its weights as .weights.h5; Keras' legacy .h5 has no place for two optimizers"
LAYERS = 1 << 41  # added to the seed for what layers draw
EVALUATION = 1 << 40  # where the steps of an evaluation are counted from, so that they draw as no step of a training does


def _without(variables, others):
    others = {id(variable) for variable in others}
    return [variable for variable in variables if id(variable) not in others]


class _Optimizers:
    """What Keras' callbacks find as the model's optimizer: the learning rate is the generator's; if it is changed, those of the
    others change in proportion. `iterations` are the model's steps."""

    built, use_ema = True, False

    def __init__(self, optimizers, step):
        self._optimizers = optimizers
        self.inner_optimizer, self.iterations = optimizers[0], step  # for TensorBoard

    @property
    def variables(self):
        return [variable for optimizer in self._optimizers for variable in optimizer.variables]

    @property
    def learning_rate(self):
        return self._optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        before = float(self._optimizers[0].learning_rate) or 1.0
        for optimizer in self._optimizers[1:]:
            optimizer.learning_rate = float(optimizer.learning_rate) / before * float(value)
        self._optimizers[0].learning_rate = value

    def get_config(self):
        raise InputError(NO_H5)  # only Keras' legacy format asks


def _in_words(method, about):
    """A method of Keras' model in which arguments that would be ignored and pictures out of range are an `InputError`; `about`
    says what it does with a GAN."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        given = signature.bind(self, *args, **kwargs).arguments
        check_fit_arguments(given)
        if "shuffle" in signature.parameters.keys() - given.keys() and keeps_order(given["x"]):
            kwargs["shuffle"] = False  # else Keras warns that it shuffles nothing, which nobody has asked for
        try:
            return method(self, *args, **kwargs)
        except tf.errors.InvalidArgumentError as error:
            if reason := explain_range_error(error):
                raise InputError(reason) from None
            raise

    return _describe(call, method, about, "an argument has no meaning for a GAN, or a batch is not one of pictures in range")


def _of_latents(method):
    """A method of Keras' model that maps latents, in which other arrays are an `InputError`."""

    @functools.wraps(method)
    def call(self, x, *args, **kwargs):
        check_latents(x, self.generator.input_shape[-1])
        return method(self, x, *args, **kwargs)

    about = "Make the averaged generator's faces of latents, float32 [count, latent_size]: float32 in [-1, 1]."
    return _describe(call, method, about, "an array is not one of latents")


def _describe(call, method, about, fault):
    kept = inspect.getdoc(method)  # Keras', which may stand in a class above
    call.__doc__ = f"{about}\n\nRaises:\n    InputError: If {fault}.\n\nWhat Keras says of it:\n\n{kept}"
    return call


class AdversarialModel(keras.Model):
    """What `GAN` inherits. It sets `generator`, `discriminator`, `averaged_generator`, `latent_size`, `settings` and so on."""

    fit = _in_words(
        keras.Model.fit,
        "Train both networks on pictures: `x` is an array, uint8 or float in [-1, 1], [count, height, width, 3], a "
        "`tf.data.Dataset`\nof batches of these, or a `keras.utils.PyDataset`. The first batch of each epoch is looked at: "
        "pictures in [0, 1] are refused.\nAn epoch's logs are means over its steps of what `train_step` returns.",
    )
    evaluate = _in_words(
        keras.Model.evaluate,
        "Judge held-out pictures, given as to `fit`, and the averaged generator's, the same in every evaluation: what "
        "`test_step`\nreturns, in the order of `metrics_names`, or by name with `return_dict=True`. Nothing is trained.",
    )
    train_on_batch = _in_words(keras.Model.train_on_batch, "Train a step on a batch of pictures `x` (see `fit`).")
    test_on_batch = _in_words(keras.Model.test_on_batch, "Judge a batch of pictures `x` (see `evaluate`).")
    predict, predict_on_batch = _of_latents(keras.Model.predict), _of_latents(keras.Model.predict_on_batch)

    # The average follows the generator; no optimizer moves it.
    @property
    def trainable_variables(self):
        return self._without_average(super().trainable_variables)

    @property
    def non_trainable_variables(self):
        return _without(self.variables, self.trainable_variables)

    @property
    def trainable_weights(self):
        return self._without_average(super().trainable_weights)

    @property
    def non_trainable_weights(self):
        return _without(self.weights, self.trainable_weights)

    def _without_average(self, variables):
        return _without(variables, self.averaged_generator.variables)

    def _seed_layers(self):
        """Give the layers in the networks that draw numbers, as dropout does, the seeds of this step."""
        states = [
            state
            for network in (self.generator, self.discriminator)
            for state in _without(network.variables, network.weights)  # what else there is has no place in a saved state
        ]
        if states:
            seed = tf.stack([LAYERS + tf.constant(self.seed, tf.int64), self.step.value])
            for state, value in zip(
                states, tf.unstack(draws.integers((1, len(states), 2), seed, 0, 2**31 - 1)[0]), strict=True
            ):
                state.assign(tf.cast(value, state.dtype))

    def _begin_reports(self, names, metrics):
        """Set what a step logs, and which metrics an evaluation adds."""
        self._train_means, self._test_means = Means(names), Means([name for name in names if name != "r1"])
        self._metrics_of_images = lambda: metrics  # hidden from Keras, which would save them with the state
        optimizers = self.g_optimizer, self.d_optimizer, self.f_optimizer
        self.optimizer = _Optimizers([optimizer for optimizer in optimizers if optimizer], self.step)

    @property
    def logged(self) -> tuple[str, ...]:
        """Names of what `train_step` returns."""
        return self._train_means.names

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

    def _read_pictures(self, data, means):
        """A batch in [-1, 1], of the steps that are counted in `means`, and its labels' weights or None; where the
        discriminator looks at groups, the last is filled up with the first pictures."""
        pictures, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if isinstance(pictures, dict | list | tuple):
            raise InputError(f"a batch is one array of pictures, [batch, height, width, 3], not a {type(pictures).__name__}")
        if weights is not None:
            raise InputError(f"sample_weight {UNWEIGHTED}")
        if self.labels:
            labels = read_labels(labels, self.labels)
        elif labels is not None:
            warnings.warn("labels (y) are ignored: a GAN without labels trains on pictures alone", stacklevel=2)
            labels = None
        first = means.steps.read_value() == 0
        pictures = scale_pictures(tf.convert_to_tensor(pictures), inputs_of(self.discriminator)[0][1:], first)
        group = self._group
        if group == 1 or (pictures.shape[0] or 1) % group == 0:
            return pictures, labels
        count = tf.shape(pictures)[0]
        places = tf.range((count + group - 1) // group * group) % count
        return tf.gather(pictures, places), None if labels is None else tf.gather(labels, places)

    def test_step(self, data):
        """Judge held-out pictures and the averaged generator's, of latents that are the same in every evaluation.

        Returns:
            The values that `train_step` logs but `r1`, without noise in the labels and without updates: how far `real_score`
            lies below that of the training shows how much the discriminator knows its pictures by heart. Also the metrics
            that `compile` was given, of real and generated images.
        """
        real, labels = self._read_pictures(data, self._test_means)
        seed = tf.stack([tf.constant(self.seed, tf.int64), EVALUATION + self._test_means.steps.read_value()])
        latents = draws.normal((tf.shape(real)[0], self.latent_size), seed)
        fakes = self.averaged_generator(with_labels(latents, labels), training=False)
        images = {"real": beside(real, labels), "fake": beside(fakes, labels)}
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
        with tf.control_dependencies([real]):  # not where the pictures are refused
            self._test_means.update(logs)
        for metric in self._metrics_of_images():
            metric.update_state(real, fakes)
            logs[metric.name] = metric.result()
        return replicas.as_logs(logs)

    def sample(self, seeds, labels=None, truncation: float = 1.0):
        """The averaged generator's faces of some seeds, uint8 [seeds, height, width, 3], with labels if it has any: see
        `ganime.sample`."""
        return sample(self.averaged_generator, seeds, truncation, labels=labels)

    def export(self, filepath, format="tf_saved_model", **options):
        """Export the averaged generator, from latents to images, in a format of Keras' (see `keras.Model.export`;
        `ganime.export` writes smaller files, and proves them)."""
        size = self.generator.input_shape[-1]
        signature = [keras.InputSpec(shape=(None, size), dtype="float32", name="latents")]
        try:
            self.averaged_generator.export(str(filepath), format, **{"input_signature": signature, **options})
        except ImportError as error:
            if format != "onnx":
                raise
            package, ours = error.name or "tf2onnx", 'ganime.export(gan.averaged_generator, "onnx", path)'
            raise GanimeError(f"Keras needs {package} for ONNX, which is not installed; {ours} does without") from error

    def save(self, filepath, *args, **kwargs):
        """Save networks, optimizers and step as `.keras`, or as a folder (see `keras.Model.save`). `ganime.load_gan` opens it,
        and so does `keras.models.load_model` where ganime is imported."""
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
            "settled": self.averaged_generator.settled,
        }

    @classmethod
    def from_config(cls, config):
        networks = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("generator", "discriminator")}
        settled = config.get("settled", False)
        gan = cls(**{name: value for name, value in config.items() if name != "settled"} | networks)
        gan.averaged_generator.settled = settled  # the average is worth keeping (see `ganime.training.forms.settle`)
        return gan

    def get_compile_config(self):
        if not self.compiled:
            return None
        names = ("g_optimizer", "d_optimizer")
        optimizers = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        metrics = [keras.saving.serialize_keras_object(metric) for metric in self._metrics_of_images()]
        return {**optimizers, **self.settings, **self._execution, **({"metrics": metrics} if metrics else {})}

    def compile_from_config(self, config):
        given = {key: config[key] for key in ("g_optimizer", "d_optimizer", "metrics") if key in config}
        made = {key: keras.saving.deserialize_keras_object(value) for key, value in given.items()}
        self.compile(**{**config, **made})
