"""The commands that show faces, in this process: what they write, and one line for each silly thing that a user can ask for."""

from dataclasses import asdict

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageSequence

from ganime.cli import cli
from ganime.generation import latents, sampling
from ganime.generation.edits import Edits
from ganime.networks import build_generator
from ganime.recipes import Recipe
from ganime.run import Run
from tests.generation.test_sampling import trained


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls a command in a folder with some files, and folders of odd names; returns the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)
    np.save("two.npy", latents.from_seeds([7, 11], 128))
    np.save("short.npy", np.zeros((2, 100), np.float32))
    for suffix in ("png", "gif"):
        (tmp_path / f"folder.{suffix}").mkdir()
    Image.new("RGB", (32, 32)).save("face.png")

    def call(*arguments):
        before = {*tmp_path.iterdir()}
        result = CliRunner().invoke(cli, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        if result.exit_code:
            assert {*tmp_path.iterdir()} == before  # nothing is left behind
        return result.exit_code, result.output

    return call


def test_a_name_in_capitals_is_a_name(call):
    assert call("generate", "--seeds", "7", "--output", "A.PNG", "--save-latents", "A.NPY")[0] == 0
    assert np.array_equal(np.load("A.NPY"), latents.from_seeds([7], 128)) and picture("A.PNG").shape == (68, 68, 3)


@pytest.mark.parametrize("count", [1, 200])
def test_a_generator_that_is_not_finite_is_refused(call, count):
    generator = build_generator(32, 8, (8, 8, 8))
    generator.layers[2].kernel.assign(generator.layers[2].kernel * np.nan)
    generator.save("nan.keras")
    assert_one_line(call("generate", "--model", "nan.keras", "--seeds", f"0-{count}"), "some of its weights are not finite")


def test_where_there_is_no_edit_there_is_no_sheet(call):
    build_generator(32, 8, (8, 8, 8)).save("g.keras")
    nothing = np.empty((0, 8), np.float32)
    Edits([], nothing, nothing, np.empty(0), np.empty(0)).save("g.keras")
    assert call("edits", "g.keras") == (0, "g.edits.npz: 0 edits\n")
    code, output = call("edits", "g.keras", "--sheet", "s.png")
    assert code == 1 and "s.png is not written: there is no edit to show" in output
    assert_one_line(call("generate", "--model", "g.keras", "--edit", "fringe=1"), "there is no edit 'fringe'; there are: none")


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_latents_stand_for_seeds_everywhere(call):
    for command, suffix in (("generate", "png"), ("mix", "png"), ("walk", "png")):
        options = ["--fps", "2", "--scale", "1"] if command == "walk" else []
        for name, chosen in (("seeds", ["--seeds", "7,11"]), ("latents", ["--latents", "two.npy"])):
            code, output = call(command, *chosen, *options, "--output", f"{command}-{name}.{suffix}")
            assert code == 0, output
        assert np.array_equal(picture(f"{command}-seeds.png"), picture(f"{command}-latents.png"))


def test_saved_latents_are_those_of_the_faces(call):
    assert call("generate", "--seeds", "7,11", "--truncation", "0.5", "--save-latents", "half.npy")[0] == 0
    assert np.array_equal(np.load("half.npy"), latents.from_seeds([7, 11], 128, 0.5))
    assert call("generate", "--latents", "half.npy", "--output", "again/")[0] == 0
    faces = sampling.sample(sampling.load_for(1), [7, 11], 0.5)
    assert np.array_equal(picture("again/face-000001.png"), faces[1])


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_a_walk_is_an_endless_animation(call, suffix):
    code, output = call("walk", "--seeds", "0-3", "--fps", "5", "--scale", "2", "--grid", "1x2", "--output", f"w.{suffix}")
    assert code == 0 and "10 frames of 256x128 through 4 faces" in output
    if suffix == "mp4":
        import imageio.v2 as imageio

        with imageio.get_reader("w.mp4") as movie:
            assert movie.count_frames() == 10 and movie.get_meta_data()["size"] == (256, 128)
        return
    with Image.open(f"w.{suffix}") as animation:
        assert (animation.n_frames, animation.info["loop"], animation.size) == (10, 0, (256, 128))
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(animation)]
        assert animation.info["duration"] == 200
    seconds = sampling.sample(sampling.load_for(1), [0, 2])  # each walk begins at its first face
    for face, place in zip(seconds, (0, 128), strict=True):
        shown = np.asarray(Image.fromarray(face).resize((128, 128), Image.Resampling.LANCZOS))
        assert np.abs(frames[0][:, place : place + 128] - shown).mean() < 6


