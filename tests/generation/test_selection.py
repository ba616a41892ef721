"""A judge of faces: what it is made of, whom it prefers, and the command that asks it."""

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import ganime
from ganime.cli import cli
from ganime.data.drawn import draw_face
from ganime.errors import InputError
from ganime.generation import refining, selection
from ganime.generation.conditions import make_latents
from ganime.generation.selection import Judge, judge_path
from ganime.networks import build_generator
from tests.conftest import FACES64

# Of the first 64 faces of the generator that ships: the best, and those with a smeared or misplaced part.
KEPT = 0, 4, 8, 15, 22, 24, 47, 49
BROKEN = 13, 17, 23, 30, 31, 38, 55


def some_judge():
    rng = np.random.default_rng(0)
    return Judge(rng.normal(size=1280), np.zeros((25, 112)), 0.01 * rng.normal(size=(25, 112, 112)), 1.0)


def mover_of(judge, generator):
    return refining.mover(generator, judge._features.model, judge.weights, judge.means, judge.axes)


def arrays_of(judge):
    return {name: getattr(judge, name) for name in selection._SHAPES}


def seen(features, places=None):
    """As a feature extractor returns it; without places there is nothing to tell them by."""
    return {"features": features, "places": np.zeros((len(features), 1, 2)) if places is None else places}


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch):
    monkeypatch.setattr(selection, "LEAST", 8)


@pytest.fixture(scope="module")
def untrained():
    return build_generator(32, 8, (8, 8, 8), initializer="normal")


@pytest.fixture
def saved(tmp_path, monkeypatch, untrained):
    """The file of a generator, in the working directory."""
    monkeypatch.chdir(tmp_path)
    untrained.save("g.keras")
    return "g.keras"


def test_between_two_normal_distributions_the_ratio_is_fishers_discriminant():
    """With one covariance its logarithm is linear, of slope covariance⁻¹ (mean - other mean)."""
    rng = np.random.default_rng(0)
    factor, shift = rng.normal(size=(4, 4)), np.array([1.0, -0.5, 0.0, 0.3])
    real, generated = (rng.normal(size=(20_000, 4)) @ factor.T + sign * shift / 2 for sign in (1, -1))
    truth = np.linalg.solve(factor @ factor.T, shift)
    weights = Judge.between(seen(real), seen(generated)).weights
    assert weights @ truth / np.linalg.norm(weights) / np.linalg.norm(truth) > 0.8
    back = Judge.between(seen(generated), seen(real)).weights
    assert np.allclose(weights, -back, rtol=0.05, atol=0.01)


def test_the_distance_is_mahalanobis_at_each_place_and_their_sum(monkeypatch):
    monkeypatch.setattr(selection, "SPREAD", 0)
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(6, 5, 5))  # every place has a covariance of its own
    real, points = (np.einsum("npi,pij->npj", rng.normal(size=(n, 6, 5)), mixing) + 3 for n in (500, 20))
    judge = Judge.between(seen(rng.normal(size=(500, 2)), real), seen(rng.normal(size=(100, 2)), real[:100] + 0.1))
    distances, known = refining.distances_at(points, judge.means, judge.axes), 0
    for place in range(6):
        centered = points[:, place] - real[:, place].mean(0)
        known += np.einsum("ni,ij,nj->n", centered, np.linalg.inv(np.cov(real[:, place], rowvar=False)), centered)
    assert np.allclose(distances / known, distances[0] / known[0], rtol=1e-3)


def test_a_part_that_no_picture_has_at_its_place_is_seen(monkeypatch):
    """Two places, two kinds of content: both kinds are known, at one place each. Few pictures are enough."""
    monkeypatch.setattr(selection, "LEAST", 20)
    rng = np.random.default_rng(4)
    real = rng.normal(size=(20, 2, 112)) + np.eye(112)[:2] * 9
    judge = Judge.between(seen(rng.normal(size=(20, 2)), real), seen(rng.normal(size=(20, 2)), real + 0.1))
    whole = rng.normal(size=(50, 2, 112)) + np.eye(112)[:2] * 9
    distances = [refining.distances_at(p, judge.means, judge.axes) for p in (whole, whole[:, ::-1])]
    assert distances[0].numpy().max() < distances[1].numpy().min()


