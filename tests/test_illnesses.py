"""Each illness in its smallest form, and how far off its limit nothing is said."""

import numpy as np
import pytest

from ganime.data.drawn import draw_face
from ganime.errors import InputError
from ganime.illnesses import ILLNESSES, STEADY, Record, check_illnesses, examine, unseen
from ganime.recipes import get_recipe

FACES = np.stack([draw_face(i, 16) for i in range(80)])
GREY = np.full_like(FACES[:1], 128)


def sound(**changes):
    """A record of a training in which nothing is wrong."""
    rng = np.random.default_rng(0)
    recent = {name: rng.uniform(0.5, 0.9, 500) for name in ("d_accuracy", "d_loss", "g_loss", "real_score")}
    recent |= {"step": np.arange(9501.0, 10_001), "fake_score": 1 - recent["real_score"]}
    scores = [
        {"step": step, "KID-lite0": 200 / step, "KID-lite0-deviation": 0.01, "FD-lite0": 1e5 / step, "recall-lite0": 0.01}
        for step in range(1000, 10_001, 1000)
    ]
    given = {
        "trained_on": 5000,
        "recent": recent,
        "scores": scores,
        "pictures": FACES[:64],
        "faces": FACES[64:],
        "faces_step": 10_000,
    }
    return Record(10_000, get_recipe("default"), **{**given, **changes})


def names(record):
    return [finding.name for finding in examine(record)]


def columns(**changes):
    return {"recent": {**sound().recent, **{name: np.full(500, value) for name, value in changes.items()}}}


def scores(**functions):
    return {"scores": [{**row, **{name: f(row["step"]) for name, f in functions.items()}} for row in sound().scores]}


def evaluation(part, value):
    return {"evaluations": [{"real": {"part": part}, "scores": {"FD-lite0": 9.0, "authenticity-lite0": value}}]}


ILL = {
    "pictures": {"pictures": FACES[:1].repeat(64, 0)},
    "diverging": columns(g_loss=5000.0),
    "discriminator-wins": columns(d_accuracy=1.0, real_score=0.999, fake_score=0.001, g_loss=9.0),
    "collapse": {"faces": FACES[70:71].repeat(64, 0)},
    "copying": {"faces": FACES[:16].repeat(4, 0), "trained_on": 64},
    "plateau": scores(**{"KID-lite0": lambda step: 0.2 if step < 3000 else 0.06}),
}


def test_nothing_is_said_of_a_sound_training_nor_of_one_that_has_just_begun():
    assert names(sound()) == [] and names(Record(0, get_recipe("default"), 0)) == []


@pytest.mark.parametrize("name", ILLNESSES)
def test_each_illness_is_named_with_numbers_and_one_thing_to_try(name):
    (finding,) = examine(sound(**ILL[name]))
    assert finding.name == name and any(map(str.isdigit, finding.evidence))
    assert any(what in finding.remedy for what in ("--set", "--data", "`data "))


@pytest.mark.parametrize(
    "well",
    [
        columns(g_loss=90.0),
        columns(d_accuracy=0.97, real_score=0.999, fake_score=0.001),
        {"recent": {name: values[: STEADY - 1] for name, values in columns(d_accuracy=1.0)["recent"].items()}},
        {"faces": FACES[70:71].repeat(64, 0), "faces_step": 0},  # as they are before the first step
        {"pictures": FACES[:1].repeat(31, 0)},
        {"pictures": np.concatenate([FACES[:63], GREY]), "faces": GREY.repeat(64, 0), "faces_step": 0},
        scores(**{"KID-lite0": lambda step: max(0.02, 200 / step)}),
        scores(**{"KID-lite0": lambda step: 0.1 if step == 4000 else 0.4 - step / 5e4}),  # once by luck
        {"scores": sound().scores[:3]},
        evaluation("all", 0.8),
        evaluation("test", 0.0),  # of pictures that it is not trained on
    ],
)
def test_nothing_is_said_on_the_sound_side_of_a_limit_or_of_too_little(well):
    assert names(sound(**well)) == []


def test_copies_of_mirrored_pictures_are_copies():
    assert names(sound(faces=FACES[:64, :, ::-1])) == ["copying"]


def test_what_evaluate_found_last_counts():
    assert names(sound(**evaluation("all", 0.1))) == ["copying"]
    lines = evaluation("all", 0.1)["evaluations"] + evaluation("train", 0.9)["evaluations"]
    assert names(sound(evaluations=lines)) == []
    assert names(sound(evaluations=[*lines[:1], {}, {"real": None}])) == ["copying"]


def test_a_worse_distance_alone_is_no_collapse():
    worse = {"FD-lite0": lambda step: 10.0 + step}
    assert names(sound(**scores(**worse))) == []
    assert names(sound(**scores(**worse, **{"recall-lite0": lambda step: 0.0}))) == []  # as it is at first
    assert names(sound(**scores(**worse, **{"recall-lite0": lambda step: 0.01 * (step < 8000)}))) == ["collapse"]


def test_what_is_missing_is_told():
    assert [*unseen(sound(trained_on=64))] == []
    told = " ".join(unseen(Record(0, get_recipe("default"), 0)))
    assert all(word in told for word in ("--evaluate-every", "training-pictures.png", "300 steps"))
    assert "evaluate RUN" in " ".join(unseen(sound()))


@pytest.mark.parametrize("wrong", ["copying", ["copying", "copyng"], [""]])
def test_only_a_list_of_illnesses_can_stop_a_training(wrong):
    check_illnesses(["copying", "plateau"])
    with pytest.raises(InputError, match="diverging, discriminator-wins, collapse, copying, plateau"):
        check_illnesses(wrong)
