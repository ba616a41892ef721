import numpy as np
import pytest
import tensorflow as tf

from ganime.training import draws, replicas

SEED = tf.constant([3, 4], tf.int64)
KINDS = {
    "uniform": lambda: draws.uniform((3, 40, 2), SEED, axis=1),
    "normal": lambda: draws.normal((40, 3), SEED),
    "integers": lambda: draws.integers((40, 1), SEED, 0, 17),
    "seeds": lambda: tf.stack(draws.split(SEED, 5)),
}


@pytest.mark.parametrize("name", KINDS)
def test_xla_draws_the_same(name):
    plain, compiled = (tf.function(KINDS[name], jit_compile=jit)().numpy() for jit in (False, True))
    assert np.allclose(plain, compiled, rtol=0, atol=1e-5)


def test_moments_are_those_of_the_distributions():
    """Within four standard errors."""
    normal = draws.normal((50_000, 4), SEED).numpy().ravel()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert np.mean(normal**power) == pytest.approx(moment, abs=4 * (variance / normal.size) ** 0.5)
    uniform = draws.uniform((50_000, 4), SEED).numpy().ravel()
    assert uniform.min() >= 0 and uniform.max() < 1
    assert np.abs(np.histogram(uniform, 16, (0, 1))[0] * 16 / uniform.size - 1).max() < 4 * (15 / uniform.size) ** 0.5
    counts = np.bincount(draws.integers((50_000, 1), SEED, 0, 5).numpy().ravel())
    assert len(counts) == 5 and np.abs(counts / 10_000 - 1).max() < 4 * (4 / 50_000) ** 0.5


def test_a_replica_has_its_part_of_the_whole(monkeypatch):
    whole = draws.uniform((3, 40, 2), SEED, axis=1).numpy()
    parts = []
    for number in range(4):
        context = type("Context", (), {"replica_id_in_sync_group": number})
        monkeypatch.setattr(replicas, "count", lambda: 4)
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda context=context: context)
        parts.append(draws.uniform((3, 10, 2), SEED, axis=1).numpy())
    assert np.array_equal(np.concatenate(parts, axis=1), whole)
