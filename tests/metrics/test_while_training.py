import keras
import numpy as np
import pytest

from ganime.data.drawn import DrawnFaces
from ganime.data.split import split
from ganime.metrics.distances import kernel_distance
from ganime.metrics.evaluation import GeneratedPictures, evaluate
from ganime.metrics.while_training import Evaluation, KernelDistance
from ganime.networks import build_generator
from ganime.runs import Run, read_history
from ganime.sampling import load_generator
from ganime.training import fit


def train(run, recipe, extractor, steps, **options):
    """Train with a score each second step; the callback and the trained model."""
    training, held_out = split(DrawnFaces(200), 32)
    evaluation = Evaluation(
        held_out, 2, 20, extractor, best_path=run.best_path, history_path=run.history_path, verbose=0, **options
    )
    return evaluation, fit(run, recipe, training, steps, callbacks=(evaluation,))


def test_scores_are_in_the_history_and_the_best_generator_is_kept(tmp_path, tiny, blocks):
    run = Run(tmp_path / "run")
    evaluation, gan = train(run, tiny, blocks, 7)
    history = read_history(run.history_path)
    kernel = history["KID-blocks"]
    assert np.isfinite(kernel).tolist() == [False, True, False, True, False, True, False]
    assert (run.path / "quality.png").exists()
    assert evaluation.best == np.nanmin(kernel)
    best = GeneratedPictures(load_generator(run.best_path), 20)
    assert evaluate(best, evaluation.pictures, blocks, 32)["KID-blocks"] == pytest.approx(evaluation.best, rel=1e-9)
    assert all(np.isfinite(history[name]).sum() == 3 for name in ("FD-blocks", "recall-blocks", "KID-blocks-deviation"))


def test_an_interrupted_run_has_the_same_scores(tmp_path, tiny, blocks):
    whole, parts = Run(tmp_path / "whole"), Run(tmp_path / "parts")
    train(whole, tiny, blocks, 6)
    train(parts, tiny, blocks, 3)
    continued, _ = train(parts, tiny, blocks, 6)
    histories = [read_history(run.history_path) for run in (whole, parts)]
    for name in ("KID-blocks", "FD-blocks", "d_loss"):
        assert np.array_equal(histories[0][name], histories[1][name], equal_nan=True)
    assert continued.best == np.nanmin(histories[0]["KID-blocks"])


def test_a_worse_generator_does_not_replace_the_best(tmp_path, tiny, blocks):
    run = Run(tmp_path / "run")
    evaluation, gan = train(run, tiny, blocks, 2)
    kept = run.best_path.read_bytes()
    gan.averaged_generator.set_weights([0 * weight for weight in gan.averaged_generator.get_weights()])  # grey
    assert evaluation.evaluate()["KID-blocks"] > evaluation.best
    assert run.best_path.read_bytes() == kept


def test_scores_do_not_change_the_training(tmp_path, tiny, blocks):
    plain, scored = Run(tmp_path / "plain"), Run(tmp_path / "scored")
    gans = [fit(plain, tiny, split(DrawnFaces(200), 32)[0], 4), train(scored, tiny, blocks, 4)[1]]
    for one, other in zip(*(gan.get_weights() for gan in gans), strict=True):
        assert np.array_equal(one, other)


def test_the_callback_serves_other_models(blocks, capsys):
    """Any Keras model that trains with any generator in it."""
    generator = build_generator(32, latent_size=8, widths=(8, 8, 8))
    model = keras.Sequential([generator, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(loss="mse")
    evaluation = Evaluation(DrawnFaces(30), 2, 20, blocks, generator)
    model.fit(np.zeros((12, 8)), np.zeros((12, 1)), batch_size=4, epochs=2, verbose=0, callbacks=[evaluation])
    assert evaluation.step == 6
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 4", "step 6"] and "KID-blocks" in lines[0]


def test_the_metric_is_the_kernel_distance_of_batches(blocks):
    metric = KernelDistance(blocks)
    assert metric.name == "KID-blocks"
    images = np.stack([DrawnFaces(40).load_batch(list(range(40)), 32), DrawnFaces(80).load_batch(list(range(40, 80)), 32)])
    expected = []
    for start in (0, 20):
        real, other = images[:, start : start + 20]
        metric.update_state(real / 127.5 - 1, other / 127.5 - 1)
        expected.append(kernel_distance(blocks(real)["features"], blocks(other)["features"])[0])
    assert float(metric.result()) == pytest.approx(np.mean(expected), abs=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0
