import numpy as np
import pytest

from ganime.errors import InputError
from ganime.generation import latents, sampling, walks


@pytest.fixture(scope="module")
def generator():
    return sampling.load_for(1)


def steps_between(frames):
    """Root mean square difference of each frame to the next, the last to the first."""
    frames = np.stack(frames).astype(np.float32)
    return np.sqrt(np.square(frames - np.roll(frames, -1, axis=0)).mean((1, 2, 3)))


def same_faces(some, others):
    """But for rounding: a matrix product of more rows adds up in another order on some processors (NumPy 2.4's OpenBLAS on an
    AMD EPYC: 2 of 49,152 values by one level)."""
    apart = np.abs(some.astype(int) - others)
    return apart.max() <= 1 and np.mean(apart > 0) < 1e-3


def test_a_walk_is_a_loop_of_steps_of_about_equal_visible_change(generator):
    points = latents.from_seeds(range(100, 108), 128)
    frames = [*walks.walk(generator, points)]
    assert len(frames) == 200 and frames[0].shape == (64, 64, 3)
    steps = steps_between(frames)
    assert steps.max() <= 2 * np.median(steps)
    even = np.concatenate([latents.slerp(points[i], points[(i + 1) % 8], np.arange(25) / 25) for i in range(8)])
    assert steps.max() < steps_between(sampling.paint(generator, even)).max()
    for face in sampling.paint(generator, points):  # all are on the way
        assert min(np.abs(frame.astype(int) - face).max() for frame in frames) <= 1


def test_frames_are_made_as_they_are_needed(generator, monkeypatch):
    monkeypatch.setattr(walks, "WINDOW", 18)
    made = []

    def count(generator, points, batch_size):
        made.append(len(points))
        return sampling.paint(generator, points, batch_size)

    monkeypatch.setattr(walks, "paint", count)
    points = latents.from_seeds(range(7), 128)
    loop = walks.walk(generator, points, frames=9)
    next(loop)
    assert sum(made) <= 2 * 9 + 1
    frames = [*loop]
    assert len(frames) == 7 * 9 - 1 and sum(made) <= 7 * 9 + 4  # one more for each window
    assert np.abs(frames[-1].astype(int) - sampling.paint(generator, points[:1])[0]).mean() < 30


@pytest.mark.parametrize("count, frames", [(2, 1), (2, 2), (3, 4), (17, 5)])
def test_walks_of_any_length(generator, count, frames):
    assert len([*walks.walk(generator, latents.from_seeds(range(count), 128), frames)]) == count * frames


def test_a_walk_through_one_face_twice_stands_still(generator):
    frames = [*walks.walk(generator, latents.from_seeds([3, 3], 128), 6)]
    assert len(frames) == 12 and np.ptp(np.stack(frames), axis=0).max() == 0


def test_latents_of_others_are_refused(generator):
    for points in (np.zeros((2, 100)), np.zeros(128), np.full((2, 128), np.nan)):
        for use in (walks.walk, walks.mix, sampling.paint):
            with pytest.raises(InputError, match="latent"):
                use(generator, points)
    assert sampling.paint(generator, np.zeros((0, 128))).shape == (0, 64, 64, 3)


def test_too_few_faces_or_frames_are_refused(generator):
    for count, frames in ((1, 5), (0, 5), (2, 0)):
        with pytest.raises(InputError):
            walks.walk(generator, latents.from_seeds(range(count), 128), frames)


def test_the_corners_of_a_mix_are_the_faces_themselves(generator):
    points = latents.from_seeds(range(4), 128)
    faces = sampling.paint(generator, points)
    assert np.array_equal(walks.mix(generator, points, 2), faces)  # the same latents in the same product
    sheet = walks.mix(generator, points, 5)
    assert same_faces(sheet[[0, 4, 20, 24]], faces)
    row = walks.mix(generator, points[:2], 5)
    assert same_faces(row, sheet[:5])
    steps = steps_between(row)[:-1]
    assert steps.min() > 0 and steps.max() < steps_between(faces[:2])[0]  # each is between its neighbors
    for count in (0, 1, 3, 5):
        with pytest.raises(InputError, match="two or four"):
            walks.mix(generator, points[:1].repeat(count, axis=0))
    with pytest.raises(InputError, match="two steps"):
        walks.mix(generator, points, 1)


@pytest.mark.parametrize("number", [0, -1, float("nan")])
def test_a_walk_and_a_mix_have_steps(generator, number):
    points = latents.from_seeds([0, 1], 128)
    with pytest.raises(InputError, match="a walk needs a frame or more"):
        walks.walk(generator, points, number)
    with pytest.raises(InputError, match="a mix has two steps or more"):
        walks.mix(generator, points, number)
