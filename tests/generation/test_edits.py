import numpy as np
import pytest

from ganime.errors import InputError
from ganime.generation import edit_search, latents, sampling
from ganime.generation.attributes import KEPT
from ganime.generation.edits import Edits, edits_path
from ganime.networks import build_generator


@pytest.fixture(scope="module")
def shipped():
    return Edits.load()


def test_the_shipped_generator_has_edits_that_do_what_their_names_say(shipped):
    assert len(shipped.names) >= 10
    assert {"eye-warmth", "eye-size", "mouth-open", "face-width", "fringe"} <= {*shipped.names}
    meter = edit_search.Faces(sampling.load_generator())
    points = latents.from_seeds(range(500, 628), 128)
    before = meter.attributes(points)
    deviations = np.array(edit_search.regress(meter, latents.from_seeds(range(200), 128))[1])
    for name in shipped.names:
        own = [*edit_search.ATTRIBUTES].index(name)
        for strength in (-2, 2):
            changes = (meter.attributes(shipped.apply(points, {name: strength})) - before) / deviations
            means = np.abs(changes.mean(0))
            assert (strength * changes[:, own] > 0).mean() > 0.92, name  # 0.97 of many more faces
            assert np.delete(means, own).max() < 0.25 * means[own], name  # and 0.2


def test_an_edit_keeps_the_length_of_a_latent(shipped):
    points = latents.from_seeds(range(4), 128, truncation=0.8)
    moved = shipped.apply(points, {"eye-size": 1, "hair-warmth": -1})
    assert np.allclose(np.linalg.norm(moved, axis=1), np.linalg.norm(points, axis=1), rtol=1e-5)
    assert not np.allclose(moved, points, atol=0.1)
    assert np.allclose(shipped.apply(points, {"eye-size": 0}), points, atol=1e-6)
    middle = shipped.apply(np.zeros((1, 128)), {"eye-size": 2})  # the face in the middle has edits too
    assert np.linalg.norm(middle) > 1


def test_silly_edits_are_refused(shipped):
    points = latents.from_seeds([1], 128)
    for strengths, message in (
        ({"beard": 1}, "no edit 'beard'; there are: hair-brightness"),
        ({"eye-size": 4.1}, "eye-size=4.1: the strength must be from -4 to 4"),
        ({"eye-size": float("nan")}, "must be from"),
        ({"eye-size": float("inf")}, "must be from"),
    ):
        with pytest.raises(InputError, match=message):
            shipped.apply(points, strengths)
    with pytest.raises(InputError, match=r"latents are \[count, 128\] for this generator"):
        shipped.apply(points[:, :100], {"eye-size": 1})


def test_edits_lie_beside_their_generator_and_know_it(tmp_path, shipped):
    path = tmp_path / "g.keras"
    with pytest.raises(InputError, match=r"g\.keras does not exist"):
        Edits.load(path)
    build_generator(32, 128, (8, 8, 8)).save(path)
    with pytest.raises(InputError, match="there are no edits"):
        Edits.load(path)
    assert shipped.save(path) == edits_path(path) == tmp_path / "g.edits.npz"
    again = Edits.load(path)
    assert again.names == shipped.names and np.array_equal(again.bends, shipped.bends)
    nothing = np.empty((0, 128), np.float32)
    Edits([], nothing, nothing, np.empty(0), np.empty(0)).save(path)
    assert Edits.load(path).names == []
    Edits(["eye-size"], nothing + np.nan, np.full((1, 128), np.nan), np.ones(1), np.ones(1)).save(path)
    with pytest.raises(InputError, match="damaged"):
        Edits.load(path)
    shipped.save(path)
    content = edits_path(path).read_bytes()
    for damaged in (b"", content[:-100], content[:50] + b"\0" * 200 + content[250:]):
        edits_path(path).write_bytes(damaged)
        with pytest.raises(InputError, match="damaged, or another version's; find them with"):
            Edits.load(path)
    edits_path(path).write_bytes(content)
    build_generator(32, 128, (8, 8, 8)).save(path)
    with pytest.raises(InputError, match="of an earlier state"):
        Edits.load(path)


class KnownFaces:
    """Instead of a generator's: attributes that are known functions of the latents. Moving the first either way raises the
    second too, and the last but one goes up and down at once."""

    def __init__(self, generator=None):
        self.latent_size = 64
        self.matrix = np.random.default_rng(0).normal(0, 1 / 8, (len(edit_search.ATTRIBUTES), 64))

    def attributes(self, points):
        values = points @ self.matrix.T
        values[:, 1] += 0.5 * values[:, 0] ** 2
        values[:, -2] = np.sin(30 * values[:, -2])
        return values

    def gradients(self, points):
        first, last = points @ self.matrix[0], points @ self.matrix[-2]
        gradients = np.repeat(self.matrix[None], len(points), axis=0)
        gradients[:, 1] += first[:, None] * self.matrix[0]
        gradients[:, -2] *= 30 * np.cos(30 * last)[:, None]
        return gradients


def test_edits_of_known_attributes_are_found(monkeypatch):
    monkeypatch.setattr(edit_search, "Faces", KnownFaces)
    steps = []
    found = Edits.find(None, lambda done, total: steps.append((done, total)))
    assert steps == [(i, 8) for i in range(1, 9)]
    hopeless = [*edit_search.ATTRIBUTES][-2]
    assert found.names == [name for name in edit_search.ATTRIBUTES if name != hopeless and name not in KEPT]
    assert (found.right > 0.99).all() and (found.spill < 0.19).all()
    meter, points = KnownFaces(), latents.from_seeds(range(300), 64)
    before = meter.attributes(points)
    for strength in (-2, 2):  # the bend takes away what the direction alone would do to the second
        straight = latents.shift(points, strength * found.directions[0])
        changes, without = (
            meter.attributes(moved) - before for moved in (found.apply(points, {found.names[0]: strength}), straight)
        )
        assert abs(changes[:, 1].mean()) < 0.5 * abs(without[:, 1].mean())
        assert strength * changes[:, 0].mean() > 0


def test_shifting_is_a_turn():
    points = np.array([[3.0, 4.0]])
    assert np.allclose(latents.shift(points, np.array([0.0, 0.0])), points)
    assert np.allclose(latents.shift(points, np.array([-3.0, 0.0])), [[0, 5]])
