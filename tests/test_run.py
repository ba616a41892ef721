import os
import time
from pathlib import Path

import pytest

from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write
from ganime.run import ROOT, Run, latest_run, read_history

CONFIG = {"recipe": {"batch_size": 4, "widths": (8, 8)}, "seed": 0, "versions": {"keras": "1"}}


def test_a_changed_configuration_is_refused_field_by_field(tmp_path):
    run = Run(tmp_path / "run")
    run.open(CONFIG)
    run.open({**CONFIG, "versions": {"keras": "2"}})
    with pytest.raises(InputError, match=r"recipe\.batch_size \(was 4, is 8\); seed \(was 0, is 1\)") as caught:
        run.open({**CONFIG, "recipe": {"batch_size": 8, "widths": (8, 8)}, "seed": 1})
    assert "widths" not in str(caught.value)
    assert run.read_config()["seed"] == 0


def test_a_run_from_before_a_field_was_added_goes_on_with_its_default(tmp_path):
    run = Run(tmp_path / "run")
    run.open(CONFIG)
    run.open({**CONFIG, "recipe": {**CONFIG["recipe"], "label_flips": 0.0, "augmentations": ()}})
    with pytest.raises(InputError, match=r"differently: recipe\.label_flips \(was 0\.0, is 0\.5\)\."):
        run.open({**CONFIG, "recipe": {**CONFIG["recipe"], "label_flips": 0.5}})


def test_a_run_has_one_trainer(tmp_path):
    one, other = Run(tmp_path / "run"), Run(tmp_path / "run")
    with one.lock(), pytest.raises(GanimeError, match="another process"), other.lock():
        pass
    with other.lock():
        pass


def test_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Run("a").path == ROOT / "a"
    assert Run("./a").path == Path("a")
    with pytest.raises(InputError, match="there is no run"):
        latest_run()
    with pytest.raises(InputError, match="there is no run b"):
        Run("b").read_config()
    for name, age in (("old", 50), ("new", 10), ("middle", 30)):
        Run(name).open(CONFIG)
        Run(name).history_path.write_text("step\n")
        os.utime(Run(name).history_path, (time.time() - age,) * 2)
    Run("old").gif_path.touch()
    assert latest_run().name == "new"


def test_samples_are_in_the_order_of_their_steps(tmp_path):
    run = Run(tmp_path / "run")
    run.samples_path.mkdir(parents=True)
    for name in ("step-1000000.png", "step-000100.png", ".part-step-000200.png", "step-x.png"):
        (run.samples_path / name).touch()
    assert [step for step, _ in run.samples()] == [100, 1_000_000]


def test_atomic_write_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "below" / "file.txt"
    with atomic_write(path) as part:
        part.write_text("one")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as part:
        part.write_text("tw")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_history_leaves_a_torn_row_out(tmp_path):
    path = tmp_path / "history.csv"
    assert read_history(path) == {}
    path.write_text("step,d_loss\n1,0.5\n2,0.25\n3,0.1")
    assert read_history(path)["step"].tolist() == [1, 2]
    path.write_text("step,d_loss\n")
    assert read_history(path) == {}
