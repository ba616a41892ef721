"""Training with scores and scoring, as a user meets them, with the real lite0 network."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ganime.cli import cli
from ganime.commands.evaluate import _open_generator, _open_images, _open_real, hold_out, only_training, warn_of_seen
from ganime.commands.fit import FLATTERED
from ganime.data.drawn import DrawnFaces, draw_face
from ganime.data.folder import PictureFolder
from ganime.data.labelled import hash_labels, label_pictures
from ganime.data.split import Selection
from ganime.history import read_history
from ganime.metrics import while_training
from ganime.networks import build_generator
from ganime.run import Run
from tests.conftest import PLAIN

OPTIONS = [word for text in PLAIN for word in ("--set", text)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def run(*arguments):
    """What the command prints, if it ends well."""
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_training_with_scores_to_a_score(monkeypatch, tmp_path, one_extractor, one_gan):
    (tmp_path / "faces").mkdir()
    for i in range(150):
        Image.fromarray(draw_face(i, 32)).save(tmp_path / "faces" / f"{i}.png")
    monkeypatch.setattr(while_training, "Evaluation", partial(while_training.Evaluation, samples=12))
    out = run("fit", "--data", "faces", "--steps", "2", "--evaluate-every", "2", "--run", "scored", *OPTIONS)
    assert "step 2: FD-lite0" in out and "of 150 pictures in faces" in out
    history = read_history(Run("scored").history_path)
    out = run("evaluate", "scored", "--data", "faces", "--part", "test", "--samples", "12")
    line = json.loads(out.splitlines()[-1])
    assert f"KID-lite0  {line['scores']['KID-lite0']:.4g}" in out
    assert line["scores"] == pytest.approx({name: history[name][1] for name in line["scores"]}, rel=1e-5)
    assert (line["samples"], line["size"], line["real"]["part"], line["truncation"]) == (12, 32, "test", 1.0)
    kept = Run("scored").evaluations_path.read_text().splitlines()
    assert [json.loads(text) for text in kept] == [line]

    # Heads on lite0's own features join, and scores by it are said to flatter.
    assert FLATTERED not in out
    heads = ("--from", "scored", "--run", "heads", "--set", "feature_weight=1")
    assert FLATTERED in run("fit", "--data", "faces", "--steps", "2", "--evaluate-every", "2", *heads)
    assert read_history(Run("heads").history_path)["step"].tolist() == [1, 2]

    # On with more pictures: what was held out is other pictures now, so the best generator is looked for anew.
    (tmp_path / "more").mkdir()
    for i in range(150, 180):
        Image.fromarray(draw_face(i, 32)).save(tmp_path / "more" / f"{i}.png")
    scored = ("--steps", "4", "--evaluate-every", "2", "--run", "scored", *OPTIONS)
    before = Run("scored").best_path.read_bytes()
    refused = CliRunner().invoke(cli, ["fit", "--data", "faces", "--data", "more", *scored])
    assert refused.exit_code == 2 and "use --changed-data" in refused.output
    out = run("fit", "--data", "faces", "--data", "more", "--changed-data", *scored)
    assert " of 150 pictures in faces and below + 30 pictures in more and below" in out and "(best so far)" in out
    config = Run("scored").read_config()
    assert [(data["step"], data["name"]) for data in config["data_before"]] == [(2, "faces")]
    assert config["data"]["name"] == "faces+more"
    assert (Run("scored").path / "best-until-step-000002.keras").read_bytes() == before != Run("scored").best_path.read_bytes()

    out = run("evaluate", "--images", "faces", "--data", "faces", "--samples", "12", "--real-samples", "15", "--size", "32")
    assert json.loads(out.splitlines()[-1])["real"]["pictures"] == 15
    assert 15 in {len(np.load(path)) for path in (tmp_path / "keras").rglob("features-*.npy")}  # and no more were looked at

    out = run("evaluate", "--images", "more", "--data", "more", "--samples", "20", "--size", "32", "--nearest", "n.png")
    scores = json.loads(out.splitlines()[-1])["scores"]
    assert scores["precision-lite0"] == 1 and scores["authenticity-lite0"] == 0
    with Image.open("n.png") as nearest:
        left, right = nearest.crop((2, 2, 34, 34)), nearest.crop((36, 2, 68, 34))
        assert left.tobytes() == right.tobytes()  # its own copy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either"),
        (["run", "--images", "x"], "give either"),
        (["nowhere", "--data", "."], "there is no run nowhere"),
        (["nowhere.keras"], "--data is missing"),
        (["--images", ".", "--data", ".", "--truncation", "0.5"], "--truncation is for a generator"),
        (["run", "--data", ".", "--size", "64"], "--size for --images"),
        (["run", "--data", "faces", "--part", "test", "--nearest", "n.png"], "--part test leaves out"),
        (["run", "--data", "faces", "--real-samples", "9", "--nearest", "n.png"], "--real-samples leaves out"),
        (["--images", "faces", "--data", "faces", "--real-samples", "9"], "9 real pictures are too few"),
        (["nowhere.keras", "--data", "faces"], "nowhere.keras does not exist"),
        (["--images", "faces", "--data", "faces", "--network", "vgg"], "vgg' is not one of 'inception', 'lite0'"),
        (["--images", "faces", "--data", "faces", "--nearest", "near"], "must end like a picture's"),
        (["--images", "faces", "--data", "faces", "--nearest", "faces/n.png"], "lies in the folder of pictures"),
        (["--images", "faces", "--data", "faces", "--samples", "9"], "9 scored pictures are too few"),
        (["--images", "faces", "--data", "faces", "--weights", "w.pth"], "w.pth cannot be read"),
    ],
)
def test_wrong_usage_is_one_line(arguments, message, faces):
    result = CliRunner().invoke(cli, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert message in result.output.splitlines()[-1]


def test_a_run_is_scored_on_what_it_was_trained_on(faces):
    drawn, own = Run("drawn"), Run("own")
    for run, pictures in ((drawn, DrawnFaces()), (own, PictureFolder(faces))):
        data = {"name": "drawn-faces", "pictures": len(pictures), "fingerprint": pictures.fingerprint}
        run.open({"recipe": {}, "seed": 0, "data": data})
        build_generator(32, latent_size=8, widths=(8, 8, 8)).save(run.generator_path)
    assert len(_open_real(None, drawn)) == 20_000
    for arguments, message in (
        (["own"], "--data is missing"),  # whatever its name
        (["own", "--data", "faces", "--part", "test"], "own was not trained on these pictures without the test part"),
        (["drawn", "--data", "faces", "--part", "train"], "drawn was not trained on these pictures without the test part"),
    ):
        result = CliRunner().invoke(cli, ["evaluate", *arguments])
        assert result.exit_code == 2 and message in result.output.splitlines()[-1]


def test_a_generators_array_is_scored_as_the_generator_is(tmp_path):
    """The pictures are the same ones in the same order, and so are the scores."""
    build_generator(32, latent_size=8, widths=(8, 8, 8)).save("g.keras")
    run("generate", "--model", "g.keras", "--seeds", "3-202", "--output", "faces.npz")
    run("generate", "--model", "g.keras", "--seeds", "3-202", "--output", "faces")
    generated, size, _ = _open_generator(Path("g.keras"), 200, 3, 1.0)
    expected = generated.load_batch(range(200), size)
    for given in ("faces.npz", "faces"):
        pictures, size, _ = _open_images(given, 200, 0, 32)
        assert np.array_equal(pictures.load_batch([*range(200)], size), expected)
    with np.load("faces.npz") as arrays:
        assert np.array_equal(arrays["arr_0"], expected)


def test_a_warning_where_what_is_held_out_may_have_been_seen(faces, caplog):
    own, before = Run("own"), {"step": 3, "name": "all", "pictures": 9, "fingerprint": "f" * 64}
    train = Selection(PictureFolder(faces), np.arange(9))
    data = {"name": "faces", "pictures": 9, "fingerprint": train.fingerprint}
    for passed, warned in (([], False), ([{**before, "fingerprint": train.fingerprint}], False), ([before], True)):
        own.config_path.unlink(missing_ok=True)
        own.open({"recipe": {}, "seed": 0, "data": data, "data_before": passed})
        warn_of_seen(own, train)
        assert ("run own was trained on all of all: where these are" in caplog.text) == warned


def test_the_best_score_is_one_by_the_same_labels(monkeypatch, one_extractor):
    monkeypatch.setattr(while_training, "Evaluation", partial(while_training.Evaluation, samples=12))
    own, (before, now) = Run("own"), (label_pictures(DrawnFaces(150), [*names] * 50) for names in ("aab", "abb"))
    train = only_training(before, 32)
    data = {"name": "own", "pictures": len(train), "fingerprint": train.fingerprint, "labels": hash_labels(train)}
    own.open({"recipe": {}, "seed": 0, "data": data})
    own.history_path.write_text("step,KID-lite0\n2,0.25\n")
    assert [hold_out(pictures, 32, 2, own)[1].best for pictures in (before, now)] == [0.25, np.inf]


def test_scores_that_would_never_be_made(faces):
    result = CliRunner().invoke(cli, ["fit", "--data", "faces", "--steps", "5", "--evaluate-every", "6"])
    assert result.exit_code == 2 and "never reached" in result.output
