"""Generators with labels: latents, walks, files, and the commands that show faces of a label."""

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import ganime
from ganime.cli import cli
from ganime.errors import InputError
from ganime.generation import latents
from ganime.generation.conditions import between, choose_labels, make_latents, truncate
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.networks import build_generator
from ganime.pictures.grids import make_grid
from tests.generation.test_sampling import trained

NAMES = ("blonde", "a, b", "a/b", "a b")
ONE_HOT = np.eye(4, dtype=np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("labelled") / "g.keras"
    trained(build_generator(32, 8, (8, 8, 8), labels=NAMES)).save(path)
    return path


@pytest.fixture(scope="module")
def generator(path):
    return ganime.load_generator(path)


@pytest.fixture
def call(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(command, *arguments):
        result = CliRunner().invoke(cli, [command, "--model", str(path), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output.splitlines()[-1] if result.exit_code else None

    return call


def test_a_latent_is_the_seeds_and_behind_it_its_labels_weights(generator):
    plain = latents.from_seeds([0, 5, 6, 3], 8, 0.5)
    for labels, rows in ((None, [0, 1, 2, 3]), ("a/b", [2] * 4), ([*NAMES[::-1]], [3, 2, 1, 0]), (ONE_HOT / 2, None)):
        points = make_latents(generator, [0, 5, 6, 3], 0.5, labels)
        assert np.array_equal(points[:, :8], plain)
        assert np.array_equal(points[:, 8:], ONE_HOT / 2 if rows is None else ONE_HOT[rows])
    assert make_latents(generator, []).shape == make_latents(generator, [], labels="blonde").shape == (0, 12)


@pytest.mark.parametrize("labels", ["brown", ["blonde"] * 3, ONE_HOT[:2, :3], np.full((2, 4), np.nan)])
def test_labels_that_are_none_are_refused(generator, labels):
    with pytest.raises(InputError, match="label"):
        make_latents(generator, [0, 1], labels=labels)


def test_a_generator_without_labels_takes_none():
    generator = build_generator(32, 8, (8, 8, 8))
    assert np.array_equal(make_latents(generator, [7]), latents.from_seeds([7], 8))
    with pytest.raises(InputError, match="has no labels"):
        make_latents(generator, [7], labels="blonde")


def test_truncation_and_ways_leave_labels_whole(generator):
    one, other = make_latents(generator, [1, 2], labels=["blonde", "a b"])
    short = truncate(one[None], 0.5, 4)[0]
    assert np.array_equal(short[:8], one[:8] * np.float32(0.5)) and np.array_equal(short[8:], one[8:])
    way = between(one, other, np.array([0, 0.25, 1]), 4)
    assert np.array_equal(way[[0, 2]], [one, other]) and np.array_equal(way[1, 8:], [0.75, 0, 0, 0.25])
    assert np.array_equal(way[:, :8], latents.slerp(one[:8], other[:8], np.array([0, 0.25, 1])))
    same = between(one, make_latents(generator, [2], labels="blonde")[0], np.array([0.5]), 4)
    assert np.array_equal(same[0, 8:], ONE_HOT[0])


def test_numpy_and_keras_draw_the_same_faces_of_a_label(path, generator):
    fast = NumpyGenerator(path)
    assert fast.labels == ganime.labels_of(generator) == NAMES
    faces = [ganime.sample(one, [3, 4], labels="a, b").astype(int) for one in (fast, generator)]
    assert np.abs(faces[0] - faces[1]).max() <= 1
    assert np.abs(faces[0] - ganime.sample(fast, [3, 4], labels="blonde")).max() > 20


def test_walks_and_mixes_lead_from_label_to_label(generator):
    points = np.concatenate([make_latents(generator, [7], labels=name) for name in NAMES[:2]])
    walk = np.stack([*ganime.walk(generator, points, frames=3)])
    assert len(walk) == 6 and (walk == ganime.paint(generator, points[1:])).all((1, 2, 3)).any()
    row = ganime.mix(generator, points, steps=3)
    middle = make_latents(generator, [7], labels=(ONE_HOT[:1] + ONE_HOT[1:2]) / 2)
    assert np.abs(row[1].astype(int) - ganime.paint(generator, middle)[0]).max() <= 1


def test_a_label_is_chosen_by_its_name_though_it_has_a_comma():
    assert choose_labels(["a, b", "blonde,a/b"], NAMES) == ["a, b", "blonde", "a/b"]
    with pytest.raises(InputError, match=r"no label 'blond'; it has .*; did you mean blonde\?"):
        choose_labels(["blond"], NAMES)
    with pytest.raises(InputError, match="it has none"):
        choose_labels(["x"], ())


def test_a_grid_has_a_row_for_each_label(call, generator):
    assert call("generate", "--output", "all.png") is None  # four rows of eight, and a column of names
    assert call("generate", "--label", "a b,blonde", "--seeds", "3,4,5", "--output", "two.png") is None
    for name, labels, seeds in (("all.png", NAMES, range(8)), ("two.png", ["a b", "blonde"], [3, 4, 5])):
        grid = np.asarray(Image.open(name)).astype(int)
        assert grid.shape[0] == 34 * len(labels) + 2 and grid.shape[1] > 34 * len(seeds) + 2
        faces = np.concatenate([ganime.sample(generator, seeds, labels=label) for label in labels])
        expected = make_grid(faces, len(seeds))
        assert np.abs(grid[:, -expected.shape[1] :] - expected).max() <= 1
    assert call("generate", "--seeds", "0-5", "--output", "turn.npz") is None
    assert np.abs(np.load("turn.npz")["arr_0"].astype(int) - ganime.sample(generator, range(6))).max() <= 1


def test_files_have_their_label_in_their_names(call, tmp_path):
    assert call("generate", "--label", "a b", "--label", "blonde", "--seeds", "3-4", "--output", "some") is None
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == [
        f"face-00000{seed}-{label}.png" for seed in (3, 4) for label in ("a_b", "blonde")
    ]
    assert call("generate", "--label", "a b", "--label", "a/b", "--seeds", "3", "--output", "alike") is None
    assert sorted(path.name for path in (tmp_path / "alike").iterdir()) == ["face-000003-0-a_b.png", "face-000003-1-a_b.png"]


def test_latents_of_a_file_take_a_label(call, generator):
    np.save("plain.npy", latents.from_seeds([3], 8))
    assert "holds latents without labels: choose one with --label, of 'blonde'" in call("generate", "--latents", "plain.npy")
    arguments = ("--latents", "plain.npy", "--truncation", "0.5", "--label", "a/b")
    assert call("generate", *arguments, "--output", "one.npz", "--save-latents", "whole.npy") is None
    assert np.array_equal(np.load("whole.npy"), make_latents(generator, [3], 0.5, "a/b"))
    assert call("generate", "--latents", "whole.npy", "--output", "same.npz") is None
    assert np.array_equal(np.load("one.npz")["arr_0"], np.load("same.npz")["arr_0"])
    np.save("other.npy", np.zeros((1, 9), np.float32))
    assert "latents of 9 numbers; those of this generator have 12" in call(
        "generate", "--latents", "other.npy", "--label", "a b"
    )


def test_a_walk_of_labels_is_one_face_from_label_to_label(call):
    assert call("walk", "--label", "blonde,a/b", "--fps", "3", "--scale", "1", "--output", "strip.png") is None
    assert Image.open("strip.png").size == (3 * 32, 2 * 32)
    arguments = ("--label", "blonde", "--label", "a b", "--seeds", "1,2", "--grid", "1x2", "--fps", "1", "--scale", "1")
    assert call("walk", *arguments, "--output", "w.gif") is None
    assert Image.open("w.gif").size == (64, 32)
    assert call("mix", "--label", "blonde,a b", "--seeds", "1,2", "--scale", "1", "--steps", "3", "--output", "m.png") is None


def test_edits_of_a_generator_with_labels_are_refused_in_a_line(call, path):
    result = CliRunner().invoke(cli, ["edits", str(path)])
    assert result.exit_code == 2 and "edits are found for generators without labels" in result.output


@pytest.mark.parametrize("name", ["labels>a", "labels>a>a", "labels>" + ">".join("abcdefghijkl")])
def test_a_file_whose_labels_cannot_be_is_refused(tmp_path, name):
    points = keras.Input((12,))
    x = keras.layers.Conv2DTranspose(3, 4)(keras.layers.Reshape((1, 1, 12), name=name)(points))
    keras.Model(points, keras.layers.Activation("tanh")(x)).save(tmp_path / "bad.keras")
    with pytest.raises(InputError, match=r"labels"):
        ganime.load_generator(tmp_path / "bad.keras")
