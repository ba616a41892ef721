import errno
import itertools
import os
from pathlib import Path

import filelock
import pytest

from ganime import files
from ganime.errors import GanimeError, InputError
from ganime.files import atomic_folder, atomic_write


def write(path, text, fail=False):
    with atomic_folder(path, ["mark", "more"]) as part:
        (part / "mark").write_text(text)
        if fail:
            raise RuntimeError


def test_a_folder_is_written_whole_and_replaced_whole(tmp_path):
    path = tmp_path / "some" / "folder"
    write(path, "first")
    (path / "more").write_text("of the first")
    write(path, "second")
    assert [(file.name, file.read_text()) for file in path.iterdir()] == [("mark", "second")]
    with pytest.raises(RuntimeError):
        write(path, "third", fail=True)
    assert (path / "mark").read_text() == "second"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_something_else_is_not_replaced(tmp_path, kind):
    path = tmp_path / "mine"
    if kind == "folder":
        path.mkdir()
    (path / "notes.txt" if kind == "folder" else path).write_text("mine")
    with pytest.raises(InputError, match=r"is a file|holds notes\.txt, which would be lost"):
        write(path, "theirs")
    assert [*tmp_path.rglob("*.txt"), path][0].read_text() == "mine"


@pytest.fixture
def held(monkeypatch):
    """A list of names: while one is in it, Windows' answer to replacing that file, as a program that holds it open makes it."""
    names, tries = [], []
    replace = os.replace

    def answer(part, path):
        tries.append(path)
        if Path(path).name in names:
            raise PermissionError(13, "Access is denied", str(part), None, str(path))
        replace(part, path)

    monkeypatch.setattr(os, "replace", answer)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: len(tries) > 2 and names.clear())
    return names


def test_a_file_that_is_held_open_for_a_moment_is_replaced(tmp_path, held):
    (tmp_path / "state").write_text("before")
    held.append("state")
    with atomic_write(tmp_path / "state") as part:
        part.write_text("after")
    assert (tmp_path / "state").read_text() == "after" and not held


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOLCK, "No locks available"), OSError(errno.EOPNOTSUPP, "x"), NotImplementedError()]
)
def test_where_there_are_no_locks_it_is_said(tmp_path, monkeypatch, caplog, error):
    def refuse(self):
        raise error

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with files.exclusive(tmp_path / "run" / ".lock", "busy"):
        pass
    assert caplog.messages == [
        f"{tmp_path / 'run'}: the file system knows no locks; see yourself that no other program works there"
    ]


def test_a_lock_that_may_not_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), files.exclusive(tmp_path / "file" / ".lock", "busy"):
        pass


def test_a_file_that_stays_open_is_kept_and_named(tmp_path, held, monkeypatch):
    monkeypatch.setattr(files, "HELD_OPEN", -1)
    held.append("state")
    (tmp_path / "state").write_text("before")
    with (
        pytest.raises(PermissionError, match=r"another program may hold it open: .*state'"),
        atomic_write(tmp_path / "state") as part,
    ):
        part.write_text("after")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("state", "before")]


def test_an_outage_is_waited_for_and_said_once(monkeypatch, caplog):
    """Also where several threads meet it; and again the next time."""
    fails = itertools.chain([3, 2, 1, 0], itertools.repeat(0))
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)

    def act():
        if next(fails):
            raise OSError(errno.EIO, "Input/output error")
        return 7

    assert files.insist(act, "x cannot be read") == 7
    assert caplog.messages == ["x cannot be read ([Errno 5] Input/output error); trying again for 60 seconds"]
    fails = iter([1, 0])
    assert files.insist(act, "x cannot be read") == 7 and len(caplog.messages) == 2
    monkeypatch.setattr(files, "PATIENCE", -1)
    fails = iter([1])
    with pytest.raises(GanimeError, match="x cannot be read"):
        files.insist(act, "x cannot be read")
    files._waiting.clear()
