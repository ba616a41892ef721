"""The command `share`: what it writes, that it works, and that nothing is lost."""

import dataclasses
import hashlib
import json
import re
import shutil

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ganime.cli import cli
from ganime.generation import latents
from ganime.generation.sampling import load_for, sample
from ganime.pictures.grids import make_grid, to_uint8
from ganime.recipes import get_recipe
from ganime.run import Run
from tests.conftest import TINY
from tests.exporting.conftest import contents

FILES = {
    *("README.md", "ganime.json", "generator.edits.npz", "generator.judge.npz", "generator.keras", "generator.onnx"),
    *("grid.png", "walk.gif"),
    *(
        "page/README.md",
        "page/ganime.json",
        "page/generator.safetensors",
        "page/index.html",
        "page/worker.js",
        "page/kernel.wasm",
    ),
}


@pytest.fixture
def run(small_generator, tmp_path, monkeypatch):
    """A run as `fit`, `edits` and `generate --best` leave it, in the working directory's `checkpoints`."""
    monkeypatch.chdir(tmp_path)
    run = Run("own-faces")
    data = {"name": "drawn-faces", "pictures": 20000, "fingerprint": "drawn-faces-1-20000"}
    recipe = dataclasses.asdict(get_recipe("default").override(*TINY))
    run.open({"recipe": recipe, "seed": 0, "data": data, "versions": {"ganime": "0.1.0"}})
    for name in ("generator.keras", "generator.edits.npz", "generator.judge.npz"):
        shutil.copy(small_generator.with_name(name), run.path)
    run.state_path.parent.mkdir()
    with h5py.File(run.state_path, "w") as state:
        state["vars/0"] = 60
    return run


@pytest.fixture
def quick(monkeypatch):
    """Nothing is drawn and exports are empty, where a test is not about them."""

    def export(path, kind, output, license_name):
        if kind == "web":
            output.mkdir()
            output = output / "index.html"
        output.write_bytes(b"")

    monkeypatch.setattr("ganime.exporting.share.export", export)
    monkeypatch.setattr("ganime.exporting.share._draw", lambda folder: None)


