"""Properties that hold for damaged files and odd names of every kind."""

import os
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganime.data.caching import cached
from ganime.data.folder import PictureFolder, show
from ganime.data.joined import as_pictures
from ganime.data.packed import PackedPictures, pack
from ganime.errors import GanimeError
from tests.data.damage import CHANGES, damaged, examine, samples, with_valid_checksums

BOUNDED = settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

LETTERS = st.lists(
    st.sampled_from([b"\\", b"n", b"x", b"8", b"0", b"\n", b"\x80", b"\xc2\x80", b"u", b"dc80", b"\xe2\x80\xa8"]), max_size=6
)


@pytest.mark.skipif(os.sep != "/", reason="names are bytes on other systems only")
def test_different_names_look_different_and_are_one_line():
    shown = {}

    @BOUNDED
    @given(LETTERS.map(b"".join))
    def look(name):
        text = show(os.fsdecode(name))
        assert text.isprintable()
        assert shown.setdefault(text, name) == name

    look()
    assert len(shown) > 100


@pytest.mark.parametrize(
    "names", [("a\nb", "a\\nb"), (b"\x80", "\x80"), (b"\xff", "\\xff"), (b"\xff", "\\udcff"), ("\u2028", "\\u2028")]
)
def test_a_name_cannot_look_like_the_escape_of_another(names):
    assert len({show(os.fsdecode(name)) for name in names}) == 2


KINDS = ("PNG", "BMP", "TIFF", "GIF", "WEBP", "AVIF", "JPEG", "QOI", "PNM", "TGA", "JPEG2000", "JXL", "HEIC")
CHANGE = st.tuples(
    st.sampled_from(CHANGES),
    st.one_of(st.integers(0, 99), st.integers(0, 99), st.integers(0, 4000)),  # headers are where decoders are told what to do
    st.sampled_from((1, 2, 4, 64)),
    st.integers(0, 2**16 - 1),
)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_give_a_picture_or_a_reason(kind):
    files, outcomes = samples(), set()
    assert files.keys() <= {*KINDS}
    if kind not in files:
        pytest.skip("its package is not installed")

    @BOUNDED
    @given(
        st.sampled_from(files[kind]),
        st.lists(CHANGE, min_size=1, max_size=4),
        st.sampled_from([data for kind in files.values() for data in kind]),
    )
    def look(data, changes, other):
        data = damaged(data, changes, other)
        for version in {data, with_valid_checksums(data) if kind == "PNG" else data}:
            outcomes.add(bool(examine(version)))

    look()
    assert outcomes == {True, False}


def test_damaged_packed_files_are_refused(faces, tmp_path):
    first = pack(PictureFolder(faces), tmp_path / "whole.npy", 8)
    whole, outcomes = (tmp_path / "whole.npy").read_bytes(), set()

    @BOUNDED
    @given(st.lists(CHANGE, min_size=1, max_size=3))
    def look(changes):
        content = damaged(whole, changes)
        (tmp_path / "damaged.npy").write_bytes(content)
        try:
            pictures = PackedPictures(tmp_path / "damaged.npy")
            assert np.array_equal(pictures.load_batch(range(12), 8), first.load_batch(range(12), 8))
            assert content == whole
        except GanimeError as error:
            (reason,) = re.findall("no whole file of packed pictures|is damaged, or was changed; pack it anew", str(error))
            outcomes.add(reason)

    look()
    assert len(outcomes) == 2


@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_a_damaged_cache_is_made_anew_and_said(tmp_path, monkeypatch, caplog, dtype):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    array = np.random.default_rng(0).random((20, 3)).astype(dtype)
    made, pictures = [], as_pictures(np.zeros((20, 8, 8, 3), np.uint8))

    def load():
        return cached("some", pictures, 8, {}, lambda: made.append(1) or array, array.shape, dtype)

    load()
    assert np.array_equal(load(), array) and len(made) == 1 and not caplog.records
    (path,) = tmp_path.rglob("some-*.npy")
    whole = path.read_bytes()
    assert np.array_equal(np.load(path, mmap_mode="r"), array)

    @settings(BOUNDED, max_examples=40)
    @given(st.lists(CHANGE, min_size=1, max_size=3))
    def look(changes):
        path.write_bytes(damaged(whole, changes))
        anew = path.read_bytes() != whole
        made.clear()
        caplog.clear()
        assert np.array_equal(load(), array)
        assert len(made) == len(caplog.records) == anew
        assert path.read_bytes() == whole and [file.name for file in path.parent.iterdir()] == [path.name]

    look()