def test_a_film_strip_has_a_row_for_each_leg(call):
    assert call("walk", "--seeds", "0-2", "--fps", "4", "--scale", "1", "--output", "strip.png")[0] == 0
    assert picture("strip.png").shape == (3 * 64, 4 * 64, 3)


def test_a_sheet_is_enlarged_smoothly_or_sharply(call):
    assert call("mix", "--steps", "3", "--scale", "2", "--sharp", "--output", "sharp.png")[0] == 0
    assert call("mix", "--steps", "3", "--scale", "2", "--output", "smooth.png")[0] == 0
    sharp, smooth = picture("sharp.png"), picture("smooth.png")
    corner = sampling.sample(sampling.load_for(1), [3])[0]
    assert sharp.shape == smooth.shape == (384, 384, 3)
    assert np.array_equal(sharp[-128::2, -128::2], corner) and np.array_equal(sharp[-127::2, -127::2], corner)
    assert 0 < np.abs(sharp.astype(int) - smooth).mean() < 10


def test_edited_faces_are_those_of_the_moved_latents(call):
    options = ["--seeds", "7,11", "--edit", "hair-brightness=+1.5", "--edit", "eye-size=-1"]
    assert call("generate", *options, "--output", "edited.png", "--save-latents", "edited.npy")[0] == 0
    moved = Edits.load().apply(latents.from_seeds([7, 11], 128), {"hair-brightness": 1.5, "eye-size": -1})
    assert np.array_equal(np.load("edited.npy"), moved)
    assert call("generate", "--latents", "edited.npy", "--output", "again.png")[0] == 0
    assert np.array_equal(picture("edited.png"), picture("again.png"))


def test_the_sheet_of_edits_has_a_strip_for_each(call):
    code, output = call("edits", "--seeds", "7", "--sheet", "edits.png")
    count = len(Edits.load().names)
    assert code == 0 and f"{count} edits" in output and "eye-size  the right way for" in output
    assert picture("edits.png").shape[1] == 2 * (7 * 64 + 4) + 4  # two columns of seven faces
    code, output = call("edits", "--seeds", "0-9999", "--sheet", "s.png")
    assert code == 2 and f"--sheet s.png: 896x{-(-count // 2) * 640_000:,} pixels are too many" in output


def test_a_runs_edits_are_found_once_and_anew_when_it_has_changed(call, monkeypatch, tmp_path):
    monkeypatch.setattr("ganime.generation.edit_search.find_edits", lambda generator, report: vars(Edits.load()).values())
    run = Run(tmp_path / "run")
    run.open({"recipe": asdict(Recipe()), "seed": 0, "data": {"name": "x", "pictures": 1, "fingerprint": "x"}})
    generator = trained(build_generator(32, 128, (8, 8, 8)))
    generator.save(run.generator_path)
    code, output = call("generate", "--run", str(run.path), "--edit", "eye-size=1")
    assert code == 2 and "there are no edits of" in output and "find them with: python cli.py edits" in output
    assert call("edits", str(run.path))[0] == 0
    assert call("generate", "--run", str(run.path), "--edit", "eye-size=1")[0] == 0
    monkeypatch.setattr("ganime.generation.edit_search.find_edits", None)  # not called
    assert call("edits", "--run", str(run.path))[0] == 0
    build_generator(32, 128, (8, 8, 8)).save(run.generator_path)
    code, output = call("generate", "--run", str(run.path), "--edit", "eye-size=1")
    assert code == 2 and "of an earlier state" in output
    monkeypatch.setattr("ganime.generation.edit_search.find_edits", lambda generator, report: vars(Edits.load()).values())
    code, output = call("edits", str(run.generator_path))
    assert code == 0 and "they are found anew" in output