def call(*arguments):
    result = CliRunner().invoke(cli, ["share", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_folder_holds_what_others_need(run, tmp_path, monkeypatch):
    code, output = call("own-faces", "--output", "out", "--license", "MIT")
    assert code == 0 and "files of checkpoints/own-faces/generator.keras" in output, output
    there = contents(tmp_path / "out")
    assert there.keys() >= FILES
    for folder in ("", "page/"):
        manifest = json.loads(there[f"{folder}ganime.json"])
        assert manifest["facts"]["license"] == "MIT" and manifest["facts"]["name"] == "own-faces"
        files = {name.removeprefix(folder): data for name, data in there.items() if name.startswith(folder)}
        del files["ganime.json"]
        assert manifest["files"] == {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
        }
    assert json.loads(there["ganime.json"])["config"] == run.read_config()
    faces = sample(load_for(1, run.generator_path), range(64))
    with Image.open("out/grid.png") as grid, Image.open("out/walk.gif") as loop:
        assert np.array_equal(np.asarray(grid), make_grid(faces, 8))
        assert (loop.n_frames, loop.size) == (72, (128, 128)) and len(there["walk.gif"]) < 3e6
    monkeypatch.chdir("out")
    for program in re.findall(r"```python\n(.*?)```", there["README.md"].decode(), re.DOTALL):  # as a reader runs them
        names = {}
        exec(program, names)
        assert np.array_equal(names["latents"], latents.from_seeds(range(4), 8))
        assert np.abs(to_uint8(names["images"]).astype(int) - faces[:4]).max() <= 1
        assert "pictures" not in names or np.abs(names["pictures"].astype(int) - faces[:4]).max() <= 1


def test_a_folder_is_replaced_if_nothing_of_the_users_is_in_it(run, tmp_path, quick):
    assert call("own-faces", "--output", "out")[0] == 0
    shutil.rmtree("out/page")  # incomplete, but nothing else
    for what in ("edits", "judge"):
        (run.path / f"generator.{what}.npz").write_bytes(b"damaged")
    code, output = call("own-faces", "--output", "out")
    assert code == 0
    before = contents(tmp_path / "out")
    for what in ("edits", "judge"):
        assert f"without {what}: checkpoints/own-faces/generator.{what}.npz is damaged" in output
        assert f"generator.{what}.npz" not in before
    assert "page/index.html" in before
    (tmp_path / "out" / "page" / "notes.txt").write_text("mine")
    code, output = call("own-faces", "--output", "out")
    assert code == 2 and "out holds page/notes.txt, which `share` has not written; name another folder" in output
    assert contents(tmp_path / "out") == {**before, "page/notes.txt": b"mine"}


def test_a_kept_step_is_shared_with_what_lies_beside_it(run, tmp_path, quick):
    run.snapshots_path.mkdir()
    for path in (run.generator_path, *run.path.glob("generator.*.npz")):
        shutil.copy(path, run.snapshots_path / path.name.replace("generator", "step-000060"))
    shutil.copy(run.state_path, run.snapshots_path / "step-000060.weights.h5")
    code, output = call("own-faces@60", "--output", "out")
    assert code == 0 and "without" not in output, output
    there = contents(tmp_path / "out")
    for name in ("generator.keras", "generator.edits.npz", "generator.judge.npz"):
        assert there[name] == (run.path / name).read_bytes()


def test_what_fails_leaves_nothing_behind(run, tmp_path, quick, monkeypatch):
    def fail(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("ganime.exporting.share.write_manifest", fail)
    before = {*tmp_path.iterdir()}
    assert call("own-faces", "--output", "out") == (130, "Interrupted.\n")
    assert {*tmp_path.iterdir()} == before


def test_a_run_that_is_trained_on_meanwhile_is_not_shared(run, tmp_path, quick, monkeypatch):
    monkeypatch.setattr("ganime.exporting.share._draw", lambda folder: run.generator_path.open("ab").write(b"more"))
    code, output = call("own-faces", "--output", "out")
    assert code == 1 and "run own-faces was trained on meanwhile; share it when `fit` has ended" in output
    assert not (tmp_path / "out").exists()


def test_a_push_takes_the_run_to_the_hub_and_back(run, hub, tmp_path, quick, one_extractor):
    code, output = call("own-faces", "--output", "out", "--license", "CC-BY-4.0", "--push", "me/faces")
    assert code == 0 and f"pushed to {hub.url}/me/faces\npushed to {hub.url}/spaces/me/faces\n" in output, output
    assert contents(tmp_path / "out").items() <= hub.files("me/faces")[0].items()
    assert hub.files("spaces/me/faces")[0].keys() >= {"index.html", "README.md"}
    result = CliRunner().invoke(cli, ["generate", "--model", "hf://me/faces", "--seeds", "0-3", "--output", "back.png"])
    assert result.exit_code == 0, result.output
    with Image.open("back.png") as picture:
        assert np.array_equal(np.asarray(picture), make_grid(sample(load_for(1, run.generator_path), range(4))))
    for command in (["generate", "--best", "1", "--seeds", "0-1"], ["edits", "--sheet", "sheet.png", "--seeds", "0"]):
        hub.requests.clear()
        result = CliRunner().invoke(cli, [*command, "--model", "hf://me/faces"])
        assert result.exit_code == 0, result.output
        assert hub.requests.count("GET /api/models/me/faces/revision/main") == 1  # asked once what the newest is


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["own-faces"], "Missing option '--output'"),
        (["none", "--output", "out"], "there is no run none"),
        (["own-faces", "--output", "file"], "--output file is a file"),
        (["own-faces", "--output", "file/out"], "file is a file, not a folder"),
        (["own-faces", "--output", "full"], "full holds x, which `share` has not written"),
        (["own-faces", "--output", "out", "--license", "my own"], "'my own' is not a name as SPDX has it"),
        (["own-faces", "--output", "out", "--push", "faces"], "'faces' is not a name on the model hub, as in USER/NAME"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_silly_wishes_are_one_line(run, tmp_path, arguments, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    before = {*tmp_path.rglob("*")}
    code, output = call(*arguments)
    assert code == 2 and message in output.splitlines()[-1]
    assert {*tmp_path.rglob("*")} == before
