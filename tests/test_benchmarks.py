"""What the published comparisons rest on; the trainings themselves take too long for a test."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import click
import pytest

from benchmarks import ablation, quality
from ganime.recipes import get_recipe


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
