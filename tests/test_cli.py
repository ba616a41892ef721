"""The command line as a user meets it: real processes where the process matters, click's runner elsewhere."""

import os
import signal
import subprocess
import sys
import time

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ganime.cli import cli
from ganime.commands.tools import this_command
from ganime.generation.sampling import SHIPPED
from tests.conftest import PLAIN, ROOT

OPTIONS = [word for text in PLAIN for word in ("--set", text)]


@pytest.fixture
def run(tmp_path):
    """Calls `python cli.py …` in an empty folder and on the poorest of terminals; returns the exit code, what was printed, and
    the errors."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}

    def call(*arguments):
        command = [sys.executable, ROOT / "cli.py", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return call


def test_from_training_to_faces(run, tmp_path, monkeypatch):
    code, out, err = run("fit", "--steps", "30", "--sample-every", "10", *OPTIONS)
    assert (code, err) == (0, "")
    assert "draws itself" in out and "batch_size=4" in out
    for word in ("20,000 faces", "32x32, 4 per step", "trainable parameters", "CPU", "30 steps will take about", "Done"):
        assert out.count(word) == 1  # and `ganime.fit` itself is silent
    code, out, err = run("gif", "--fps", "5", "--max-size", "100", "--output", "a.gif")
    assert (code, err) == (0, "") and "4 pictures of run drawn-faces-default" in out
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 4 and max(gif.size) <= 100 and gif.width > 60
    code, out, err = run("generate", "--run", "drawn-faces-default", "--seeds", "3,5", "--output", "two")
    assert (code, err) == (0, "")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["generate", "--run", "drawn-faces-default"]).exit_code == 0
    with Image.open(tmp_path / "faces.png") as grid, Image.open(tmp_path / "two" / "face-000005.png") as face:
        grid, face = np.asarray(grid), np.asarray(face)
    assert face.shape == (32, 32, 3)
    assert np.abs(grid[2:34, 172:204].astype(int) - face).max() <= 1  # seed 5 is the sixth of the first row


def test_a_newcomer_sees_faces_at_once(run, tmp_path):
    """Without a run: those of the generator that ships. Their mean is near real faces', skin in the middle, not grey."""
    code, out, err = run("generate", "--output", "faces")
    assert (code, err) == (0, "") and "64 faces of the generator that ships" in out
    faces = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "faces").iterdir())])
    assert faces.shape == (64, 64, 64, 3)
    red, _, blue = faces[:, 32:52, 20:44].mean((0, 1, 2))
    assert red > 190 and red > blue + 10 and faces.std(0).mean() > 40


def test_help_and_recipes_are_quick_and_leave_tensorflow_alone(run):
    for arguments in (["--help"], ["recipes"], ["fit", "--help"]):
        seconds = []
        while len(seconds) < 3 and min(seconds, default=1) >= 0.5:  # other programs may take a moment of one of them
            since = time.perf_counter()
            code = run(*arguments)[0]
            seconds.append(time.perf_counter() - since)
            assert code == 0
        assert min(seconds) < 0.5
    modules = ("cli", "run", "recipes", "pictures.grids", "pictures.animation", "generation.latents")
    imported = "import sys, ganime." + ", ganime.".join(modules) + "\n"
    check = "assert not {'tensorflow', 'keras', 'matplotlib', 'imageio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", imported + check], cwd=ROOT, check=True)