def test_both_count_as_they_should():
    """On the generator's faces both have the same deviation."""
    rng = np.random.default_rng(2)
    real, generated = (seen(rng.normal(m, size=(n, 6)), rng.normal(m, size=(n, 4, 3))) for m, n in ((0, 300), (0.3, 400)))
    judge = Judge.between(real, generated)
    assert np.std(generated["features"] @ judge.weights) == pytest.approx(1, rel=1e-3)
    distances = refining.distances_at(generated["places"], judge.means, judge.axes)
    assert np.std(distances) == pytest.approx(selection.PARTS, rel=1e-3)
    assert np.mean(distances <= judge.whole) == pytest.approx(selection.WHOLE, abs=0.01)


def test_features_that_never_differ_count_for_nothing():
    rng = np.random.default_rng(3)
    a, b = (np.c_[rng.normal(mean, size=(40, 2)), np.full(40, 7.0)] for mean in (0, 1))
    judge = Judge.between(*(seen(x, x[:, None]) for x in (a, b)))
    assert np.isfinite(judge.weights).all() and abs(judge.weights[2]) < 1e-3 < abs(judge.weights[0])
    assert np.isfinite(judge.axes).all()


def test_it_finds_pictures_more_real_than_what_a_generator_makes(monkeypatch, one_extractor, untrained):
    monkeypatch.setattr(selection, "DRAWN", 32)
    faces, told = np.stack([draw_face(i, 32) for i in range(48)]), []
    judge = Judge.train(untrained, faces[:32], lambda *done: told.append(done))
    made = ganime.sample(untrained, range(16))
    assert judge.score(faces[32:]).min() > judge.score(made).max()  # of others than it was made with
    assert told[-1] == (64, 64)


def test_the_best_are_those_of_the_highest_score_in_their_order(one_extractor, untrained):
    judge = some_judge()
    points, told = ganime.from_seeds(range(70), 8), []
    kept = judge.best(untrained, points, 5, lambda *done: told.append(done))
    scores = judge.score(ganime.paint(untrained, points))
    assert kept.tolist() == sorted(np.argsort(-scores)[:5].tolist()) and told == [(64, 70), (70, 70)]
    for count in (0, 71, 2.0):
        with pytest.raises(InputError, match="count"):
            judge.best(untrained, points, count)


def test_a_latent_is_moved_along_the_gradient_on_its_sphere(one_extractor):
    """Found by finite differences of what is to grow; at length 0 there is nowhere to go."""
    generator = build_generator(32, 8, (8, 8, 8), initializer="glorot")
    judge, points = some_judge(), ganime.from_seeds(range(3), 8)
    move = mover_of(judge, generator)
    moved, before, finite = (array.numpy() for array in move(points, [0.1] * 3, [2.0] * 3))
    extract = judge._features.model

    def parts(latents):
        found = extract((generator(latents, training=False) + 1) * 127.5)
        distances = refining.distances_at(found["places"], judge.means, judge.axes).numpy()
        return found["features"].numpy() @ judge.weights, distances

    def value(latents):
        ratio, distances = parts(latents)
        return 2 * ratio - distances

    assert finite and np.allclose(before, parts(points)[1], rtol=1e-3)
    slope = np.stack([value(points + step) - value(points - step) for step in 1e-2 * np.eye(8, dtype=np.float32)], 1)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    slope -= points * (points * slope).sum(1, keepdims=True) / lengths**2
    way = moved - np.cos(0.1) * points
    assert np.allclose(np.linalg.norm(moved, axis=1, keepdims=True), lengths, rtol=1e-5)
    assert np.allclose(np.linalg.norm(way, axis=1, keepdims=True), np.sin(0.1) * lengths, rtol=1e-4)
    assert ((way * slope).sum(1) / np.linalg.norm(way, axis=1) / np.linalg.norm(slope, axis=1)).min() > 0.98
    assert not move(0 * points, [0.1] * 3, [2.0] * 3)[0].numpy().any()
    for scale in (1e-30, 1e6, 1e30):  # where squares of lengths, or gradients, are no float32, too
        moved = move(scale * points, [0.1] * 3, [2.0] * 3)[0].numpy()
        assert np.allclose(np.linalg.norm(moved / scale, axis=1, keepdims=True), lengths, rtol=1e-5)


