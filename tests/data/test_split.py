import shutil

import numpy as np
import pytest

from ganime.data import split as split_module
from ganime.data.drawn import DrawnFaces
from ganime.data.folder import PictureFolder
from ganime.data.packed import pack
from ganime.data.split import split
from ganime.errors import InputError
from ganime.pictures.grids import save_picture


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def pixels(part, size=32):
    """The different pictures of a part."""
    return {picture.tobytes() for picture in part.load_batch(list(range(len(part))), size)}


@pytest.fixture
def folder(tmp_path):
    """A folder of 200 small pictures."""
    rng = np.random.default_rng(0)
    for i in range(200):
        save_picture(tmp_path / "pictures" / f"{i:03}.png", rng.integers(0, 256, (32, 32, 3), np.uint8))
    return tmp_path / "pictures"


def test_a_tenth_is_held_out_and_none_is_in_both_parts():
    train, test = split(DrawnFaces(500), 32)
    assert len(train) + len(test) == 500
    assert 50 - 20 < len(test) < 50 + 20  # three standard errors
    assert not pixels(train) & pixels(test)


def test_names_order_and_other_pictures_do_not_matter(folder):
    before = pixels(split(PictureFolder(folder), 32)[1])
    for i, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{(i * 37) % 200:03}-renamed.png")
    for i in range(100):
        (folder / f"{i:03}-renamed.png").unlink()
    rest = PictureFolder(folder)
    assert pixels(split(rest, 32)[1]) == before & {p.tobytes() for p in rest.load_batch(list(range(100)), 32)}


def test_copies_and_what_stands_in_for_the_unreadable_stay_in_their_part(folder):
    for i in range(60):
        shutil.copy(folder / f"{i:03}.png", folder / f"copy-{i:03}.png")
        (folder / f"broken-{i:03}.png").write_bytes(b"no picture")
    train, test = split(PictureFolder(folder), 32)
    assert len(train) + len(test) == 320
    assert not pixels(train) & pixels(test)


def test_a_folder_and_its_packed_file_are_parted_alike(folder, tmp_path):
    parts = split(PictureFolder(folder), 32)
    packed = split(pack(PictureFolder(folder), tmp_path / "packed.npy", 32), 32)
    assert [part.fingerprint for part in parts] == [part.fingerprint for part in packed]
    assert parts[0].fingerprint != parts[1].fingerprint != PictureFolder(folder).fingerprint


def test_the_result_is_kept(monkeypatch):
    first = split(DrawnFaces(100), 32)
    monkeypatch.setattr(split_module, "in_order", None)
    again = split(DrawnFaces(100), 32)
    assert [part.indices.tolist() for part in first] == [part.indices.tolist() for part in again]


def test_folders_with_files_of_the_same_names_and_sizes_are_told_apart(tmp_path):
    for seed, name in enumerate(("one", "two")):
        rng = np.random.default_rng(seed)
        for i in range(60):
            save_picture(tmp_path / name / f"{i:02}.bmp", rng.integers(0, 256, (8, 8, 3), np.uint8))
    one, two = (PictureFolder(tmp_path / name) for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    assert split(one, 8)[1].indices.tolist() != split(two, 8)[1].indices.tolist()


def test_a_damaged_cache_is_made_anew(tmp_path):
    first = split(DrawnFaces(100), 32)
    (kept,) = (tmp_path / "keras").rglob("split-*.npy")
    kept.write_bytes(kept.read_bytes()[:50])
    assert split(DrawnFaces(100), 32)[1].indices.tolist() == first[1].indices.tolist()


def test_too_few_pictures():
    with pytest.raises(InputError, match="too few"):
        split(DrawnFaces(1), 32)
