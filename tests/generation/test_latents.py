import os
import re

import numpy as np
import pytest

from ganime.data.names import show
from ganime.errors import InputError
from ganime.generation import latents


def test_a_seed_is_a_latent_for_ever():
    assert np.allclose(latents.from_seeds([0], 3), [[1.76405235, 0.40015721, 0.97873798]])  # NumPy's frozen generator
    both = latents.from_seeds([5, 6], 16)
    assert np.array_equal(latents.from_seeds([6], 16)[0], both[1])
    assert np.allclose(latents.from_seeds([5, 6], 16, truncation=0.5), both / 2)
    assert latents.from_seeds([], 16).shape == (0, 16)


def test_seeds_are_read():
    assert latents.parse_seeds("0,1,4-6") == [0, 1, 4, 5, 6]
    for text in ("", "a", "3-1", "-1", "1-", "4294967296", "1,,2"):
        with pytest.raises(InputError):
            latents.parse_seeds(text)


def test_what_was_saved_is_read(tmp_path):
    points = latents.from_seeds(range(5), 7)
    latents.save_latents(tmp_path / "some.npy", points)
    assert np.array_equal(latents.read_latents(tmp_path / "some.npy"), points)
    np.save(tmp_path / "double.npy", np.asfortranarray(points.astype(">f8")))
    assert np.array_equal(latents.read_latents(tmp_path / "double.npy"), points)
    with pytest.raises(InputError, match=r"must end in \.npy"):
        latents.save_latents(tmp_path / "some.npz", points)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((2, 3, 4), np.float32), r"float32 \[2, 3, 4\]; latents are float32 or float64 \[count"),
        (np.zeros(3, np.float32), r"float32 \[3\]"),
        (np.float32(1), r"float32 \[\]"),
        (np.zeros((2, 3), np.float16), "float16"),
        (np.zeros((2, 3), int), "int64"),
        (np.zeros((2, 3), complex), "complex128"),
        (np.array([["a"]]), "<U1"),
        (np.array([[None]]), "no .npy file of numbers"),
        (np.zeros((0, 3), np.float32), "0 latents"),
        (np.zeros((1_000_001, 1), np.float32), "1,000,001 latents"),
        (np.array([[0, 1], [np.nan, 1]]), "latent 1, counted from 0, has a number that is not finite"),
        (np.array([[1e300, 1]]), "latent 0"),
    ],
)
def test_what_is_no_set_of_latents_is_refused(tmp_path, array, message):
    np.save(tmp_path / "wrong.npy", array)
    with pytest.raises(InputError, match=message) as caught:
        latents.read_latents(tmp_path / "wrong.npy")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_arrays_are_refused(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    np.savez(tmp_path / "several.npz", a=np.zeros(3))
    (tmp_path / "empty.npy").touch()
    whole = tmp_path / "whole.npy"
    np.save(whole, np.zeros((9, 9), np.float32))
    (tmp_path / "cut.npy").write_bytes(whole.read_bytes()[:-1])
    (tmp_path / "zip.npy").write_bytes((tmp_path / "several.npz").read_bytes()[:-9])
    np.save(tmp_path / "named.npy", np.zeros((2, 2), [("\x1b[31m" + 999 * "x", "f4")]))
    os.mkfifo(tmp_path / "pipe.npy")
    with open(tmp_path / "large.npy", "wb") as file:  # its numbers take no room on the disk
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2, 2**28)})
        file.truncate(file.tell() + 2**31)
    names = ("text", "empty", "cut", "zip", "named", "pipe", "large", "missing", "\x1b[31m")
    for name in (*(f"{name}.npy" for name in names), "several.npz"):
        with pytest.raises(InputError, match=re.escape(show(name))) as error:
            latents.read_latents(tmp_path / name)
        assert str(error.value).isprintable() and len(str(error.value)) < 400


def test_between_two_latents_lies_the_great_circle():
    first, last = latents.from_seeds([1, 2], 128)
    between = latents.slerp(first, last, np.linspace(0, 1, 11))
    assert np.array_equal(between[0], first) and np.array_equal(between[-1], last)
    directions = between / np.linalg.norm(between, axis=1, keepdims=True)
    turns = np.arccos((directions[1:] * directions[:-1]).sum(1))
    equal = latents.slerp(first / np.linalg.norm(first), last / np.linalg.norm(last), np.linspace(0, 1, 11))
    turns_of_equal = np.arccos((equal[1:] * equal[:-1]).sum(1))
    assert np.ptp(turns_of_equal) < 1e-3 and np.allclose(np.linalg.norm(equal, axis=1), 1, atol=1e-6)
    assert turns.sum() == pytest.approx(turns_of_equal.sum(), rel=1e-3)  # in one plane


def test_a_way_leads_through_any_two_latents():
    for first, last in (
        (np.zeros(3), np.ones(3)),
        (np.ones(3), np.ones(3)),
        (np.ones(3), -np.ones(3)),
        (np.ones(3), 2 * np.ones(3)),
    ):
        between = latents.slerp(first, last, np.linspace(0, 1, 5))
        assert np.isfinite(between).all()
        assert np.array_equal(between[[0, -1]], np.stack([first, last]).astype(np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], 8, 7), "truncation 7 is not from 0 to 1"),
        ((3, 8), "seeds are integers in a list"),
        (([1.5], 8), "seeds are integers in a list"),
        (([0, -1], 8), "seed -1 is not from 0"),
        (([2**32], 8), "seed 4294967296"),
        (([10**9999], 8), "seed 0x"),
        (([-(10**9999)], 8), "seed -0x"),
        (("x" * 9999, 8), "seeds are integers in a list"),
        (([0], 8, float("nan")), "truncation nan is not from 0 to 1"),
    ],
)
def test_what_is_no_seed_is_refused(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        latents.from_seeds(*arguments)
    assert len(str(error.value)) < 200
