"""Scores of generators with labels."""

import keras
import numpy as np
import pytest

from ganime.data.drawn import DrawnFaces
from ganime.data.labelled import LabelledPictures
from ganime.data.split import Selection
from ganime.errors import InputError
from ganime.generation.sampling import sample
from ganime.metrics.by_label import check_labels, describe_label_scores, score_labels, spread_labels
from ganime.metrics.evaluation import GeneratedPictures
from ganime.metrics.while_training import Evaluation
from ganime.networks import build_generator

NUMBERS = np.array([0] * 60 + [1] * 30 + [2] * 10)


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(0)
    return build_generator(32, 4, (8, 8, 8), labels=("c", "a", "b", "none"))


@pytest.fixture(scope="module")
def pictures():
    return LabelledPictures(DrawnFaces(100), ("a", "b", "c"), NUMBERS)


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_faces_have_the_labels_of_the_real_pictures_in_their_shares(count):
    found = np.bincount(spread_labels(count, 4, NUMBERS), minlength=4) / count
    assert np.abs(found - [0.6, 0.3, 0.1, 0]).max() <= 0.1 if count == 10 else 0.02
    assert spread_labels(6, 4).tolist() == [0, 1, 2, 3, 0, 1]


def test_faces_are_counted_like_the_pictures_they_are_compared_with(generator, pictures):
    faces = GeneratedPictures(generator, 50, like=pictures)
    names = [faces.labels[number] for number in faces.numbers]
    assert 25 <= names.count("a") <= 35 and 3 <= names.count("c") <= 7 and "none" not in names
    assert np.array_equal(faces.load_batch([3, 49], 32), sample(generator, [3, 49], labels=[names[3], names[49]]))
    part = Selection(pictures, np.arange(60, 100))
    assert [*{faces.labels[number] for number in GeneratedPictures(generator, 50, like=part).numbers}] and "a" not in {
        faces.labels[number] for number in GeneratedPictures(generator, 50, like=part).numbers
    }
    assert np.array_equal(GeneratedPictures(generator, 8).load_batch([5], 32), sample(generator, [5]))  # in turn
    with pytest.raises(InputError, match="label 'x' is none of the generator's"):
        GeneratedPictures(generator, 5, like=LabelledPictures(DrawnFaces(2), ("a", "x"), [0, 1]))


def test_an_evaluation_in_training_draws_the_labels_of_the_held_out_pictures(generator, pictures, blocks):
    evaluation = Evaluation(pictures, samples=12, extractor=blocks, generator=generator, verbose=0)
    assert np.isfinite([*evaluation.evaluate().values()]).all()
    assert np.array_equal(evaluation.generated.numbers, spread_labels(12, 4, np.array([1, 2, 0])[NUMBERS]))


def test_each_label_is_compared_with_its_own_pictures(blocks):
    """The faces of both labels are real pictures of the other one: each is far from its own, and all together are not."""
    random = np.random.default_rng(0)
    real = np.concatenate([random.normal(0, 1, (120, 8)), random.normal(3, 1, (120, 8)), random.normal(0, 1, (10, 8))])
    numbers = np.array([0] * 120 + [1] * 120 + [2] * 10)
    swapped, right = (
        score_labels(real, numbers, real, made, "abc", blocks) for made in (np.r_[1 - numbers[:240], [2] * 10], numbers)
    )
    name = blocks.network.kernel
    assert swapped["a"][name] > 100 * abs(right["a"][name]) and (right["b"]["real"], right["b"]["scored"]) == (120, 120)
    assert name not in right["c"] and right["c"]["real"] == 10
    said = describe_label_scores(right, name)
    assert len(said) == 3 and "a: 120 faces against 120 real ones" in said[0]
    assert said[2] == "not scored, for fewer than 50 real pictures or faces: 'c'"


def test_labels_for_a_generator_without_any_are_refused(pictures):
    with pytest.raises(InputError, match="for a generator with labels"):
        check_labels(pictures, ())
    check_labels(DrawnFaces(3), ())