def test_a_picture_is_projected(call, monkeypatch, one_extractor):
    monkeypatch.setattr("ganime.generation.projection.BANK", 200)
    trained(build_generator(32, 8, (16, 8, 8))).save("g.keras")
    face = sampling.sample(sampling.load_generator("g.keras"), [5])[0]
    Image.fromarray(face).save("same.png")
    Image.fromarray(face).resize((64, 64), Image.Resampling.NEAREST).save("larger.png")
    code, output = call("project", "same.png", "larger.png", "--model", "g.keras", "--no-detect", "--output", "found.npy")
    assert code == 0 and "dB  same.png" in output and "found.npy: 2 latents; look at found.png" in output
    assert picture("found.png").shape[1] == 2 * (2 * 64 + 6)
    assert call("generate", "--model", "g.keras", "--latents", "found.npy", "--output", "faces/")[0] == 0
    made = picture("faces/face-000000.png")
    assert np.square(made.astype(float) - face).mean() < 255**2 / 10**3.8  # 38 dB


SILLY = [
    (["--seeds", "1", "--latents", "two.npy"], "--seeds and --latents exclude each other"),
    (["--seeds", "x"], "seeds 'x' are not of the form"),
    (["--seeds", "0-4294967296"], "2**32"),
    (["--latents", "missing.npy"], "missing.npy cannot be read"),
    (["--latents", "."], "cannot be read"),
    (["--latents", "short.npy"], "short.npy holds latents of 100 numbers; those of this generator have 128"),
    (["--run", "x", "--model", "y"], "--run and --model exclude each other"),
    (["--run", "none"], "there is no run none"),
    (["--model", "none.keras"], "none.keras does not exist"),
    (["--model", "two.npy"], "two.npy is not a .keras file"),
    (["--model", "folder.png"], "folder.png is a folder, and not a run"),
    (["--seeds", "0-4294967295"], "seeds '0-4294967295' are more than a million"),
    (["--seeds", "9" * 5000], "2**32 or more"),
    (["--seeds", "0-" + "9" * 5000], "2**32 or more"),
    (["--seeds", "x" * 5000], "are not of the form"),
    (["--edit", "eye-size=nan"], "from -4 to 4"),
    (["--truncation", "nan"], "'nan' is not a finite number"),
    (["--truncation", "1.1"], "--truncation"),
    (["--edit", "eye-size"], "'eye-size' is not of the form"),
    (["--edit", "eye-size=x"], "'eye-size=x' is not of the form"),
    (["--edit", "eye-size=99"], "from -4 to 4"),
    (["--edit", "beard=1"], "there is no edit 'beard'"),
    (["--edit", "eye-size=1", "--edit", "eye-size=2"], "--edit names one edit twice"),
]


