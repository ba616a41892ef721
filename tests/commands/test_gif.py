"""`gif` from what a run keeps: animations and strips of any faces, and what `RUN@STEP` is to other commands."""

import itertools
import shutil

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageSequence

import ganime
from ganime.cli import cli
from ganime.generation.sampling import load_for, paint
from ganime.networks import build_generator
from ganime.pictures.grids import add_headings, make_grid
from ganime.run import Run
from ganime.snapshots import snapshot_paths
from tests.test_overview import CONFIG
from tests.training.test_start import flip

STEPS = (0, 100, 1200)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that keeps three generators, and is at step 1,250; two edits belong to the first."""
    folder = tmp_path_factory.mktemp("made")
    run = Run(folder / "checkpoints" / "faces")
    run.open(CONFIG)
    run.snapshots_path.mkdir()
    keras.utils.set_random_seed(0)
    for path in (*(snapshot_paths(run.snapshots_path, step)[1] for step in STEPS), run.generator_path):
        generator = build_generator(32, 8, (8, 8, 8))
        generator.set_weights([3 * array for array in generator.get_weights()])  # faces that differ
        generator.save(path)
    rows = "".join(f"{step},1,1\n" for step in range(1, 1251))
    run.history_path.write_text("step,d_loss,g_loss\n" + rows)
    return folder


@pytest.fixture
def call(made, tmp_path, monkeypatch):
    """Calls a command beside that run; gives the exit code and what was printed."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(cli, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return call


def faces_of(seeds, truncation=1):
    """uint8 [4 steps, seeds, 32, 32, 3], by each generator."""
    names = [*(f"faces@{step}" for step in STEPS), "faces"]
    return np.stack([paint(load_for(1, name), truncation * ganime.from_seeds(seeds, 8)) for name in names])


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_an_animation_has_the_faces_of_each_kept_generator_and_the_step(call):
    assert call("gif", "--seeds", "3,5-7", "--scale", "1", "--columns", "4", "--output", "a.gif", "--hold", "1")[0] == 0
    with Image.open("a.gif") as animation:
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(animation)]
    assert len(frames) == 4 and frames[0].shape == (36 + 14, 4 * 34 + 2, 3)
    grids = [make_grid(faces, 4) for faces in faces_of([3, 5, 6, 7])]
    away = [[np.abs(frame[:36] - grid).mean() for grid in grids] for frame in frames]  # colors are lost, not what is shown
    assert np.argmin(away, axis=1).tolist() == [0, 1, 2, 3]
    lines = [frame[36:] for frame in frames]
    assert all(np.abs(one - other).max() > 100 for one, other in itertools.pairwise(lines))


def test_its_size_and_name(call, tmp_path):
    code, output = call("gif", "--seeds", "0-8", "--max-size", "200")
    assert code == 0 and output.startswith("over-time.gif: 9 faces at 4 steps of run faces, ")
    assert call("gif", "--seeds", "0")[1].startswith("over-time-2.gif: 1 face at 4 steps")
    with Image.open("over-time.gif") as many, Image.open("over-time-2.gif") as one:
        assert max(many.size) <= 200 and many.n_frames == one.n_frames == 4
        assert one.size == (4 * 32 + 4, 4 * 32 + 4 + 14)
    assert not (tmp_path / "checkpoints" / "faces" / "progress.gif").exists()


def test_a_strip_has_a_row_for_each_face_and_a_column_for_each_step(call):
    code, output = call("gif", "--seeds", "3,5", "--scale", "1", "--output", "strip.png")
    assert code == 0 and "2 faces at 4 steps of run faces" in output
    faces = faces_of([3, 5])
    grid = make_grid(faces.swapaxes(0, 1).reshape(-1, 32, 32, 3), 4)
    assert np.array_equal(picture("strip.png"), add_headings(grid, ["0", "100", "1,200", "1,250"]))
    assert np.array_equal(picture("strip.png")[-len(grid) :], grid) and picture("strip.png")[: -len(grid)].min() < 100
    assert call("gif", "--columns", "2", "--scale", "1", "--output", "ends.png")[0] == 0  # seeds 0 to 7
    ends = picture("ends.png")
    assert ends.shape[1] == 2 * 34 + 2 and ends.shape[0] > 8 * 34
    assert np.array_equal(ends[-34 * 8 : -34 * 7 - 2, 36:68], faces_of([0])[-1, 0])


def test_latents_stand_for_seeds(call):
    np.save("two.npy", ganime.from_seeds([3, 5], 8))
    for name, chosen in (("seeds", ["--seeds", "3,5"]), ("latents", ["--latents", "two.npy"])):
        assert call("gif", *chosen, "--truncation", "0.5", "--sharp", "--output", f"{name}.png")[0] == 0
    assert np.array_equal(picture("seeds.png"), picture("latents.png"))


