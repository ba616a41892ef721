"""`ganime.diagnose` and the command: what a run's folder holds, whole, half and large."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from click.testing import CliRunner

import ganime
from ganime.cli import cli
from ganime.data.drawn import draw_face
from ganime.data.joined import as_pictures
from ganime.doctor import SHOWN, pictures_path, read_end, read_grid, small_pictures
from ganime.history import read_history
from ganime.pictures.grids import make_grid, save_picture
from ganime.recipes import get_recipe
from ganime.run import Run
from tests.conftest import ROOT

COLUMNS = "step,seconds,images_per_second,d_accuracy,d_loss,fake_loss,fake_score,g_loss,r1,real_loss,real_score,KID-lite0\n"
ROW = "{},1.5,320.25,0.75,1.23456789,0.612345678,0.312345678,1.512345678,0.0123456789,0.612345678,0.712345678,{}\n"
FACES = np.stack([draw_face(i, 32) for i in range(40)])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of 100,000 steps, with a score at every 10,000th that is as good as the first."""
    monkeypatch.chdir(tmp_path)
    run = Run("long")
    run.path.mkdir(parents=True)
    about = {"pictures": 5000, "fingerprint": "", "name": "faces"}
    recipe = asdict(get_recipe("default").override("image_size=32"))
    run.config_path.write_text(json.dumps({"recipe": recipe, "seed": 0, "data": about, "versions": {}}))
    rows = (ROW.format(step, "nan" if step % 10_000 else "0.05") for step in range(1, 100_001))
    run.history_path.write_text(COLUMNS + "".join(rows))
    save_picture(pictures_path(run), make_grid(FACES))
    save_picture(run.samples_path / "step-100000.png", make_grid(FACES[::-1]))
    return run


def test_a_long_run_is_judged_in_two_seconds_and_without_tensorflow(run):
    """Of computing time, all of Python's start included: other programs may be at work."""
    check = "import sys, time, ganime; print(ganime.diagnose('long')); assert time.process_time() < 2, time.process_time()\n"
    check += "assert not {'tensorflow', 'keras', 'matplotlib', 'imageio'} & {*sys.modules}"
    command = [sys.executable, "-c", check]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}).stdout
    assert out.startswith("long, step 100,000\n") and "plateau: " in out


def test_the_command_says_what_it_found_what_it_looked_at_and_what_it_could_not_see(run):
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0
    first, copying, plateau, looked_at, not_seen = result.output.splitlines()
    assert first == "long, step 100,000" and copying.startswith("copying: 40 of 40 faces")
    assert plateau.startswith("plateau: ") and "--set g_learning_rate=0.0004" in plateau
    assert all(words in looked_at for words in ("last 500 steps", "scores at 10 steps", "step 100,000", "40 of 5,000"))
    assert not_seen.startswith("not seen: copying by the faces") and "`evaluate RUN" in not_seen


def test_a_run_that_has_just_begun_has_nothing_to_look_at(run):
    for path in (run.history_path, pictures_path(run)):
        path.unlink()
    (run.samples_path / "step-100000.png").write_bytes(b"half")
    run.evaluations_path.write_text('{"half"\n[]\n')
    found = ganime.diagnose(run)
    assert (found.step, found.findings, found.looked_at) == (0, [], []) and len(found.not_seen) == 4
    assert repr(found).splitlines()[1] == "nothing found wrong"
    assert CliRunner().invoke(cli, ["doctor", "none"]).exit_code == 2


def test_scores_by_other_pictures_are_left_out(run):
    config = json.loads(run.config_path.read_text())
    config["data_before"] = [{"step": 80_000, **config["data"]}]
    run.config_path.write_text(json.dumps(config))
    assert (
        "scores at 2 steps" in repr(ganime.diagnose("long"))
        and "plateau: " not in repr(ganime.diagnose("long")).split("not")[0]
    )


def test_the_end_of_a_history_is_that_of_the_whole(run):
    with open(run.history_path, "a") as file:
        file.write("100001,1.5,32")
    end, whole = read_end(run.history_path, 500), read_history(run.history_path)
    assert end.keys() == whole.keys()
    for name, values in end.items():
        np.testing.assert_array_equal(values, whole[name][-500:])
    run.history_path.write_text(COLUMNS + ROW.format(1, "nan") + ROW.format("x", "nan"))
    assert read_end(run.history_path, 500) == {} == read_end(run.path / "none", 500)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_a_grid_is_read_as_it_was_made(tmp_path, count):
    save_picture(tmp_path / "grid.png", make_grid(FACES[:count]))
    np.testing.assert_array_equal(read_grid(tmp_path / "grid.png", 32), FACES[:count])
    assert read_grid(tmp_path / "grid.png", 64) is None and read_grid(tmp_path / "none.png", 32) is None


def test_some_of_the_pictures_are_kept_small():
    faces = ganime.DrawnFaces(3)
    assert small_pictures(faces, 96).shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(small_pictures(faces, 32), faces.load_batch([0, 1, 2], 32))
    many = as_pictures(FACES.repeat(2, 0))
    assert len(small_pictures(many, 32)) == SHOWN < len(many)