def test_weights_of_labels_stay(one_extractor):
    generator = build_generator(32, 8, (8, 8, 8), initializer="normal", labels=("a", "b"))
    points = make_latents(generator, range(3))
    moved = mover_of(some_judge(), generator)(points, [0.1] * 3, [1.0] * 3)[0].numpy()
    assert np.array_equal(moved[:, 8:], points[:, 8:]) and not np.isclose(moved[:, :8], points[:, :8]).all(1).any()


def test_broken_faces_are_refined_and_whole_ones_stay(one_extractor):
    """Those of the generator that ships."""
    generator, judge, told = ganime.load_generator(), Judge.load(), []
    points = ganime.from_seeds([*KEPT, *BROKEN], 128)
    refined = judge.refine(generator, points, lambda *done: told.append(done))
    before, after = (
        refining.distances_at(judge._features(ganime.paint(generator, some))["places"], judge.means, judge.axes).numpy()
        for some in (points, refined)
    )
    stay, kept = (refined == points).all(1), len(KEPT)
    assert stay[:kept].any() and not stay[kept:].any() and before[stay].max() < judge.whole + 0.05
    whole = after < judge.whole + 0.1
    assert whole.sum() >= len(points) - 1 and not (before < judge.whole + 0.1)[kept:].any() and (after < before)[kept:].all()
    alone = len(points) - 2  # and what becomes of a face does not depend on the others
    assert np.array_equal(judge.refine(generator, points[alone:][::-1])[::-1], refined[alone:])
    assert told[-1] == (len(points), len(points)) and told == sorted(told)
    turned = (refined * points).sum(1) / np.square(points).sum(1)
    assert turned.min() > np.cos(0.6)  # of one face with that of its seed


def test_latents_that_make_no_faces_are_told(one_extractor):
    generator = build_generator(32, 8, (8, 8, 8), initializer="normal")
    generator.set_weights([np.full_like(array, np.nan) for array in generator.get_weights()])
    with pytest.raises(InputError, match="not finite numbers"):
        some_judge().refine(generator, ganime.from_seeds([0], 8))
    with pytest.raises(InputError, match="latents are"):
        some_judge().refine(generator, ganime.from_seeds([0], 9))
    assert some_judge().refine(generator, np.zeros((0, 8))).shape == (0, 8)


def test_images_without_a_gradient_are_told(one_extractor):
    points = keras.Input((8,))
    images = keras.layers.Reshape((32, 32, 3))(keras.layers.Dense(32 * 32 * 3, "tanh")(points))
    with pytest.raises(InputError, match="have no gradient"):
        some_judge().refine(keras.Model(points, keras.ops.round(images)), ganime.from_seeds([0], 8))


def test_what_does_not_become_whole_stays_as_whole_as_it_was(monkeypatch, one_extractor):
    """Steps that are far too long mostly lead away; the best place of all is kept."""
    monkeypatch.setattr(selection, "FIRST_STEP", 2.0)
    monkeypatch.setattr(selection, "STEPS", 5)
    generator, judge = build_generator(32, 8, (8, 8, 8), initializer="glorot"), some_judge()
    judge.whole = 0.0
    points = ganime.from_seeds(range(8), 8)
    refined, move = judge.refine(generator, points), mover_of(judge, generator)
    here, seen = points, []
    for left in np.linspace(1, 0, 5, endpoint=False):
        after, distances, _ = (array.numpy() for array in move(here, [2.0 * left] * 8, [selection.FIRST_RATIO * left**3] * 8))
        seen.append(distances)
        here = after
    least = np.min(seen, 0)
    assert (least < seen[-1]).any() and np.allclose(move(refined, [0.1] * 8, [1.0] * 8)[1], least, rtol=1e-4)


