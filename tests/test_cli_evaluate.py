"""Training with scores and scoring, as a user meets them: real processes, the real lite0 network."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from PIL import Image

from ganime.cli import cli
from ganime.data.drawn import draw_face
from ganime.runs import read_history
from tests.conftest import ROOT, TINY

OPTIONS = [word for text in TINY for word in ("--set", text)]


@pytest.fixture
def run(tmp_path):
    environment = {**os.environ, "KERAS_HOME": str(tmp_path / "keras")}

    def call(*arguments):
        command = [sys.executable, ROOT / "cli.py", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return call


def test_from_training_with_scores_to_a_score(run, tmp_path):
    (tmp_path / "faces").mkdir()
    for i in range(150):
        Image.fromarray(draw_face(i, 32)).save(tmp_path / "faces" / f"{i}.png")
    out = run("fit", "--data", "faces", "--steps", "3", "--evaluate-every", "2", "--run", "scored", *OPTIONS)
    assert "step 2: FD-lite0" in out and "of 150 pictures in faces" in out
    history = read_history(tmp_path / "checkpoints" / "scored" / "history.csv")
    assert 0.1 < history["KID-lite0"][1] < 10
    out = run("evaluate", "scored", "--data", "faces", "--part", "test", "--samples", "50")
    line = json.loads(out.splitlines()[-1])
    assert f"KID-lite0  {line['scores']['KID-lite0']:.4g}" in out
    assert line["scores"]["KID-lite0"] == pytest.approx(history["KID-lite0"][1], rel=0.2)
    assert (line["samples"], line["size"], line["real"]["part"], line["truncation"]) == (50, 32, "test", 1.0)
    kept = (tmp_path / "checkpoints" / "scored" / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in kept] == [line]

    out = run("evaluate", "--images", "faces", "--data", "faces", "--samples", "40", "--size", "32", "--nearest", "n.png")
    scores = json.loads(out.splitlines()[-1])["scores"]
    assert scores["precision-lite0"] == 1 and scores["authenticity-lite0"] == 0
    with Image.open(tmp_path / "n.png") as nearest:
        left, right = nearest.crop((2, 2, 34, 34)), nearest.crop((36, 2, 68, 34))
        assert left.tobytes() == right.tobytes()  # its own copy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either"),
        (["run", "--images", "x"], "give either"),
        (["nowhere", "--data", "."], "there is no run nowhere"),
        (["nowhere.keras"], "--data is missing"),
        (["--images", ".", "--data", ".", "--truncation", "0.5"], "--truncation is for a generator"),
        (["run", "--data", ".", "--size", "64"], "--size for --images"),
        (["run", "--data", ".", "--part", "test", "--nearest", "n.png"], "--part test leaves out"),
        (["nowhere.keras", "--data", "faces"], "nowhere.keras does not exist"),
        (["--images", "faces", "--data", "faces", "--network", "vgg"], "there are inception, lite0"),
        (["--images", "faces", "--data", "faces", "--weights", "w.pth"], "w.pth cannot be read"),
    ],
)
def test_wrong_usage_is_one_line(arguments, message, faces, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert message in result.output.splitlines()[-1]
