"""What a training shows: on a terminal, in a file, in a notebook."""

import functools
import io
import re
from types import SimpleNamespace

import IPython.display
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from rich.console import Console

from ganime.data.drawn import DrawnFaces
from ganime.overview import runs
from ganime.training import progress
from ganime.training.fit import fit
from ganime.training.progress import NotebookProgress, TerminalProgress

STEPS = 30


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Calls a progress as a training of 30 steps does, a step in each so many seconds, with a new grid after every tenth."""

    def play(callback, seconds, steps=STEPS):
        now = 0.0
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
        network = SimpleNamespace(trainable_variables=[])
        model = {"generator": network, "discriminator": network, "distribute_strategy": tf.distribute.get_strategy()}
        for step in range(steps + 1):
            if step % 10 == 0:
                Image.fromarray(np.full((8, 8, 3), step, np.uint8)).save(tmp_path / f"step-{step:06d}.png")
            callback.set_model(SimpleNamespace(step=tf.constant(step), **model))
            callback.on_train_batch_end(step, {"d_loss": 1.25, "g_loss": step}) if step else callback.on_train_begin()
            now += seconds
        callback.on_train_end()

    return play


def test_a_training_tells_how_far_it_is_and_is_among_the_runs(plain, tmp_path, monkeypatch, capsys, one_gan):
    monkeypatch.chdir(tmp_path)
    fit("run", plain, DrawnFaces(20), STEPS)
    out, err = capsys.readouterr()
    for word in (
        "default with ",
        "20 faces",
        "trainable parameters",
        "CPU",
        "30 steps will take about 0:00:",
        "float32, pictures stay",
    ):
        assert word in out
    assert len(out.splitlines()) == 7 and not err
    (run,) = runs()
    assert (run.name, run.step, run.pictures, run.image_size, run.problem) == ("run", STEPS, 20, 32, "")
    assert run.scores.keys() == {"d_loss", "g_loss"} and run.recipe.startswith("default with ")
    fit("run", plain, DrawnFaces(20), STEPS, verbose=0)
    assert capsys.readouterr() == ("", "")
    fit("run", plain, DrawnFaces(20), STEPS)
    assert "run is at step 30 already; a larger `steps` extends it" in capsys.readouterr().out


def test_without_a_terminal_there_is_a_line_a_minute(play, capsys):
    play(TerminalProgress({}, STEPS, 4), seconds=25)
    lines = re.findall(r"step (\d+)/30  d_loss 1.250  g_loss \S+  0.2 images/s  (\S+) left", capsys.readouterr().out)
    assert [int(step) for step, _ in lines] == [*range(6, STEPS + 1, 3)] and lines[0][1] == "0:10:00"
    play(TerminalProgress({}, 3, 4), seconds=25, steps=3)  # ends before there is anything to tell
    assert "step" not in capsys.readouterr().out


def test_a_terminal_gets_a_bar(play, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", functools.partial(Console, file=screen, force_terminal=True, width=120))
    play(TerminalProgress({}, STEPS, 4), seconds=25)
    last = screen.getvalue().splitlines()[-2:]
    for word in ("30/30", "━", "d_loss 1.250  g_loss 30.000", "0.2 images/s", "0:00:00 left"):
        assert word in "".join(last)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_training_goes_on_where_nothing_can_be_shown_any_more(play, monkeypatch, terminal):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError("the terminal is gone")

    monkeypatch.setattr(progress, "Console", functools.partial(Console, file=Gone(), force_terminal=terminal))
    play(TerminalProgress({"data": "faces"}, STEPS, 4), seconds=25)


def test_what_a_terminal_cannot_show_is_escaped(play, monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(progress, "Console", functools.partial(Console, file=screen, width=120))
    play(TerminalProgress({"data": "\u65e5\x1b[2J :cat:\nrun"}, STEPS, 4), seconds=25)
    screen.seek(0)
    assert screen.readline() == "      data  \\u65e5\\x1b[2J :cat: run\n"


def test_a_clock_that_stands_still_is_no_error(play, capsys):
    play(TerminalProgress({}, STEPS, 4), seconds=0)
    assert "30 steps will take about 0:00:00" in capsys.readouterr().out


class Place:
    """What a notebook shows in one place: all that was there, one after the other."""

    def __init__(self, shown):
        self.shown = [shown]

    def update(self, shown, raw=False):
        self.shown.append(shown)


def test_a_notebook_gets_a_bar_that_moves_over_the_newest_grid(play, tmp_path, monkeypatch):
    places = []

    def display(shown, raw=False, display_id=None):
        places.append(Place(shown))
        return places[-1]

    monkeypatch.setattr(IPython.display, "display", display)
    play(NotebookProgress({"data": "<faces>"}, STEPS, 4, tmp_path), seconds=0.2)
    bar, grid = (place.shown for place in places)
    steps = [int(re.search(r'value="(\d+)" max="30"', shown["text/html"])[1]) for shown in bar]
    assert steps == sorted(steps) and steps[0] == 0 and steps[-1] == STEPS and 9 <= len({*steps}) <= 11
    assert "images/s" in bar[-1]["text/plain"] and "&lt;faces&gt; · generator" in bar[-1]["text/html"]
    levels = [np.asarray(Image.open(io.BytesIO(picture.data))).mean() for picture in grid]
    assert np.allclose(levels, [0, 10, 20, 30], atol=2)
