"""The model: a generator and a discriminator, trained against each other by `fit`."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from ganime.bounds import check_whole, within_bounds
from ganime.errors import GanimeError
from ganime.training import checks, draws, losses, replicas
from ganime.training.adversarial_model import AdversarialModel
from ganime.training.augment import augment
from ganime.training.conditioning import beside, find_labels, with_labels
from ganime.training.feature_heads import build_heads, train_heads
from ganime.training.forms import sampling_form, training_form, update_average
from ganime.training.optimizer import make_optimizer, variables_of
from ganime.training.penalty import r1_gradients

if keras.backend.backend() != "tensorflow":
    raise GanimeError(f"ganime trains with TensorFlow: set KERAS_BACKEND=tensorflow, not {keras.backend.backend()}")


EXECUTION = {"run_eagerly", "steps_per_execution", "auto_scale_loss"}  # Keras' arguments of `compile` that hold for a GAN too
LOGS = ("d_loss", "d_accuracy", "real_loss", "fake_loss", "real_score", "fake_score", "g_loss")


@keras.saving.register_keras_serializable(package="ganime")
class GAN(AdversarialModel):
    """A generative adversarial network that trains under plain Keras `fit`.

    Everything random in a step, dropout and augmentation layers in the networks included, is drawn statelessly from `seed` and
    `step`, so a model whose weights, optimizers and step were saved goes on exactly as if it had never stopped. The model
    itself maps latents to the averaged generator's images. `ganime.load_gan` opens what `save` has written.

    Args:
        generator: Model from latents, float32 [batch, latent_size], to images in [-1, 1], float32 [batch, size, size, 3].
        discriminator: Model from such images to logits, float32 [batch, 1]. With labels it takes [images, weights of the
            labels, float32 [batch, number of labels]], and the generator's latents end in these weights.
        ema_half_life: Number of pictures over which the averaged generator forgets half of what it was (exponential moving
            average of weights and batch-norm statistics); at most a twentieth of the pictures seen so far, as StyleGAN2-ADA's
            ramp-up has it. 0 makes it a copy of the generator.
        seed: Seed of everything random in training.
        sync_batch_norm: Whether batch normalization is over the global batch, where replicas train together (see `train_step`),
            and not over each replica's part of it.

    Attributes:
        generator, discriminator: The networks, as they train.
        averaged_generator: The one to sample with: a copy of the generator that follows it (see `ema_half_life`), in float32.
        step: Number of steps trained, a `keras.Variable`; `int(gan.step)`.
        latent_size: Length of the latents, without the weights of labels.
        labels: The names of the labels; none if there are none.

    Raises:
        InputError: If the networks do not fit each other or end otherwise than a GAN's, or a value is none of these.

    Example:
        >>> from ganime.networks import build_discriminator, build_generator
        >>> gan = GAN(build_generator(32, widths=(8, 8, 8)), build_discriminator(32, widths=(8, 8, 8)))
        >>> gan.compile(label_noise=0.2)
        >>> history = gan.fit(keras.random.uniform((8, 32, 32, 3), -1, 1), batch_size=4, verbose=0)
        >>> gan(keras.random.normal((1, 128))).shape
        TensorShape([1, 32, 32, 3])
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        ema_half_life: int = 0,
        seed: int = 0,
        sync_batch_norm: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        checks.check_networks(generator, discriminator)
        check_whole(0, seed=seed)
        self._group = checks.batch_multiple(discriminator)
        self.labels = find_labels(generator, discriminator)
        self.generator = generator
        self.discriminator = discriminator
        # In functions, so that Keras does not find, and save, the same layers twice.
        g_form, d_form = (training_form(network, sync_batch_norm) for network in (generator, discriminator))
        self._training_generator = lambda latents: g_form(latents, training=True)
        self._training_discriminator = lambda images, labels=None: d_form(beside(images, labels), training=True)
        self.averaged_generator = sampling_form(generator)
        self.averaged_generator.name = "averaged_generator"
        self.averaged_generator.labels = self.labels
        self.latent_size = generator.input_shape[-1] - len(self.labels)
        self.ema_half_life = within_bounds(ema_half_life=ema_half_life)["ema_half_life"]
        self.averaged_generator.is_average = self.ema_half_life > 0
        self.feature_heads = None
        self.differentiable = False  # whether the discriminator was found so twice
        self.seed = seed
        self.sync_batch_norm = sync_batch_norm
        self.step = self.add_weight((), dtype="int64", trainable=False, name="step", initializer="zeros")
        self.last_g_loss = self.add_weight((), trainable=False, name="last_g_loss", initializer="zeros")
        # Assigned 1 in one replica, it is above 0 in all after the next step. Not part of a saved state.
        self.stop_votes = tf.Variable(0.0, trainable=False)
        self.built = True

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer | str | dict = "default",
        d_optimizer: keras.optimizers.Optimizer | str | dict = "default",
        *,
        optimizer: str | dict | None = None,
        metrics: Sequence[keras.metrics.Metric] = (),
        relativistic: bool = False,
        label_noise: float = 0.2,
        label_smoothing: float = 0.0,
        label_flips: float = 0.0,
        real_weight: float = 1.0,
        fake_weight: float = 1.0,
        generator_weight: float = 1.0,
        r1_weight: float = 0.0,
        r1_first_weight: float = 0.0,
        r1_fall: int = 0,
        r1_interval: int = 1,
        feature_weight: float = 0.0,
        feature_after: int = 0,
        augmentations: Sequence[str] = (),
        separate_updates: bool = False,
        reuse_fakes: bool = False,
        d_updates: int = 1,
        hold_below: float = 0.0,
        jit_compile: bool | str = False,
        **kwargs,
    ):
        """Set how to train.

        Args:
            g_optimizer, d_optimizer: Keras optimizers; by default Adam, 2e-4, beta_1 0.5, as the DCGAN paper has it. Where a
                network computes in float16, its optimizer's loss is scaled.
            optimizer: Name or configuration of both, in place of the two above.
            metrics: Keras metrics of real and generated images, such as `ganime.KernelDistance()`, for evaluations.
            relativistic: Whether the logits of a real and a generated picture are compared (see
                `ganime.training.losses.compare`). Those of the generator's update meet what the real ones had before the
                discriminator's, which saves a pass.
            label_noise: Width a of the label noise: real 1 - U(0, a), generated U(0, a); the generator trains against noisy
                real labels.
            label_smoothing: How far the discriminator's real labels are lowered (one-sided smoothing).
            label_flips: Share of the discriminator's labels that are turned around at random.
            real_weight, fake_weight, generator_weight: Weights of the three loss terms.
            r1_weight: Weight gamma of the R1 gradient penalty, gamma/2 times the mean squared gradient norm at the real
                pictures; 0 for none.
            r1_first_weight, r1_fall: What gamma is in the first step, and the number of pictures over which it goes from
                there to `r1_weight` (see `ganime.training.penalty.find_gamma`); 0 for the same gamma throughout.
            r1_interval: The penalty is applied in every so many steps, that many times as strong (lazy regularization of
                StyleGAN2, Karras et al. 2020).
            feature_weight: Weight of the losses of heads on the features of EfficientNet-Lite0 (see
                `ganime.training.feature_heads`), which are not part of what a step logs; 0 for none.
            feature_after: Number of pictures after which these heads join.
            augmentations: Any of "color", "translation" and "cutout", for what the discriminator sees.
            separate_updates: Whether the discriminator takes one optimizer step on the real and then one on the generated
                pictures, instead of one on the sum of both losses.
            reuse_fakes: Whether the generator learns from the pictures that the discriminator has just learned from, which
                saves a forward pass, instead of from new ones.
            d_updates: Discriminator updates per generator update; each is a step with pictures of its own.
            hold_below: Hold the generator still in steps where the discriminator's accuracy (mean of the shares of real and
                of generated pictures, or of pairs, that it tells right) is below this threshold.
            jit_compile: As in `keras.Model.compile`, and so are the other arguments.

        Raises:
            InputError: If a value is beyond a recipe's bounds, real labels could fall below 0, or pairs parted; for a name that
                does not exist, or what Keras' `compile` takes and a GAN cannot honor, as a `loss`.
        """
        arguments = locals()
        settings = checks.check_settings({name: arguments[name] for name in self.SETTINGS})
        metrics = list(metrics or ())
        execution = {name: kwargs.pop(name) for name in EXECUTION & kwargs.keys()}
        checks.check_keras_arguments(optimizer, metrics, kwargs, arguments)
        scaled, networks = execution.get("auto_scale_loss", True), (self.generator, self.discriminator)
        given = (optimizer or g_optimizer, optimizer or d_optimizer)
        made = [make_optimizer(one, network, scaled) for one, network in zip(given, networks, strict=True)]
        checks.check_optimizers(*made)  # before anything is changed: what is refused leaves the model as it was
        super().compile(optimizer=None, jit_compile=jit_compile, **execution)
        self.g_optimizer, self.d_optimizer = made
        self.settings, self._execution = settings, {"jit_compile": jit_compile, **execution}
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.f_optimizer = None
        if settings["feature_weight"]:
            if self.feature_heads is None:
                network, self.feature_heads = build_heads(self.discriminator, self._group)
                self.judge_features = lambda images: tf.cast(self.feature_heads(network(images)), tf.float32)
            self.f_optimizer = type(made[1]).from_config(made[1].get_config())
            self.f_optimizer.build(self.feature_heads.trainable_variables)
        self._begin_reports([*LOGS, *(["r1"] if r1_weight else [])], metrics)

    SETTINGS = tuple(name for name in compile.__kwdefaults__ if name not in ("jit_compile", "optimizer", "metrics"))

    def call(self, latents, training=False):
        return self.averaged_generator(latents, training=training)

    def _maybe_symbolic_build(self, *args, **kwargs):
        """All is built. Keras would find that out with a batch's mean over all workers, which fails for pictures in uint8."""

    def train_step(self, data):
        """Update both networks once on a batch of images: float32 in [-1, 1], or uint8, which is scaled here; with labels a
        batch is (images, labels), and a generated picture has the label of the real one in its place.

        Under a `tf.distribute` strategy, in whose scope the model was made, the batch is this replica's part of the global one:
        losses are means over the global batch, and everything random is drawn by the place in it.

        Returns:
            Values of this step (not running means): `d_loss` (weighted, without the penalty), its terms `real_loss` and
            `fake_loss` (unweighted), `g_loss` (of its last update, where it is held), `real_score` and `fake_score` (mean
            sigmoid of the logits or, if relativistic, of their differences), `d_accuracy`, and `r1` (mean squared gradient
            norm; 0 where the step applies none) if there is such a penalty.
        """
        real, labels = self._read_pictures(data, self._train_means)
        with tf.control_dependencies([real]):  # nothing moves where the pictures are refused, or cannot be read
            return self._train_on(real, labels)

    def _train_on(self, real, labels):
        self._seed_layers()
        seeds = draws.split(tf.stack([tf.constant(self.seed, tf.int64), self.step.value]), 8)
        with tf.GradientTape() as tape:
            fakes = self._generate(real, seeds[0], labels)
        logs, real_logits = self._update_discriminator(real, fakes, seeds[1:5], labels)
        free = self._generator_is_free(logs["d_accuracy"])
        # A tape cannot be taken into a condition that several replicas share: there the same pictures are made again.
        make_again = not self.settings["reuse_fakes"] or (free is not None and tf.distribute.has_strategy())

        def update_generator():
            if make_again:
                with tf.GradientTape() as new_tape:
                    new_fakes = self._generate(real, seeds[0] if self.settings["reuse_fakes"] else seeds[7], labels)
                self._update_generator(new_tape, real, new_fakes, real_logits, seeds[5:7], labels)
            else:
                self._update_generator(tape, real, fakes, real_logits, seeds[5:7], labels)

        replicas.run_if(free, update_generator) if free is not None else update_generator()
        logs["g_loss"] = tf.identity(self.last_g_loss.value)
        replicas.share_statistics(self.generator, self.discriminator)
        update_average(self.averaged_generator, self.generator, self.ema_half_life, replicas.batch_size(real), self.step + 1)
        self._train_means.update(logs, {"r1": self.step % self.settings["r1_interval"] == 0})
        self.step.assign_add(1)
        self.stop_votes.assign(replicas.total(self.stop_votes.read_value()))
        return replicas.as_logs(logs)

    def _generate(self, real, seed, labels=None):
        return self._training_generator(with_labels(draws.normal((tf.shape(real)[0], self.latent_size), seed), labels))

    def _generator_is_free(self, accuracy):
        """Whether the generator moves in this step: a boolean tensor, or None where it always does."""
        free = None
        if self.settings["d_updates"] > 1:
            free = (self.step + 1) % self.settings["d_updates"] == 0
        if self.settings["hold_below"] > 0:
            accurate = replicas.mean([accuracy])[0] >= self.settings["hold_below"]
            free = accurate if free is None else free & accurate
        return free

    def _update_discriminator(self, real, fakes, seeds, labels=None):
        """The step's values, and the logits of the real pictures."""
        s = self.settings
        images = {"real": augment(real, s["augmentations"], seeds[0]), "fake": augment(fakes, s["augmentations"], seeds[1])}
        uniform = draws.uniform((4, tf.shape(real)[0], 1), seeds[2], axis=1)
        true = losses.real_labels(uniform[0], s["label_noise"], s["label_smoothing"])
        truths = {
            "real": losses.flip_labels(true, uniform[1], s["label_flips"]),
            "fake": losses.flip_labels(losses.fake_labels(uniform[2], s["label_noise"]), uniform[3], s["label_flips"]),
        }
        logits, logs, total = {}, {}, 0.0
        for kinds in (["real"], ["fake"]) if s["separate_updates"] else (["real", "fake"],):
            with tf.GradientTape() as tape:
                logits |= {kind: tf.cast(self._training_discriminator(images[kind], labels), tf.float32) for kind in kinds}
                judged = losses.compare(logits) if s["relativistic"] else logits
                for kind in kinds:
                    logs[kind + "_loss"] = losses.binary_cross_entropy(truths[kind], judged[kind])
                value = tf.add_n([logs[kind + "_loss"] * s[kind + "_weight"] for kind in kinds])
                objective = self.d_optimizer.scale_loss(value / replicas.count())
            gradients = tape.gradient(objective, variables_of(self.discriminator))
            if s["r1_weight"] and "real" in kinds:
                logs["r1"], penalties = r1_gradients(self, images["real"], labels)
                gradients = [g + p for g, p in zip(gradients, penalties, strict=True)]
            self.d_optimizer.apply(gradients)
            total += value
        return {"d_loss": total, **logs, **losses.scores(judged)}, logits["real"]

    def _update_generator(self, tape, real, fakes, real_logits, seeds, labels=None):
        """Update from the pictures that the generator made under `tape`, and the heads from these and the real ones."""
        s = self.settings
        truths = losses.real_labels(draws.uniform((tf.shape(fakes)[0], 1), seeds[0]), s["label_noise"])
        with tf.GradientTape() as image_tape:
            image_tape.watch(fakes)
            seen = augment(fakes, s["augmentations"], seeds[1])
            logits = tf.cast(self._training_discriminator(seen, labels), tf.float32)
            judged = losses.compare({"real": real_logits, "fake": logits})["fake"] if s["relativistic"] else logits
            loss = losses.binary_cross_entropy(truths, judged) * s["generator_weight"]
            objective = self.g_optimizer.scale_loss(loss / replicas.count())
        direction = image_tape.gradient(objective, fakes)
        if s["feature_weight"]:
            direction += train_heads(self, real, fakes)
        self.g_optimizer.apply(tape.gradient(fakes, variables_of(self.generator), output_gradients=direction))
        self.last_g_loss.assign(replicas.mean([loss])[0])