@pytest.mark.parametrize("command", ["generate", "walk", "mix"])
@pytest.mark.parametrize("arguments, message", SILLY, ids=[" ".join(arguments) for arguments, _ in SILLY])
def test_silly_faces_are_one_line(call, command, arguments, message):
    assert_one_line(call(command, *arguments), message)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["generate", "--save-latents", "x.png"], "--save-latents x.png: the name must end in .npy"),
        (["walk", "--seeds", "1"], "two faces or more"),
        (["walk", "--grid", "0x3"], "'0x3' is not rows x columns"),
        (["walk", "--grid", "3"], "'3' is not rows x columns"),
        (["walk", "--grid", "99x99"], "16 at most"),
        (["walk", "--grid", "2x2", "--seeds", "0-8"], "9 faces cannot be dealt to 4 walks equally"),
        (["walk", "--grid", "2x2", "--seeds", "0-3"], "two faces or more"),
        (["walk", "--fps", "nan"], "'nan' is not a finite number"),
        (["walk", "--fps", "inf"], "--fps"),
        (["walk", "--seconds", "0"], "--seconds"),
        (["walk", "--scale", "0"], "--scale"),
        (["walk", "--output", "walk.avi"], "must end in .gif, .mp4 or .webp"),
        (["walk", "--output", "walk"], "must end in .gif, .mp4 or .webp"),
        (["walk", "--seconds", "60", "--fps", "50", "--output", "strip.png"], "pixels are too many"),
        (["mix", "--seeds", "1"], "two or four faces, not 1"),
        (["mix", "--seeds", "0-4"], "two or four faces, not 5"),
        (["mix", "--steps", "1"], "--steps"),
        (["mix", "--steps", "64", "--scale", "16"], "--output mix.png: 65,536x65,536 pixels are too many"),
        (["mix", "--output", "mix.ico"], "the name must end like a picture's"),
        (["generate", "--seeds", "0-99999"], "100,000 faces are too many for one grid, 30,625 of this"),
        (["walk", "--seeds", "0-999999"], "25,000,000 frames, which are too many; 4,000 faces make no more"),
        (
            ["walk", "--output", "w.webp", "--grid", "1x16", "--scale", "16", "--seeds", "0-31"],
            "for a .webp file, whose sides are 16,383 at most",
        ),
        (["mix", "--seeds", "0-999999"], "two or four faces, not 1,000,000"),
        (["mix", "--seeds", "1,2", "--steps", "64", "--scale", "15", "--output", "m.webp"], "61,440x960 pixels are too many"),
        (["generate", "--output", "two.npy"], "--output two.npy is a file"),
        (["generate", "--output", "folder.png"], "--output folder.png is a folder"),
        (["generate", "--output", "faces.npy"], "nothing is written as .npy; take .png, .jpg, .jpeg, .webp for a grid, .npz"),
        (["generate", "--output", "faces.GIF"], "nothing is written as .gif"),
        (["generate", "--output", "two.npy/a.png"], "--output two.npy/a.png: two.npy is a file, not a folder"),
        (["generate", "--save-latents", "x.npy", "--output", "x.npy"], "--save-latents and --output are the same"),
        (["generate", "--seeds", ""], "seeds '' are not of the form"),
        (["generate", "--seeds", "1" * 5000], "2**32 or more"),
        (["generate", "--run", ""], "'' names no folder of its own"),
        (["walk", "--output", "folder.gif"], "--output folder.gif is a folder"),
        (["gif", "--output", "folder.gif"], "--output folder.gif is a folder"),
        (["edits", "--seeds", "7"], "are for --sheet"),
        (["mix", "--output", "mix"], "the name must end like a picture's"),
        (["edits", "x", "--run", "y"], "x and --run or --model exclude each other"),
        (["edits", "none"], "there is no run none"),
        (["edits", "--sheet", "sheet"], "the name must end like a picture's"),
        (["edits", "--sheet", "sheet.png", "--latents", "short.npy"], "latents of 100 numbers"),
        (["project"], "Missing argument 'PICTURE...'"),
        (["project", "none.png"], "none.png: No such file"),
        (["project", "two.npy"], "two.npy: not a picture"),
        (["project", "."], "Is a directory"),
        (["project", "two.npy", "--output", "x.png"], "--output x.png: the name must end in .npy"),
        (["project", "two.npy", "--sheet", "x.npy"], "the name must end like a picture's"),
        (["project", "face.png", "--output", "face.npy"], "the sheet face.png is one of the pictures"),
        (["project", "two.npy", "--no-detect", "--cascade", "x"], "--no-detect leaves out"),
    ],
    ids=" ".join,
)
def test_silly_wishes_are_one_line(call, arguments, message):
    assert_one_line(call(*arguments), message)


def assert_one_line(result, message):
    code, output = result
    *usage, line = output.splitlines()
    assert code == 2 and message in line and len(line) < 500
    assert all(words.startswith(("Usage: ", "Try ")) or not words for words in usage), output
