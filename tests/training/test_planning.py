"""Minutes become networks and steps: chosen once, by what is measured, and kept."""

import json
import sys
import time
from dataclasses import replace

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import ganime
from ganime.cli import cli
from ganime.errors import InputError
from ganime.plan import Plan, describe_forecast
from ganime.recipes import get_recipe
from ganime.run import Run
from ganime.training import planning
from ganime.training.engine import Engine
from ganime.training.planning import choose_networks, measure_rate, plan_training, resume_plan
from tests.conftest import PLAIN
from tests.training.small import one_gan  # noqa: F401

SMALL = [part for setting in PLAIN for part in ("--set", setting)]


@pytest.fixture
def measured(monkeypatch):
    """Recipes that were measured; the computer does 226 images/s of whatever it is."""
    recipes = []
    monkeypatch.setattr(planning, "measure_rate", lambda recipe, *_: recipes.append(recipe) or 226.0)
    return recipes


def invoke(*arguments, code=0):
    result = CliRunner().invoke(cli, ["fit", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_more_time_makes_better_faces_and_hours_wider_networks(precision, measured):
    plans = [plan_training(minutes, engine=Engine(precision=precision)) for minutes in (1, 3, 5, 10, 20, 45, 90, 400)]
    kernels = [plan.forecast for _, plan in plans]
    assert kernels == sorted(kernels, reverse=True) and 0.3 < kernels[0] < 0.6 and kernels[-1] < 0.06
    chosen = [recipe.generator_widths[0] for recipe, _ in plans]
    assert chosen == [256] * 7 + [384]
    assert {repr(recipe) for recipe in measured} == {repr(get_recipe("default"))}


def test_nothing_is_promised_of_less_time_than_was_ever_measured(measured):
    recipe, plan = plan_training(0.1)
    assert plan.forecast is None and recipe == get_recipe("default")


def test_a_computer_of_half_the_speed_gets_as_far_in_twice_the_time():
    recipe, rate, kernel = choose_networks(10, 200.0)
    slower = choose_networks(20, 100.0)
    assert slower[0] == recipe and slower[1:] == pytest.approx((rate / 2, kernel))


def test_the_steps_fill_the_minutes(measured):
    for minutes in (5, 45):
        recipe, plan = plan_training(minutes)
        assert 0.9 < plan.steps * recipe.batch_size / plan.images_per_second / 60 / minutes < 1


def test_a_given_recipe_stays_and_nothing_is_promised(measured):
    recipe, plan = plan_training(10, {"image_size": 32, "batch_size": 16})
    assert recipe == ganime.Recipe(image_size=32, batch_size=16) == measured[0]
    assert plan.forecast is None and "KID" not in str(plan)


def test_the_steps_of_some_seconds_are_measured(monkeypatch, plain):
    monkeypatch.setattr(planning, "TIMED", 0.5)
    steps, began = [], time.monotonic()
    monkeypatch.setattr(planning.Periodic, "step", property(lambda timer: steps.append(int(timer.model.step)) or steps[-1]))
    rate = measure_rate(plain, Engine())
    seconds = time.monotonic() - began
    assert plain.batch_size * (steps[-1] - planning.WARM_UP) / seconds < rate < plain.batch_size * steps[-1] / 0.5


def test_steps_are_slower_from_where_heads_join(monkeypatch, plain):
    monkeypatch.setattr(planning, "_time_steps", lambda recipe, _: 50.0 if recipe.feature_weight else 200.0)
    joined = replace(plain, feature_weight=1.0, feature_after=10_000)
    assert measure_rate(plain, Engine(), 60) == measure_rate(joined, Engine(), 40) == 200
    assert measure_rate(joined, Engine(), 90) * 90 == pytest.approx(10_000 + 40 * 50)
    assert measure_rate(replace(joined, feature_after=0), Engine(), 90) == measure_rate(joined, Engine()) == 50


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), "20", True, None])
def test_minutes_are_a_number_above_0(minutes):
    with pytest.raises(InputError, match="minutes"):
        plan_training(minutes)
    if minutes != "20":
        assert "minutes" in invoke("--minutes", minutes, code=2)


def test_words_for_every_score():
    assert describe_forecast(0.5) != describe_forecast(0.01)
    for kernel in (0, 0.03, 0.07, 0.12, 0.17, 0.3, 9):
        assert f"{kernel:.2g}" in describe_forecast(kernel)


