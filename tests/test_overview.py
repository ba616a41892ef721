import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

import ganime
from ganime.cli import cli
from ganime.errors import InputError
from ganime.networks import build_generator
from ganime.recipes import get_recipe
from tests.conftest import ROOT

CONFIG = {"seed": 0, "recipe": asdict(get_recipe("default")), "data": {"name": "faces", "pictures": 14950, "fingerprint": "x"}}
HISTORY = "step,d_loss,g_loss,KID-lite0,KID-lite0-deviation\n1,1.5,2,nan,nan\n2,1.25,3,0.0125,0.1\n3,1.125,4,nan,nan\n4,0."


def make_run(name, history=HISTORY, config=CONFIG, age=0):
    run = ganime.Run(name)
    run.open(config)
    run.history_path.write_text(history)
    run.state_path.parent.mkdir()
    run.state_path.write_bytes(bytes(1_000_000))
    os.utime(run.history_path, (time.time() - age,) * 2)
    return run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_there_is_how_far_how_good_how_large():
    make_run("older", age=60)
    make_run("unscored", "step,d_loss,g_loss\n1,1.5,2\n", {**CONFIG, "recipe": {**CONFIG["recipe"], "image_size": 96}})
    newest, older = ganime.runs()
    assert (older.name, older.step, older.scores, older.recipe, older.data) == (
        "older",
        3,
        {"KID-lite0": 0.0125},
        "default",
        "faces",
    )
    assert (older.pictures, older.image_size, older.problem) == (14950, 64, "") and 1_000_000 < older.size < 1_010_000
    assert (newest.scores, newest.step) == ({"d_loss": 1.5, "g_loss": 2.0}, 1)
    assert newest.trained > older.trained
    lines = repr(ganime.runs()).splitlines()
    assert lines[0].startswith("unscored: step 1, d_loss 1.5, g_loss 2, 14,950 pictures of 96x96, 1.0 MB, 2")
    assert lines[1].startswith("older: step 3, KID-lite0 0.0125, 14,950 pictures of 64x64, 1.0 MB, 2")


def test_a_later_evaluation_is_a_score_too():
    run = make_run("run", "step,d_loss,g_loss\n1,1.5,2\n")
    scores = {"FD-lite0": 3.0, "KID-lite0": 0.5, "KID-lite0-deviation": 0.1}
    run.evaluations_path.write_text(json.dumps({"scores": scores}) + "\n")
    assert ganime.runs()[0].scores == {"KID-lite0": 0.5}


def test_damaged_and_half_runs_say_what_is_wrong():
    assert ganime.runs() == [] and repr(ganime.runs()).startswith("no runs in ")
    make_run("config").config_path.write_text("{")
    make_run("fields").config_path.write_text('{"recipe": {"image_size": 64}}')
    make_run("list").config_path.write_text("[]")
    make_run("bytes").config_path.write_bytes(b"\xff\xfe\x00")
    make_run("history", "step,d_loss,g_loss\n1,one,2\n")
    make_run("columns", "step,d_loss\n1,2,3\n")
    make_run("evaluations", "step,d_loss,g_loss\n1,1.5,2\n").evaluations_path.write_text("")
    make_run("recipe", config={**CONFIG, "recipe": {"image_size": 7}})
    make_run("empty", "").state_path.unlink()
    ganime.Run("nothing").path.mkdir()
    (ganime.Run(".hidden").path).mkdir()
    (ganime.Run("x").path.parent / "README.md").touch()
    problems = {run.name: run.problem for run in ganime.runs()}
    damaged = ("config", "fields", "list", "bytes", "history", "columns", "evaluations")
    assert all("damaged" in problems.pop(name) for name in damaged)
    assert "image_size" in problems.pop("recipe") and "there is no run nothing" in problems.pop("nothing")
    assert problems == {"empty": "nothing is saved yet"}
    assert len(repr(ganime.runs()).splitlines()) == 10


def test_the_command_prints_a_table(capsys):
    make_run("faces-default")
    make_run("half").config_path.unlink()
    cli.main(["runs"], standalone_mode=False)
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("faces-default"))
    assert [*row.split()][:8] == ["faces-default", "default", "faces:", "14,950", "64", "3", "KID-lite0", "0.0125"]
    assert "there is no run half" in out


def test_the_command_says_that_there_is_none(capsys):
    cli.main(["runs"], standalone_mode=False)
    assert "There are no runs in" in capsys.readouterr().out


def test_a_run_is_loaded_by_its_name():
    run = make_run("mine")
    with pytest.raises(InputError, match=r"mine has saved no generator yet: there is no checkpoints.mine.generator\.keras"):
        ganime.load_generator("mine")
    build_generator(32, 8, (8, 8, 8)).save(run.generator_path)
    for name in ("mine", run.path, f"{run.path}/", run.path.resolve(), run.generator_path):
        assert ganime.load_generator(name).output_shape == (None, 32, 32, 3)
    with pytest.raises(InputError, match=r"yours does not exist, as a file or as a run: there is no checkpoints.yours"):
        ganime.load_generator("yours")
    with pytest.raises(InputError, match=r"x\.keras does not exist"):
        ganime.load_generator("x.keras")


def test_the_function_stays_what_it_is():
    code = """
import ganime, ganime.run, ganime.overview, ganime.generation.sampling
from ganime.run import Run
assert callable(ganime.runs) and ganime.runs() == [] and callable(ganime.runs) and ganime.Run is Run
from ganime.run import Run, latest_run
from ganime import runs, show
assert runs is ganime.runs and callable(show)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
