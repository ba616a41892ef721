"""What happens to pictures while they are trained on."""

import os
import re
import socket

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.data.folder import PictureFolder
from ganime.data.packed import pack
from ganime.errors import GanimeError, InputError


def test_files_that_change_while_training_are_named_and_passed_over(tmp_path):
    from ganime.data.pipeline import make_dataset

    for i in range(16):
        Image.fromarray(draw_face(i, 32)).save(tmp_path / f"{i:02}.png")
    pictures = PictureFolder(tmp_path)
    batches = make_dataset(pictures, 32, 8, last_step=60).as_numpy_iterator()
    assert next(batches).shape == (8, 32, 32, 3)
    (tmp_path / "03.png").unlink()
    os.truncate(tmp_path / "05.png", 300)
    Image.new("RGB", (99, 50), "red").save(tmp_path / ".new.png")
    os.replace(tmp_path / ".new.png", tmp_path / "07.png")
    (tmp_path / "09.png").unlink()
    (tmp_path / "09.png").mkdir()
    rest = list(batches)
    assert {batch.shape for batch in rest} == {(8, 32, 32, 3)} and len(rest) == 59
    assert pictures.unreadable.keys() == {"03.png", "05.png", "09.png"}
    last_epoch = np.concatenate(rest[-2:])
    assert (last_epoch == (255, 0, 0)).all(axis=(1, 2, 3)).any()


@pytest.mark.skipif(os.sep != "/", reason="these are files on POSIX only")
def test_what_is_no_file_any_more_is_passed_over_and_not_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    for name in ("directory", "pipe", "held", "socket", "device", "face"):
        Image.fromarray(draw_face(1, 32)).save(f"{name}.png")
    pictures = PictureFolder(tmp_path)
    for path in set(tmp_path.iterdir()) - {tmp_path / "face.png"}:
        path.unlink()
    (tmp_path / "directory.png").mkdir()
    os.mkfifo("pipe.png")
    os.mkfifo("held.png")
    os.symlink("/dev/zero", "device.png")
    with socket.socket(socket.AF_UNIX) as listening, open(os.open("held.png", os.O_RDWR), "rb", buffering=0):
        listening.bind("socket.png")
        assert np.array_equal(pictures.load_batch(range(6), 32), [draw_face(1, 32)] * 6)
    assert pictures.unreadable == {
        "directory.png": "Is a directory", "pipe.png": "empty", "held.png": "not a file", "socket.png": "not a file",
        "device.png": "not a picture"
    }  # fmt: skip
    assert "trying again" not in caplog.text


@pytest.mark.parametrize("gone", ["all", "below"])
def test_a_folder_that_is_gone_ends_the_training_at_once(tmp_path, gone):
    for name in ("all/a.png", "all/below/b.png", "all/below/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_face(1, 32)).save(tmp_path / name)
    pictures = PictureFolder(tmp_path / "all")
    folder = next(path for path in (tmp_path / "all", tmp_path / "all" / "below") if path.name == gone)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(GanimeError, match=rf"the folder .*{gone}.* is gone: No such file"):
        pictures.load_batch([1], 32)
    assert not pictures.unreadable
    (tmp_path / "elsewhere").rename(folder)
    assert np.array_equal(pictures.load(1, 32), draw_face(1, 32))


def test_nothing_left_while_training_is_one_line_for_the_user(tmp_path):
    import tensorflow as tf

    from ganime.data.pipeline import make_dataset
    from ganime.training.fit import _translate

    for i in range(4):
        Image.fromarray(draw_face(i, 32)).save(tmp_path / f"{i}.png")
    batches = make_dataset(PictureFolder(tmp_path), 32, 4, last_step=60).as_numpy_iterator()
    next(batches)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(tf.errors.OpError) as error:
        list(batches)
    translated = _translate(error.value)
    assert isinstance(translated, GanimeError) and not isinstance(translated, InputError)
    assert re.fullmatch("the pictures cannot be read: the folder .* is gone: nothing is left in it; .*", str(translated))


def test_a_packed_file_that_is_cut_short_while_training_is_an_error_and_no_crash(faces, tmp_path):
    import tensorflow as tf

    from ganime.data.pipeline import make_dataset
    from ganime.training.fit import _translate

    batches = make_dataset(pack(PictureFolder(faces), tmp_path / "faces.npy", 32), 32, 4, last_step=200).as_numpy_iterator()
    next(batches)
    os.truncate(tmp_path / "faces.npy", 1000)
    with pytest.raises(tf.errors.OpError) as error:
        list(batches)
    translated = _translate(error.value)
    assert isinstance(translated, GanimeError)
    assert str(translated).endswith("was cut short while in use")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is in use")
def test_a_packed_file_that_is_deleted_while_training_goes_on(faces, tmp_path):
    from ganime.data.pipeline import make_dataset

    batches = make_dataset(pack(PictureFolder(faces), tmp_path / "faces.npy", 32), 32, 4, last_step=50).as_numpy_iterator()
    next(batches)
    (tmp_path / "faces.npy").unlink()
    assert len(list(batches)) == 49