def test_a_judge_lies_beside_its_generator_and_knows_it(saved, untrained):
    with pytest.raises(InputError, match=r"no judge of g\.keras; generate makes one with --data PICTURES"):
        Judge.load(saved)
    some_judge().save(saved)
    loaded = arrays_of(Judge.load(saved))
    assert all(np.array_equal(loaded[name], array) for name, array in arrays_of(some_judge()).items())
    build_generator(32, 8, (8, 8, 8)).save(saved)
    with pytest.raises(InputError, match="earlier state"):
        Judge.load(saved)
    untrained.save(saved)
    for damage in (np.full(1280, np.nan, np.float32), np.zeros((2, 2), np.float32), np.zeros(1280)):
        np.savez(judge_path(saved), **arrays_of(some_judge()) | {"weights": damage}, generator="0")
        with pytest.raises(InputError, match="damaged"):
            Judge.load(saved)
    arrays = arrays_of(some_judge())
    del arrays["whole"]  # of before latents were refined
    np.savez(judge_path(saved), **arrays, generator="0")
    with pytest.raises(InputError, match=r"another version's; generate makes one with --data"):
        Judge.load(saved)


def test_the_command_keeps_seeds(saved, monkeypatch, one_extractor):
    """Those of the highest scores: the same pictures as when they are named."""
    judge = some_judge()
    judge.save(saved)

    def generate(*arguments, code=0):
        result = CliRunner().invoke(cli, ["generate", "--model", saved, *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    assert "3 of 12 faces" in generate("--best", 3, "--output", "best")
    generator = ganime.load_generator(saved)
    kept = judge.best(generator, ganime.from_seeds(range(12), 8), 3)
    generate("--seeds", ",".join(map(str, kept)), "--output", "named")
    names = [f"face-{seed:06}.png" for seed in kept]
    for folder in ("best", "named"):
        assert sorted(path.name for path in (judge_path(saved).parent / folder).iterdir()) == names
    for name in names:
        assert Image.open(f"best/{name}").tobytes() == Image.open(f"named/{name}").tobytes()
    generate("--best", 2, "--seeds", "5-9", "--output", "two.png", "--save-latents", "two.npy")
    assert len(np.load("two.npy")) == 2
    assert "only 5 faces" in generate("--best", 6, "--seeds", "5-9", "--output", "six.png", code=2)
    # A name that is taken is refused before any face is refined, and before the judge is looked for.
    judge_path(saved).unlink()
    taken = generate("--refine", "--seeds", f"0,{kept[0]}", "--output", "best", code=2)
    assert f"best/{names[0]} is there already" in taken
    assert "--data is for --best and --refine" in generate("--data", ".", "--output", "x.png", code=2)


def test_the_command_refines_what_it_keeps(saved, monkeypatch, one_extractor):
    monkeypatch.setattr(selection, "STEPS", 2)
    judge = some_judge()
    judge.save(saved)
    options = ["--best", "2", "--seeds", "0-3", "--refine", "--output", "two.npz", "--save-latents", "two.npy"]
    result = CliRunner().invoke(cli, ["generate", "--model", saved, *options])
    assert result.exit_code == 0 and "two.npz: 2 of 4 faces" in result.output, result.output
    generator, points = ganime.load_generator(saved), ganime.from_seeds(range(4), 8)
    kept = points[judge.best(generator, points, 2)]
    assert np.allclose(np.load("two.npy"), judge.refine(generator, kept), atol=1e-4)
    assert not np.isclose(np.load("two.npy"), kept, atol=1e-2).all(1).any()
    assert np.array_equal(np.load("two.npz")["arr_0"], ganime.paint(generator, np.load("two.npy")))


def test_the_command_makes_a_judge_of_what_was_trained_on(saved, faces, monkeypatch, one_extractor):
    monkeypatch.setattr(selection, "DRAWN", 16)
    arguments = ["generate", "--model", saved, "--best", "2", "--seeds", "0-3", "--output", "best.png"]
    assert CliRunner().invoke(cli, arguments).exit_code == 2
    result = CliRunner().invoke(cli, [*arguments, "--data", str(faces)])
    assert result.exit_code == 0, result.output
    assert "g.judge.npz: the judge" in result.output
    assert CliRunner().invoke(cli, [*arguments, "--force"]).exit_code == 0  # it is kept
    before = judge_path(saved).read_bytes()
    result = CliRunner().invoke(cli, [*arguments[:-1], "again.png", "--data", str(faces)])
    assert result.exit_code == 2 and "g.judge.npz is there already" in result.output
    assert judge_path(saved).read_bytes() == before


def test_a_judge_that_cannot_be_kept_judges_all_the_same(saved, faces, monkeypatch, one_extractor):
    monkeypatch.setattr(selection, "DRAWN", 16)
    judge_path(saved).mkdir()
    arguments = ["generate", "--model", saved, "--best", "2", "--seeds", "0-3", "--output", "best.png", "--data", str(faces)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0 and "the judge is not kept" in result.output, result.output


def test_few_pictures_make_no_judge(saved, faces, monkeypatch, one_extractor, untrained):
    monkeypatch.setattr(selection, "LEAST", 100)
    arguments = ["generate", "--model", saved, "--best", "2", "--output", "best.png", "--data", str(faces)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and "--data: 12 pictures are too few for a judge, 100 are needed" in result.output
    with pytest.raises(InputError, match="too few"):
        Judge.train(untrained, np.zeros((12, 32, 32, 3), np.uint8))
    with pytest.raises(InputError, match="too few"):
        Judge.between(seen(np.zeros((99, 4))), seen(np.zeros((200, 4))))


def test_faces_are_what_is_judged():
    for wrong in (np.zeros((2, 32, 32, 3)), np.zeros((32, 32, 3), np.uint8)):
        with pytest.raises(InputError, match="faces are uint8"):
            some_judge().score(wrong)


def test_labels_have_their_best_each(tmp_path, monkeypatch, one_extractor):
    monkeypatch.chdir(tmp_path)
    generator = build_generator(32, 8, (8, 8, 8), labels=("dark", "light"))
    generator.save("g.keras")
    judge = some_judge()
    judge.save("g.keras")
    arguments = ["generate", "--model", "g.keras", "--label", "dark,light", "--best", "2", "--seeds", "0-7", "--output", "best"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    names = []
    for label in ("dark", "light"):
        scores = judge.score(ganime.sample(generator, range(8), labels=label))
        names += [f"face-{seed:06}-{label}.png" for seed in np.argsort(-scores)[:2]]
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == sorted(names)


@pytest.mark.skipif(not FACES64.is_dir(), reason="no real faces here")
def test_the_shipped_judges_ratio_tells_its_generators_faces_from_held_out_pictures(extractors):
    _, held_out = ganime.split(ganime.PictureFolder(FACES64), 64)
    faces = held_out.load_batch(range(64), 64), ganime.sample(ganime.load_generator(), range(64))
    real, generated = (extractors("lite0")(images)["features"] @ Judge.load().weights for images in faces)
    assert (real[:, None] > generated).mean() > 0.85


def test_the_shipped_judge_keeps_the_same_faces_everywhere(one_extractor):
    points = ganime.from_seeds(range(64), 128)
    assert len({*KEPT} & {*Judge.load().best(ganime.load_generator(), points, 8).tolist()}) >= 7  # one may be a close case


def test_the_shipped_judge_puts_broken_faces_last(one_extractor):
    scores = Judge.load().score(ganime.sample(ganime.load_generator(), range(64)))
    assert {*BROKEN} < {*np.argsort(scores)[:16].tolist()}