def test_a_terminal_that_knows_ascii_alone_is_enough(run, tmp_path):
    (tmp_path / "Gesichter für ✿").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "Gesichter für ✿" / "é.png")
    code, out, err = run("data", "list")
    assert (code, err) == (0, "") and out.isascii() and "\\" not in out
    for name in cli.commands:
        assert CliRunner().invoke(cli, [name, "--help"]).output.isascii()
    for arguments, words in (
        (["data", "check", "Gesichter für ✿", "--sheet", "Übersicht.png"], "1 readable pictures"),
        (["generate", "--seeds", "0", "--output", "Gesichter ✿.png"], "1 face of the generator"),
    ):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "") and words in out
    assert (tmp_path / "Übersicht.png").exists() and (tmp_path / "Gesichter ✿.png").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ganime", "ganime fit --steps 9"),
        ("python -m ganime", f"{sys.executable} -m ganime fit --steps 9"),
        ("python cli.py", f"{sys.executable} some/cli.py fit --steps 9"),
    ],
)
def test_the_command_to_continue_is_the_one_that_was_given(monkeypatch, name, words):
    monkeypatch.setattr(sys, "argv", ["some/cli.py", "fit", "--steps", "9"])
    with click.Context(cli, info_name=name):
        assert this_command() == words
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(sys, "executable", r"C:\Python\python.exe")
        assert this_command().startswith((r"C:\Python\python.exe ", "ganime "))


def test_every_recipe_is_shown(run):
    out = run("recipes")[1]
    for word in ("zero-to-gans", "1024,512,256,128", "label_noise", "0.2"):
        assert word in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["fit", "--recipe", "none"], "there is no recipe 'none'"),
        (["fit", "--set", "batch_size=0"], "batch_size: 0 is not from 1 to 8192"),
        (["fit", "--data", "nowhere"], "nowhere is not a folder"),
        (["fit", "--data", "."], "no usable picture: looked at 0 pictures"),
        (["fit", "--steps", "0"], "--steps"),
        (["fit", "--strict"], "--strict"),
        (["fit", "--steps-per-execution", "513"], "513 is not in the range 1<=x<=512"),
        (["fit", "--distribute", "multiworker"], "--distribute multiworker needs TF_CONFIG"),
        (["gif"], "there is no run in"),
        (["gif", "--hold", "700"], "--hold"),
        (["gif", "--run", "x"], "there is no run x"),
        (["generate", "--seeds", "5-2"], "seeds '5-2'"),
        (["generate", "--model", "x.keras"], "x.keras does not exist"),
        (["generate", "--run", "a", "--model", "b"], "exclude each other"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1] and isinstance(result.exception, SystemExit)


def test_wrong_usage_ends_the_process_so(run):
    code, out, err = run("gif", "--run", "x")
    assert (code, out) == (2, "") and "there is no run x" in err.splitlines()[-1]


def test_what_is_no_generator_is_refused(run, tmp_path):
    (tmp_path / "x.keras").write_text("x")
    code, _, err = run("generate", "--model", "x.keras")
    assert code == 2 and "x.keras is not a .keras file" in err
    assert not (tmp_path / "faces.png").exists()


def test_edits_of_no_use_are_said_although_tensorflow_is_quiet(run, tmp_path):
    (tmp_path / "g.keras").write_bytes(SHIPPED.read_bytes())
    (tmp_path / "g.edits.npz").write_bytes(b"damaged")
    code, _, err = run("export", "--format", "web", "--model", "g.keras")
    assert code == 0 and err.startswith("without edits: g.edits.npz is damaged") and err.count("\n") == 1


def test_an_interrupted_training_saves_and_says_how_to_continue(tmp_path):
    command = [sys.executable, ROOT / "cli.py", "fit", "--run", "here", "--steps", "100000", "--save-every", "100000", *OPTIONS]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    history = tmp_path / "checkpoints" / "here" / "history.csv"
    while process.poll() is None and not (history.exists() and len(history.read_text().splitlines()) > 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        error = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert "Saved at step" in error and "Continue with: " in error and "--steps 100000" in error
    folder = history.parent
    assert (folder / "state" / "gan.weights.h5").exists() and (folder / "progress.gif").exists()


def test_the_console_script_is_the_same_program():
    from importlib.metadata import entry_points

    scripts = entry_points(group="console_scripts", name="ganime")
    if not scripts:
        pytest.skip("not installed")
    assert [script.value for script in scripts] == ["ganime.__main__:main"]
