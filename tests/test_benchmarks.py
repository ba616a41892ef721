"""What the published comparisons rest on; the trainings themselves take too long for a test."""

import json
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import click
import keras
import numpy as np
import pytest

from benchmarks import ablation, quality, ship
from benchmarks.faults.compare import read_whole
from benchmarks.faults.damage import damage
from benchmarks.faults.tries import PACKED, Bad, Command, Try
from ganime.data.drawn import DrawnFaces
from ganime.recipes import get_recipe
from ganime.training.building import build_networks
from tests.conftest import PLAIN


@pytest.mark.parametrize("name", json.loads(ablation.VARIANTS.read_text()))
def test_a_variant_is_another_recipe(name):
    recipe, cost = ablation.read_variant(name)
    assert (recipe == get_recipe("default")) == (name == "default")
    assert 0.1 < cost < 10


def test_variants_add_up():
    recipe, cost = ablation.read_variant("wide+batch-16+noise-0")
    assert (recipe.batch_size, recipe.label_noise, recipe.generator_widths) == (16, 0, (384, 192, 96, 48))
    assert cost == pytest.approx(1.88 * 1.09)


def test_an_ablation_does_not_pass_other_results_off(tmp_path):
    options = {"data": None, "pictures": 1000}
    assert ablation.read_results("default", 0, options, tmp_path) is None
    recipe = asdict(get_recipe("default"))
    (tmp_path / "default-0.json").write_text(json.dumps({"options": options, "recipe": recipe, "results": [1]}))
    assert ablation.read_results("default", 0, options, tmp_path) == [1]
    with pytest.raises(click.UsageError, match="other options"):
        ablation.read_results("default", 0, options | {"pictures": 2000}, tmp_path)
    recipe["label_noise"] = 0.3
    (tmp_path / "default-0.json").write_text(json.dumps({"options": options, "recipe": recipe, "results": [1]}))
    with pytest.raises(click.UsageError, match="another recipe"):
        ablation.read_results("default", 0, options, tmp_path)


@pytest.mark.parametrize(("rate", "marks"), [(1e-3, [1, 2, 4, 8]), (1e30, [])])
def test_an_ablation_scores_at_its_marks_until_it_diverges(tmp_path, monkeypatch, rate, marks):
    monkeypatch.setattr(ablation, "VARIANTS", tmp_path / "variants.json")
    monkeypatch.setattr("ganime.DrawnFaces", lambda: DrawnFaces(100))
    monkeypatch.setattr("ganime.metrics.features.FeatureExtractor", lambda: None)
    monkeypatch.setattr("ganime.metrics.evaluation.evaluate", lambda *arguments: {"KID-lite0": 1.0})
    settings = [*PLAIN, f"g_learning_rate={rate}", f"d_learning_rate={rate}"]
    ablation.VARIANTS.write_text(json.dumps({"small": {"set": settings}}))
    options = {"data": None, "pictures": 32, "samples": 4, "jit": False}
    ablation.train("small", 0, options, tmp_path)
    assert [result["step"] for result in ablation.read_results("small", 0, options, tmp_path)] == marks


def test_the_clock_of_a_race_stands_still_while_scoring(monkeypatch):
    """A step takes 50 seconds, the first 500, scoring 1,000: the marks of 1 and 3 minutes come after 2 and 4 more steps."""
    now, marks = 0, []
    monkeypatch.setattr(quality.time, "monotonic", lambda: now)
    monkeypatch.setattr(quality, "GeneratedPictures", lambda generator, count: None)

    def assess(minute, step, faces):
        nonlocal now
        now += 1000
        marks.append((minute, step))

    race = quality.Race([1, 3], 10, assess)
    model = SimpleNamespace(averaged_generator=None, step=None, stop_training=False)
    race.set_model(model)
    for batch in range(100):
        now += 50 if batch else 500
        model.step = SimpleNamespace(numpy=lambda batch=batch: batch + 1)
        race.on_train_batch_end(batch)
        if model.stop_training:
            break
    assert marks == [(1, 3), (3, 5)]


