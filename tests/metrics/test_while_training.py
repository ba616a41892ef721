import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.data.drawn import DrawnFaces
from ganime.data.split import split
from ganime.errors import InputError
from ganime.generation.sampling import load_generator
from ganime.history import read_history
from ganime.metrics.distances import kernel_distance
from ganime.metrics.evaluation import GeneratedPictures, evaluate
from ganime.metrics.while_training import Evaluation, KernelDistance
from ganime.networks import build_generator
from ganime.recipes import get_recipe
from ganime.run import Run
from ganime.training import loop
from ganime.training.callbacks import History
from ganime.training.fit import fit
from tests.conftest import TINY
from tests.training.small import PICTURES, make_small_gan, small_gan

RECIPE = get_recipe("default").override(*TINY, "r1_weight=0", "augmentations=")  # a graph that is made in less time


class Leave(keras.callbacks.Callback):
    """Copies the run as a kill after its third step, which was saved, would leave it."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.step) == 3:
            shutil.copytree(self.path, self.path.with_name("left"))


def train(path, extractor, *callbacks):
    """Train with a score each second step; the run, the callback and the trained model."""
    run, (training, held_out) = Run(path), split(DrawnFaces(200), 32)
    best = run.best_score("KID-blocks")
    evaluation = Evaluation(held_out, 2, 20, extractor, best_path=run.best_path, best=best, verbose=0)
    return run, evaluation, fit(run, RECIPE, training, 5, save_every=3, callbacks=(evaluation, *callbacks), verbose=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, blocks):
    path = tmp_path_factory.mktemp("runs") / "trained"
    return train(path, blocks, Leave(path))


def test_scores_are_in_the_history_and_the_best_generator_is_kept(trained, blocks):
    run, evaluation, _ = trained
    history = read_history(run.history_path)
    kernel = history["KID-blocks"]
    assert np.isfinite(kernel).tolist() == [False, True, False, True, False]
    assert (run.path / "quality.png").exists()
    assert evaluation.best == np.nanmin(kernel)
    best = GeneratedPictures(load_generator(run.best_path), 20)
    assert evaluate(best, evaluation.pictures, blocks, 32)["KID-blocks"] == pytest.approx(evaluation.best, rel=1e-9)
    assert all(np.isfinite(history[name]).sum() == 2 for name in ("FD-blocks", "recall-blocks", "KID-blocks-deviation"))


def test_an_interrupted_run_has_the_same_scores(trained, tmp_path, blocks, one_gan):
    path = shutil.copytree(trained[0].path.with_name("left"), tmp_path / "run")
    assert read_history(path / "history.csv")["step"].tolist() == [1, 2, 3]
    run, continued, _ = train(path, blocks)
    histories = [read_history(one.history_path) for one in (run, trained[0])]
    for name in ("KID-blocks", "FD-blocks", "d_loss"):
        assert np.array_equal(histories[0][name], histories[1][name], equal_nan=True)
    assert continued.best == trained[1].best


def test_scores_do_not_change_the_training(trained, tmp_path, one_gan):
    plain = fit(Run(tmp_path / "run"), RECIPE, split(DrawnFaces(200), 32)[0], 5, verbose=0)
    for one, other in zip(plain.get_weights(), trained[2].get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_only_a_better_generator_replaces_the_best(trained, tmp_path, blocks):
    _, evaluation, gan = trained
    generator = keras.models.clone_model(gan.averaged_generator)
    *others, bias = gan.averaged_generator.get_weights()
    other = Evaluation(evaluation.pictures, 2, 20, blocks, generator, tmp_path / "best.keras", verbose=0)
    other.set_model(gan)
    other.on_train_begin()
    kept = []
    for shift in (100, 0, 100):  # white, as it was, white
        generator.set_weights([*others, bias + shift])
        other.evaluate()
        kept.append((tmp_path / "best.keras").stat().st_mtime_ns)
    assert kept[0] < kept[1] == kept[2]


class Sparse:
    """The least that serves."""

    fingerprint = "sparse"

    def __len__(self):
        return 30

    def load_batch(self, indices, size):
        return DrawnFaces(30).load_batch(indices, size)


def test_a_source_or_an_array_is_scored_outside_of_fit(trained, tmp_path, blocks):
    generator = trained[2].averaged_generator
    array = DrawnFaces(30).load_batch(list(range(30)), 32)
    path = str(tmp_path / "best.keras")
    scores = [
        Evaluation(one, 2, 20, blocks, generator, path, verbose=0).evaluate() for one in (Sparse(), array, array / 127.5 - 1)
    ]
    assert all(one == scores[0] for one in scores) and np.isfinite(scores[0]["KID-blocks"])
    assert np.array_equal(load_generator(path).get_weights()[0], generator.get_weights()[0])
    with pytest.raises(InputError, match="Evaluation has no generator to score"):
        Evaluation(array, 2, 20, blocks).evaluate()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every: 0 is not"),
        ({"samples": 2.5}, "samples: 2.5 is not"),
        ({"best_path": "best.h5"}, r"best_path: 'best\.h5' does not end in \.keras"),
        ({"pictures": tf.data.Dataset.range(3)}, "no set of pictures that can be read at any place"),
    ],
)
def test_what_an_evaluation_cannot_use_is_told_at_once(options, message, blocks):
    with pytest.raises(InputError, match=message):
        Evaluation(**{"pictures": DrawnFaces(30), "extractor": blocks, **options})


def test_too_few_held_out_pictures_are_told_before_training(blocks):
    with pytest.raises(InputError, match="5 real pictures are too few"):
        Evaluation(DrawnFaces(5), extractor=blocks)


def test_the_callback_serves_other_models(blocks, capsys):
    """Any Keras model that trains with any generator in it."""
    generator = build_generator(32, latent_size=8, widths=(8, 8, 8))
    model = keras.Sequential([generator, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(loss="mse")
    evaluation = Evaluation(DrawnFaces(30), 2, 20, blocks, generator)
    history = model.fit(np.zeros((12, 8)), np.zeros((12, 1)), batch_size=4, epochs=2, verbose=0, callbacks=[evaluation]).history
    assert evaluation.step == 6
    assert history["KID-blocks"][-1] == evaluation.scores["KID-blocks"]  # for EarlyStopping and the like
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 4", "step 6"] and "KID-blocks" in lines[0]


def test_steps_are_the_models_own(blocks, capsys):
    """Of 7 steps, 4 in an execution, the second execution has 3."""
    gan = make_small_gan(steps_per_execution=4)
    evaluation = Evaluation(DrawnFaces(30), 4, 20, blocks)
    for expected in (7, 11):
        pictures = tf.data.Dataset.from_tensors(PICTURES).repeat(expected - int(gan.step))
        gan.fit(pictures, shuffle=False, verbose=0, callbacks=[evaluation])
        assert evaluation.step == int(gan.step) == expected
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["step 4", "step 11"]


def test_stretches_of_steps_end_where_scores_are_due(blocks, tmp_path):
    gan, history = small_gan(traced=True), History(tmp_path / "history.csv", 4)
    images = tf.constant(PICTURES)

    def give(step):
        return images

    loop.train(gan, lambda: give, 10, [Evaluation(DrawnFaces(30), 4, 20, blocks, verbose=0), history])
    logs = read_history(tmp_path / "history.csv")
    assert logs["step"][np.isfinite(logs["KID-blocks"])].tolist() == [4, 8]
    assert gan.history.history["KID-blocks"] == [logs["KID-blocks"][7]]


def test_the_metric_is_the_kernel_distance_of_batches(blocks):
    metric = KernelDistance(blocks)
    assert metric.name == "KID-blocks"
    images = np.stack([DrawnFaces(40).load_batch(list(range(40)), 32), DrawnFaces(80).load_batch(list(range(40, 80)), 32)])
    expected = []
    for start in (0, 20):
        real, other = images[:, start : start + 20]
        metric.update_state(real / 127.5 - 1, other / 127.5 - 1)
        expected.append(kernel_distance(blocks(real)["features"], blocks(other)["features"], 20, 1)[0])
    metric.update_state(real[:1] / 127.5 - 1, other[:1] / 127.5 - 1)  # the rest of an epoch may be one picture
    assert float(metric.result()) == pytest.approx(np.mean(expected), abs=1e-5)
    metric.reset_state()
    assert np.isnan(metric.result())  # 0 would be a perfect score
    metric.update_state(real[:1], other[:1])
    assert np.isnan(metric.result())


def test_the_metric_takes_the_pictures_that_a_gan_takes(blocks):
    metric, pixels = KernelDistance(blocks), DrawnFaces(8).load_batch(list(range(8)), 32)
    real, other = pixels[:4], pixels[4:]
    metric.update_state(real, other)
    scores = [float(metric.result())]
    metric.reset_state()
    metric.update_state(real / 127.5 - 1, other / 127.5 - 1)
    assert scores == pytest.approx([float(metric.result())], abs=1e-6)
    for scale in (1, 255):
        metric.reset_state()
        with pytest.raises(InputError, match=r"must be float in \[-1, 1\] or uint8"):
            metric.update_state(real / scale, other / scale)


def test_a_model_with_the_metric_can_be_saved(blocks, tmp_path):
    gan = make_small_gan(metrics=[KernelDistance(blocks)])
    assert "KID-blocks" in gan.metrics_names
    expected = gan.evaluate(PICTURES, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.evaluate(PICTURES, verbose=0) == expected
    config = loaded._metrics_of_images()[0].get_config()
    with pytest.raises(InputError, match="other weights of blocks"):
        KernelDistance.from_config({**config, "weights": "0"})
