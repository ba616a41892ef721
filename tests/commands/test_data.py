import csv
import os
import shutil
import zipfile

from click.testing import CliRunner
from PIL import Image

from ganime.cli import cli
from ganime.commands import tools
from ganime.data.drawn import draw_face


def run(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_list_names_the_sets_and_what_is_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    folder = tmp_path / "datasets" / "splcher" / "animefacedataset"
    (folder / "versions" / "3").mkdir(parents=True)
    (folder / "3.complete").touch()
    rows = {line.split()[0]: line for line in run("data", "list").output.splitlines()}
    assert "63,565" in rows["animefacedataset"] and str(folder / "versions" / "3") in rows["animefacedataset"]
    assert rows["anime-faces"].split()[-1] == "no"


def test_prepare_check_and_pack(faces, tmp_path):
    (faces / "copy.png").write_bytes((faces / "face00.png").read_bytes())
    (faces / "broken.jpg").write_bytes(b"")
    result = run("data", "check", faces, "--sheet", tmp_path / "sheet.png", "--csv", tmp_path / "found.csv")
    assert result.exit_code == 0
    for words in ("13 readable pictures", "exact copies: 1", "broken.jpg: empty"):
        assert words in result.output
    assert Image.open(tmp_path / "sheet.png").size == (266, 200)
    with open(tmp_path / "found.csv", newline="") as file:
        assert [row["problem"] for row in csv.DictReader(file)] == ["unreadable", "exact copy"]

    target = tmp_path / "target"
    result = run("data", "prepare", faces, target, "--no-detect", "--size", 32, "--format", "jpg")
    assert result.exit_code == 0 and "12  kept" in result.output and "1  exact copy" in result.output

    result = run("data", "pack", target, tmp_path / "faces.npy", "--size", 32)
    assert result.exit_code == 0 and "12 pictures of 32x32" in result.output
    assert run("data", "pack", tmp_path / "faces.npy", tmp_path / "again.npy").exit_code == 2


def test_mistakes_are_told(faces, tmp_path):
    names = {path.name for path in faces.iterdir()}
    for arguments, code, words in (
        (("data", "check", tmp_path / "nowhere"), 2, "is not a folder"),
        (("data", "prepare", tmp_path / "nowhere", tmp_path / "target", "--no-detect"), 2, "is not a folder"),
        (("data", "prepare", faces, faces, "--no-detect"), 2, "within each other"),
        (("data", "prepare", faces, tmp_path / "t", "--no-detect", "--cascade", "x.xml"), 2, "--no-detect leaves out"),
        (("data", "pack", "nowhere", tmp_path / "faces.npy"), 2, "is not a folder"),
        (("data", "download", "nothing"), 2, "anime-faces"),
        (("fit", "--data", "nowhere"), 2, "is not a folder"),
        (("fit", "--data", ""), 2, "nothing is not a folder"),
        (("data", "prepare", faces, tmp_path / "t", "--no-detect", "--margin", "0.2"), 2, "--no-detect leaves out"),
        (("data", "check", faces, "--sheet", faces / "face00.png"), 2, "nothing in there is changed"),
        (("data", "check", faces, "--csv", faces / "found.csv"), 2, "nothing in there is changed"),
        (("data", "check", faces, "--sheet", tmp_path / "sheet.txt"), 2, "must end like a picture"),
    ):
        result = run(*arguments)
        assert result.exit_code == code, result.output
        assert words in result.output and "Traceback" not in result.output
    assert not (tmp_path / "t").exists()
    assert {path.name for path in faces.iterdir()} == names


def test_check_tells_of_every_file(faces, tmp_path):
    for i, place in enumerate(("a", "b", "masks", "train/a", "Test")):
        (faces / place).mkdir(parents=True)
        Image.fromarray(draw_face(50 + i, 40)).save(faces / place / "one.bmp")
    for name in ("face00.txt", "notes.md", "face00.png~", ".hidden", "old.zip"):
        (faces / name).write_bytes(b"words")
    pages = [Image.fromarray(draw_face(i, 40)) for i in (60, 61)]
    pages[0].save(faces / "pages.tif", save_all=True, append_images=pages[1:])
    for i in range(24):
        (faces / f"{i}.png").write_bytes(b"")
    (faces / "words.jpg").write_bytes(b"words")
    result = run("data", "check", faces, "--sheet", tmp_path / "sheet.png")
    assert result.exit_code == 0
    for words in (
        "18 readable pictures in",
        "formats: BMP 7, PNG 3",
        "files that hold several pictures, of which only the first is used: TIFF 1\n",
        "splits: Test 1, train 1; all are trained on\n",
        "classes: 3 (a 2, b 1, masks 1); 14 pictures are of none",
        "left out as hidden (no ending) 1; as editors' backups .png~ 1; as captions of pictures .txt 1; as no pictures .md 1",
        "1 archive (old.zip) not looked into: give each with --data",
        "masks/ holds 1 pictures that may be no faces, beside 42 others",
        "unreadable files: 25\n  24 .png, as 0.png: empty\n  1 .jpg, as words.jpg: not a picture\n",
    ):
        assert words in result.output, words


def test_check_of_several_sources(faces, tmp_path):
    archive = shutil.make_archive(tmp_path / "more", "zip", faces)
    sheet = tmp_path / "sheet.png"
    result = run("data", "check", faces, archive, "--sheet", sheet, "--csv", tmp_path / "found.csv")
    assert result.exit_code == 0 and f"24 readable pictures in {faces} and below, {archive}\n" in result.output
    assert f"exact copies: 12\n  {archive}/face00.png: {faces}/face00.png\n" in result.output
    assert "Without the copies" not in result.output
    for arguments in (("--sheet", faces / "a.png"), ("--csv", faces / "a.csv"), ("--csv", archive), ("--sheet", archive)):
        result = run("data", "check", archive, faces, "--force", *arguments)
        assert result.exit_code == 2 and len(result.output.splitlines()) == 1, result.output
    assert zipfile.is_zipfile(archive) and len([*faces.iterdir()]) == 12
    result = run("data", "check", archive, "--sheet", sheet, "--force")
    assert result.exit_code == 0 and f"12 readable pictures in {archive}\n" in result.output


def test_check_fails_where_nothing_is_usable(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("words")
    result = run("data", "check", tmp_path / "empty", "--sheet", tmp_path / "sheet.png")
    *account, line = result.output.splitlines()
    assert result.exit_code == 1 and "left out as no pictures .txt 1" in account
    assert line == f"Error: there is no usable picture in {tmp_path / 'empty'} and below"
    assert not (tmp_path / "sheet.png").exists()


def test_copies_of_any_name_are_listed(faces, tmp_path):
    for name in (b"\xfe.png", b"\xff\n.png"):
        (faces / os.fsdecode(name)).write_bytes((faces / "face00.png").read_bytes())
    result = run("data", "check", faces, "--sheet", tmp_path / "sheet.png", "--csv", tmp_path / "new" / "found.csv")
    assert result.exit_code == 0 and r"\udcff\n.png: face00.png" in result.output
    assert r"\udcfe.png" in (tmp_path / "new" / "found.csv").read_text()


def test_without_a_terminal_there_is_a_line_a_minute(monkeypatch, capsys):
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(tools.time, "monotonic", lambda: next(clock))
    with tools.progress_bar() as report:
        for done in (1000, 1100, 1200, 1300):
            report(done, 2000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["1,100 of 2,000 pictures, about 8 minutes left", "1,300 of 2,000 pictures, about 6 minutes left"]