def test_a_race_does_not_pass_other_results_off(tmp_path):
    def run(minutes, settings=()):
        held_out = SimpleNamespace(fingerprint="abc")
        return quality.run("default", settings, None, held_out, minutes, 10, None, tmp_path, 0, None)

    recipe = asdict(get_recipe("default"))
    options = {"data": "abc", "minutes": [5], "samples": 10, "seed": 0, "recipe": recipe}
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "race.json").write_text(json.dumps({"options": options, "results": [1]}))
    assert run([5]) == [1]
    for changed in ({"minutes": [6]}, {"minutes": [5], "settings": ("label_noise=0.3",)}):
        with pytest.raises(click.UsageError, match="other options"):
            run(**changed)


@pytest.fixture
def campaign(tmp_path):
    """A try of a campaign of faults, whose run lacks a row of history that the one that was left alone has."""
    (base := tmp_path / "base").joinpath("faces").mkdir(parents=True)
    for name in PACKED:
        (base / name).touch()
    (folder := tmp_path / "try").mkdir()
    made = Try("kill", 0, base, folder)
    for run, rows in ((base / "plain" / "done", "1,2.5,7\n2,2.5,6\n"), (made.run_path, "1,9.5,7\n")):
        run.mkdir(parents=True)
        (run / "history.csv").write_text(f"step,seconds,d_loss\n{rows}")
    return made


def ended(code, err="", out=""):
    """A command that has ended so."""
    command = Command.__new__(Command)
    command.argv, command.code, command.out, command.err, command.sent = ["fit"], code, out, err, set()
    return command


def test_what_a_campaign_of_faults_finds_bad(campaign):
    assert campaign.differences() == ["history"]
    for command, sort in ((ended(0), "silent"), (ended(0, "a word"), "lost"), (ended(1), "silent")):
        with pytest.raises(Bad) as bad:
            campaign.judge(command)
        assert bad.value.sort == sort
    campaign.judge(ended(1, "Error: why"))  # it has said so
    with open(campaign.run_path / "history.csv", "a") as file:
        file.write("2,8.5,6\n")
    campaign.judge(ended(0))  # times may differ
    (kept := campaign.base / "plain" / "done" / "snapshots").mkdir()
    (kept / "step-000004.keras").touch()
    read_whole.cache_clear()
    assert campaign.differences() == ["kept"]


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (ended(-11), "exit code -11 of fit"),
        (ended(-9), "exit code -9 of fit"),  # nobody has killed it
        (ended(3), "exit code 3 of fit"),
        (ended(1, "Traceback (most recent call last):"), "Traceback (most in fit"),
        (ended(130), ""),
        (ended(2), ""),
    ],
)
def test_how_no_command_ends(command, fault):
    assert command.fault() == fault


def test_damage_is_damage(tmp_path):
    path, kinds = tmp_path / "file", set()
    for seed in range(50):
        path.write_bytes(bytes(10_000))
        damage(random.Random(seed), path)
        found = path.read_bytes()
        assert found != bytes(10_000)
        kinds.add((len(found) == 10_000, sum(map(bool, found)) > 1))
    assert {(True, False), (True, True)} < kinds


@pytest.mark.slow
def test_a_campaign_of_faults_runs():
    """One try, of a fault that needs no training but that of the run which is left alone."""
    command = [sys.executable, "-m", "benchmarks.faults", "--tries", "1", "--kind", "generator"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert (result.returncode, result.stdout.splitlines()[1].split()) == (0, ["generator", "1", "0", "0", "0"]), result


def test_a_compressed_network_is_the_same_in_half_the_bytes(tmp_path):
    discriminator, path = build_networks(get_recipe("default"))[1], tmp_path / "d.keras"
    discriminator.set_weights([ship.round_to_bfloat16(array) for array in discriminator.get_weights()])
    discriminator.save(path)
    plain = path.stat().st_size
    ship.compress(path)
    assert path.stat().st_size < plain / 2
    again = keras.models.load_model(path)
    assert all(np.array_equal(*arrays) for arrays in zip(again.get_weights(), discriminator.get_weights(), strict=True))


def test_weights_are_rounded_to_the_nearest_bfloat16():
    weights = np.float32([0, 1, 1 + 2**-9, 1 + 2**-7, -3.14159, 1e-30])
    rounded = ship.round_to_bfloat16(weights)
    assert rounded.dtype == np.float32
    assert np.array_equal(rounded[:4], np.float32([0, 1, 1, 1 + 2**-7]))
    assert np.allclose(rounded, weights, rtol=2**-8, atol=0)