def test_what_was_chosen_is_kept_and_continued(tmp_path, monkeypatch, measured):
    """The same command goes on with the same networks to the same step, whatever the computer does now."""
    monkeypatch.chdir(tmp_path)
    assert "Measuring" in invoke("--minutes", 0.01, *SMALL)
    run = Run("drawn-faces-0.01-minutes")
    plan = run.read_config()["plan"]
    assert plan == {"minutes": 0.01, "steps": 31, "images_per_second": 226.0, "forecast": None}
    monkeypatch.setattr(planning, "measure_rate", lambda *_: pytest.fail("measured again"))
    assert resume_plan(run.read_config()) == (get_recipe("default").override(*PLAIN), Plan(**plan))
    done = invoke("--minutes", 0.01)
    assert "Measuring" not in done and "Done." in done
    invoke("--minutes", 0.02, "--run", run.name)
    assert run.newest_state().about["history"]["step"] == 62
    assert run.newest_state().about["config"] == run.read_config()
    run.config_path.unlink()  # the state knows it too
    assert "Measuring" not in invoke("--steps", 65, "--run", run.name)  # with the networks that were chosen
    assert run.newest_state().about["history"]["step"] == 65
    assert run.read_config()["plan"] == plan


def test_a_plan_changes_nothing_but_the_steps(tmp_path, monkeypatch, measured):
    monkeypatch.chdir(tmp_path)
    invoke("--minutes", 0.01, "--run", "planned", *SMALL)
    invoke("--steps", 31, "--run", "counted", *SMALL)
    planned, counted = (ganime.load_gan(name) for name in ("planned", "counted"))
    for one, other in zip(planned.weights, counted.weights, strict=True):
        assert (one.numpy() == other.numpy()).all()


def test_what_does_not_go_together_is_said(tmp_path, monkeypatch, measured):
    monkeypatch.chdir(tmp_path)
    assert "not both" in invoke("--minutes", 1, "--steps", 5, code=2)
    refused = "1000 is never reached in 31 steps, which fit into --minutes 0.01; lower it, or give more --minutes"
    for option in ("--evaluate-every", "--keep-every"):
        assert f"{option} {refused}" in invoke("--minutes", 0.01, option, 1000, *SMALL, code=2)
    assert not [*tmp_path.iterdir()]
    invoke("--steps", 2, "--run", "counted", *SMALL)
    assert "started with --steps" in invoke("--minutes", 1, "--run", "counted", *SMALL, code=2)
    invoke("--minutes", 0.002, "--run", "planned", *SMALL)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "ganime.training.engine", None)  # it is refused before TensorFlow is needed
        assert "in 12 steps" in invoke("--minutes", 0.004, "--run", "planned", "--keep-every", 13, code=2)
    path = Run("planned").config_path

    def plan(**values):
        return {"minutes": 20, "steps": 7, "images_per_second": 1.0, "forecast": None, **values}

    for damaged in (
        3,
        {},
        plan(minutes="20"),
        plan(steps=0),
        plan(steps=10**30),
        plan(forecast=-1),
        plan(forecast=float("nan")),
    ):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"plan": damaged}))
        assert "damaged" in invoke("--minutes", 0.002, "--run", "planned", code=2)


def test_a_plan_is_one():
    plan = Plan(20, 400, np.float32(2))
    assert plan == Plan(20.0, 400, 2.0, None) and type(plan.minutes) is type(plan.images_per_second) is float
    assert plan.extended(40) == Plan(40.0, 800, 2.0) and plan.extended(20) is plan
    for values in ((0, 1, 1.0), (1, 0, 1.0), (1, 1.5, 1.0), (1, 1, "fast"), (1, 1, 1.0, -0.1), (1, 1, 1.0, float("inf"))):
        with pytest.raises(InputError):
            Plan(*values)
    with pytest.raises(InputError, match=r"not a ganime\.Plan"):
        ganime.fit("never", "default", np.zeros((4, 64, 64, 3)), 1, plan={"minutes": 20})


def test_planning_leaves_keras_as_it_was(monkeypatch, plain):
    monkeypatch.setattr(planning, "TIMED", 0.01)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        plan_training(np.int64(1), plain)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