def test_faces_with_labels_over_time(call):
    run = Run("faces")
    shutil.rmtree(run.snapshots_path)
    run.generator_path.unlink()
    run.snapshots_path.mkdir()
    build_generator(32, 8, (8, 8, 8), labels=("blonde", "black")).save(snapshot_paths(run.snapshots_path, 50)[1])
    assert "4 faces at 1 step of" in call("gif", "--seeds", "3,5", "--label", "black,blonde", "--output", "l.png")[1]
    assert call("gif", "--seeds", "3,5", "--scale", "1", "--output", "s.png")[0] == 0
    (found,) = (faces for _, faces in ganime.over_time("faces", [3, 5]))
    assert np.array_equal(picture("s.png")[-70:], make_grid(found, 1))
    assert "no label 'red'" in call("gif", "--label", "red")[1]


def test_headings_fit_over_their_columns():
    image = np.zeros((4, 40 * 3, 3), np.uint8)
    texts = ["1", "999,999,999", "1"]
    line = add_headings(image, texts)[:-4]
    dark = np.flatnonzero((line < 128).any((0, 2)))
    assert dark.min() > 15 and dark.max() < 105 and {*range(45, 75)} & {*dark}
    assert not {*range(24, 41)} & {*dark} and not {*range(80, 96)} & {*dark}


def test_the_api_gives_the_same_faces(call):
    found = [*ganime.over_time("faces", seeds=[3, 5])]
    assert [step for step, _ in found] == [*STEPS, 1250]
    assert np.array_equal(np.stack([faces for _, faces in found]), faces_of([3, 5]))
    latents = ganime.from_seeds([3, 5], 8)
    half = [faces for _, faces in ganime.over_time("faces", latents=latents * np.float32(0.5))]
    assert np.array_equal(half, faces_of([3, 5], np.float32(0.5)))
    shown = ganime.animate((faces for _, faces in found), columns=1)
    assert (shown.frames, shown.width, shown.height) == (4, 36, 2 * 34 + 2)
    with pytest.raises(ganime.InputError, match="run none has kept no generators"):
        ganime.over_time("none")


def test_other_commands_take_a_kept_step(call):
    faces = faces_of([7])
    for name, expected in (("faces@100", faces[1]), ("faces", faces[3])):
        assert call("generate", "--run", name, "--seeds", "7", "--output", "x.png", "--force")[0] == 0
        assert np.abs(picture("x.png")[2:-2, 2:-2].astype(int) - expected[0]).max() <= 1
    for command in ("mix", "walk"):
        assert call(command, "--run", "faces@0", "--output", f"{command}.png", "--scale", "1")[0] == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["generate", "--run", "faces@7"], "run faces keeps nothing of step 7: there are 0, 100, 1200"),
        (["edits", "faces@7"], "run faces keeps nothing of step 7: there are 0, 100, 1200"),
        (["evaluate", "faces@7"], "run faces keeps nothing of step 7: there are 0, 100, 1200"),
        (["share", "faces@7", "--output", "x"], "run faces keeps nothing of step 7: there are 0, 100, 1200"),
        (["export", "--format", "onnx", "--run", "none@7"], "there is no run none@7"),
        (["gif", "--run", "faces@100"], "shows all steps that a run keeps; leave @100 out"),
        (["gif", "--columns", "3"], "--columns, --scale, --sharp and --truncation are for --seeds or --latents"),
        (["gif", "--seeds", "1", "--latents", "x.npy"], "--seeds and --latents exclude each other"),
        (["gif", "--seeds", "x"], "not of the form"),
        (["gif", "--latents", "none.npy"], "none.npy"),
        (["gif", "--seeds", "0-99999", "--output", "x.gif"], "pixels are too many for a picture"),
        (["gif", "--seeds", "0-99999", "--output", "x.png"], "pixels are too many for a picture"),
        (["gif", "--seeds", "0", "--output", "x.avi"], "must end in .gif, .mp4 or .webp"),
        (["fit", "--run", "faces@100", "--steps", "5"], "run faces@100: a name that ends in @ and a number is a step"),
        (["fit", "--keep-at-most", "5"], "--keep-at-most is for --keep-every"),
        (["fit", "--keep-every", "50", "--steps", "5"], "--keep-every 50 is never reached in 5 steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_for_each_silly_thing(call, tmp_path, arguments, message):
    before = {*tmp_path.rglob("*")}
    code, output = call(*arguments)
    assert code == 2 and message in " ".join(output.split()) and {*tmp_path.rglob("*")} == before


def test_a_damaged_generator_is_named_and_nothing_is_written(call, tmp_path):
    kept = snapshot_paths(Run("faces").snapshots_path, 100)[1]
    flip(kept)
    for name in ("a.gif", "a.png"):
        code, output = call("gif", "--seeds", "0", "--output", name)
        assert code == 2 and f"{kept} is damaged" in output and not (tmp_path / name).exists()
    build_generator(64, 8, (8, 8, 8, 8)).save(kept)
    code, output = call("gif", "--seeds", "0", "--output", "a.gif")
    assert code == 2 and f"{kept} makes faces of another size" in output
    shutil.rmtree(kept.parent)
    code, output = call("gif", "--seeds", "0")
    assert code == 2 and "run faces has kept no generators: `fit --keep-every STEPS` keeps some from then on" in output
