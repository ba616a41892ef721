"""No command overwrites what was there before, unless it is told to; and what commands write is no change to a checkout."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ganime.cli import cli
from ganime.commands.outputs import free_name
from ganime.data.drawn import draw_face
from ganime.data.packed import PackedPictures
from ganime.generation import sampling
from ganime.pictures.grids import save_picture
from ganime.run import Run
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "output, closed", [("shut/faces.png", "shut"), ("shut/new/faces", "shut"), ("shut", "shut"), ("x.npz", ".")]
)
def test_what_may_not_be_written_is_refused_first(folder, monkeypatch, output, closed):
    (folder / "shut").mkdir()
    allows = os.access  # the tests may be run by someone who may do all
    monkeypatch.setattr(
        os, "access", lambda path, mode: not (mode & os.W_OK and Path(path) == Path(closed)) and allows(path, mode)
    )
    code, told = call("generate", "--model", "none.keras", "--output", output)
    assert code == 2 and f"--output {output}: nothing may be written in {closed}; give another --output" in told


EARLY = [  # none of them comes to what else is wrong
    ("generate --model none.keras --output here.png", "--output here.png"),
    ("generate --model none.keras --output here.npz", "--output here.npz"),
    ("generate --model none.keras --save-latents here.npy", "--save-latents here.npy"),
    ("walk --model none.keras --output here.gif", "--output here.gif"),
    ("walk --model none.keras --output here.png", "--output here.png"),
    ("mix --model none.keras --output here.png", "--output here.png"),
    ("edits none.keras --sheet here.png", "--sheet here.png"),
    ("project face.png --model none.keras --output here.npy", "--output here.npy"),
    ("project face.png --model none.keras --output here-not.npy --sheet here.png", "--sheet here.png"),
    ("gif --run none --output here.gif", "--output here.gif"),
    ("export --format onnx --model none.keras --output here.onnx", "--output here.onnx"),
    ("export --format web --model none.keras --output here", "--output here"),
    ("export --format web --model none.keras --single-file --output here.html", "--output here.html"),
    ("evaluate none.keras --data nowhere --nearest here.png", "--nearest here.png"),
    ("data check none --sheet here.png", "--sheet here.png"),
    ("data check none --csv here.csv", "--csv here.csv"),
]


@pytest.mark.parametrize(("command", "named"), EARLY, ids=[command for command, _ in EARLY])
def test_what_is_there_is_refused_before_the_work_unless_forced(folder, command, named):
    option, name = named.split()
    for made in (folder / "none", folder / "here"):
        made.mkdir()
        (made / "notes.txt").write_text("mine")
    if not (folder / name).is_dir():
        (folder / name).write_text("mine")
    (folder / "face.png").touch()
    code, output = call(*command.split())
    assert code == 2 and f"{named} is there already; give another {option}, or --force to overwrite it" in output
    code, output = call(*command.split(), "--force")
    assert "is there already" not in output and "here/notes.txt" not in output
    if command.startswith("data check"):
        assert code == 1 and "there is no usable picture in none" in output
    else:
        assert code == 2 and {path.name for path in folder.iterdir()} == {"none", "here", "face.png", name}
        assert all(path.read_text() == "mine" for path in [*folder.rglob("here.*"), *folder.rglob("notes.txt")])


def test_a_second_time_takes_the_next_name(folder):
    for arguments, name in (
        ((), "faces.png"),
        ((), "faces-2.png"),
        ((), "faces-3.png"),
        (("--force",), "faces.png"),
        (("--force", "--output", "faces-2.png"), "faces-2.png"),
    ):
        code, output = call("generate", "--seeds", "0", *arguments)
        assert (code, output.partition(":")[0]) == (0, name)
    assert sorted(path.name for path in folder.iterdir()) == ["faces-2.png", "faces-3.png", "faces.png"]
    assert free_name("walk.gif", False) == Path("walk.gif") and free_name("faces.npy", False, ".png") == Path("faces-4.npy")
    Path("walk.gif").symlink_to("nowhere")
    assert free_name("walk.gif", False) == Path("walk-2.gif")


def test_a_folder_of_faces_grows_and_loses_none(folder, monkeypatch):
    assert call("generate", "--seeds", "3,5", "--output", "faces/")[0] == 0
    before = (folder / "faces" / "face-000005.png").read_bytes()
    assert call("generate", "--seeds", "6", "--output", "faces/")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "paint", None)  # not called
        code, output = call("generate", "--seeds", "7,5", "--edit", "eye-size=2", "--output", "faces/")
    assert code == 2 and f"--output {Path('faces/face-000005.png')} is there already" in output
    assert not (folder / "faces" / "face-000007.png").exists()
    assert (folder / "faces" / "face-000005.png").read_bytes() == before
    assert call("generate", "--seeds", "7,5", "--edit", "eye-size=2", "--output", "faces/", "--force")[0] == 0
    assert (folder / "faces" / "face-000005.png").read_bytes() != before


def test_what_belongs_to_a_run_or_a_folder_is_made_anew(folder, faces, monkeypatch):
    run = Run("here")
    run.open({"recipe": {}, "seed": 0, "data": {"name": "x", "pictures": 1, "fingerprint": "x"}})
    save_picture(run.samples_path / "step-000000.png", np.stack([draw_face(0, 64)])[0])
    for _ in range(2):
        assert call("gif", "--run", "here")[0] == 0
    assert len([*run.path.glob("progress*")]) == 1
    for _ in range(2):
        assert call("data", "check", "faces")[0] == 0
    assert {path.name for path in folder.glob("contact*")} == {"contact-sheet.png", "contact-sheet-2.png"}
    monkeypatch.chdir(faces)
    for _ in range(2):
        assert call("data", "check", ".")[0] == 0
    assert call("data", "check", "..", "--sheet", "contact-sheet.png")[0] == 0
    assert [path.name for path in faces.glob("contact*")] == ["contact-sheet.png"]


def test_packing_replaces_another_file_only_when_forced(folder, faces):
    np.save("faces.npy", np.zeros((2, 128), np.float32))
    for size in ("16", "32"):
        before = Path("faces.npy").read_bytes()
        code, output = call("data", "pack", "faces", "faces.npy", "--size", size)
        assert code == 2 and "faces.npy is there already, and " in output and "or --force to overwrite it" in output
        assert Path("faces.npy").read_bytes() == before
        assert call("data", "pack", "faces", "faces.npy", "--size", size, "--force")[0] == 0
        assert PackedPictures("faces.npy").size == int(size)
        assert call("data", "pack", "faces", "faces.npy", "--size", size)[0] == 0  # it is that already


def test_force_without_a_file_is_no_option():
    for command in ("edits", "evaluate none.keras --data none"):
        code, output = call(*command.split(), "--force")
        assert code == 2 and "--force" in output


def test_what_the_documentation_writes_is_no_change_to_a_checkout():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("no checkout")
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    lines = [line.partition("#")[0] for line in text.splitlines() if "cli.py" in line]
    written = re.findall(r"--(?:output|sheet|nearest|save-latents|csv) ([\w./-]+)", "\n".join(lines))
    written += re.findall(r"data (?:pack|prepare)(?: --\S+)* \S+ ([\w./-]+)", "\n".join(lines))
    assert {"near.png", "edits.png", "faces.npy", "faces"} <= {*written}
    written += ["faces.png", "faces-2.png", "walk.gif", "mix.png", "projected.npy", "projected.png", "contact-sheet.png"]
    written += ["page/index.html", "page.html", "generator.onnx", "generator.tflite", "generator-saved-model/saved_model.pb"]
    written += [".faces.npy.lock", "faces.npy.part", "faces.npy.part.json", "checkpoints/faces-default/.lock"]
    for name in written:
        name = name if "." in Path(name).name else f"{name}/face.png"
        ignored = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", name], cwd=ROOT)
        assert ignored.returncode == 0, name
    listed = subprocess.run(["git", "ls-files", "--cached", "--ignored", "--exclude-standard"], cwd=ROOT, capture_output=True)
    assert listed.stdout == b""
