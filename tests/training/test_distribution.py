"""A training on several devices follows the same training on one."""

import json
import signal
import time

import numpy as np
import pytest

from ganime.data.drawn import DrawnFaces
from ganime.data.pipeline import make_dataset
from ganime.errors import InputError
from ganime.history import read_history
from ganime.run import Run
from ganime.training.distribution import is_chief, make_strategy, shares
from ganime.training.engine import Engine
from ganime.training.fit import fit
from tests.training.workers import STEADY, start, start_workers

TOLERANCE = 2e-6  # 1.2e-7 are one rounding of a loss around 1
HELD = ("hold_below=0.6", "d_updates=2")  # the generator moves on conditions that all replicas share
HEADS = ("feature_weight=1", "feature_after=240")  # and so do heads on a pretrained network's features, from step 30 on


def train_alone(path, tiny, steps, batch_size, *fields):
    run = Run(path)
    fit(run, tiny.override(*STEADY, f"batch_size={batch_size}", *fields), DrawnFaces(50), steps, save_every=25)
    return read_history(run.history_path)


def finish(processes):
    for process in processes:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, output + errors


def assert_follows(path, alone):
    history = read_history(Run(path).history_path)
    assert history.keys() == alone.keys()
    for name in alone.keys() - {"seconds", "images_per_second"}:
        assert np.allclose(history[name], alone[name], rtol=0, atol=TOLERANCE), name


def saved_weights(path, count):
    return [list(np.load(f"{path}-{worker}.npz").values()) for worker in range(count)]


def assert_workers_follow(count, tiny, tmp_path, *fields):
    workers = start_workers(count, tmp_path / "run", 50, 16, *fields)
    alone = train_alone(tmp_path / "alone", tiny, 50, 16, *fields)
    finish(workers)
    assert_follows(tmp_path / "run", alone)
    first, *others = saved_weights(tmp_path / "run", count)
    for other in others:
        assert len(first) > 40 and all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_two_workers_follow_one_process(tiny, tmp_path):
    """50 steps, losses within a few roundings; weights, batch-norm statistics and average are bit-equal among the workers.
    R1's gamma falls with the pictures of both."""
    assert_workers_follow(2, tiny, tmp_path, "r1_fall=480")


@pytest.mark.slow
def test_four_workers_follow_one_process(tiny, tmp_path):
    assert_workers_follow(4, tiny, tmp_path)


@pytest.mark.slow
def test_two_workers_hold_the_generator_together(tiny, tmp_path):
    assert_workers_follow(2, tiny, tmp_path, *HELD)


@pytest.mark.slow
@pytest.mark.parametrize("fields", [HELD, (*HELD, *HEADS)])
def test_two_devices_follow_one(tiny, tmp_path, fields):
    """50 steps on two logical CPU devices of one process."""
    mirrored = start("mirrored", tmp_path / "run", 50, 8, *fields)
    alone = train_alone(tmp_path / "alone", tiny, 50, 8, *fields)
    finish([mirrored])
    assert_follows(tmp_path / "run", alone)
    assert len(set(alone["g_loss"])) > 5  # it was held, and moved


@pytest.mark.slow
def test_a_signal_to_one_worker_ends_all(tmp_path):
    run = Run(tmp_path / "run")
    workers = start_workers(2, run.path, 100_000, 16)
    wait_for_a_state(run, workers)
    workers[1].send_signal(signal.SIGTERM)
    said = [worker.communicate(timeout=60)[1].splitlines()[-1] for worker in workers]
    last = int(read_history(run.history_path)["step"][-1])
    assert said == [f"Error: Saved at step {last:,}.", "Error: Stopped."]


@pytest.mark.slow
def test_a_chief_that_cannot_begin_ends_the_others_in_one_line(tiny, tmp_path):
    train_alone(tmp_path / "run", tiny, 1, 8)
    chief, other = start_workers(2, tmp_path / "run", 10, 16)
    assert chief.communicate(timeout=100)[1].splitlines()[-1].startswith("Error: run")
    assert "batch_size" in tmp_path.joinpath("run", "config.json").read_text()
    assert other.communicate(timeout=100)[1].splitlines()[-1].startswith("Error: another worker was lost")
    assert (chief.returncode, other.returncode) == (1, 1)


def wait_for_a_state(run, workers):
    while not run.state_path.exists():
        time.sleep(0.1)
        assert all(worker.poll() is None for worker in workers)


@pytest.mark.slow
def test_a_killed_worker_ends_the_others_and_another_number_continues(tiny, tmp_path):
    """Within a minute, in one line; what comes out in the end is what one process would have made."""
    run = Run(tmp_path / "run")
    workers = start_workers(3, run.path, 2000, 24)
    wait_for_a_state(run, workers)
    workers[1].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    for worker in (workers[0], workers[2]):
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 1
        assert errors.splitlines()[-1].startswith("Error: another worker was lost; start all again")
    assert time.monotonic() - killed < 60
    steps = int(read_history(run.history_path)["step"][-1]) + 10
    finish(start_workers(2, run.path, steps, 24))
    assert_follows(run.path, train_alone(tmp_path / "alone", tiny, steps, 24))


def test_shares_are_the_whole_batch_without_overlap():
    faces = DrawnFaces(30)
    whole = [batch.numpy() for batch in make_dataset(faces, 32, 12, 3, 6, seed=7, flips=True)]
    assert len(whole) == 3
    parts = [  # of three workers, the second with two devices
        [batch.numpy() for batch in make_dataset(faces, 32, 12, 3, 6, seed=7, flips=True, shares=share)]
        for share in ((0, 1, 4), (1, 2, 4), (3, 1, 4))
    ]
    for step, batch in enumerate(whole):
        together = [parts[0][step], parts[1][2 * step], parts[1][2 * step + 1], parts[2][step]]
        assert np.array_equal(np.concatenate(together), batch)
    assert shares(None) == (0, 1, 1) and is_chief(None)


def test_what_cannot_be_distributed_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(InputError, match="two devices or more; TensorFlow finds"):
        make_strategy("mirrored")
    with pytest.raises(InputError, match="needs TF_CONFIG, for example"):
        make_strategy("multiworker")
    for text in ("{", '{"cluster": {"worker": ["a:1", "b:1"]}}', json.dumps(config(["a:1", "b:1"], 2))):
        monkeypatch.setenv("TF_CONFIG", text)
        with pytest.raises(InputError, match="is not of the form"):
            make_strategy("multiworker")
    monkeypatch.setenv("TF_CONFIG", json.dumps(config(["a:1"], 0)))
    with pytest.raises(InputError, match="two workers or more"):
        make_strategy("multiworker")


def config(workers, index):
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}


def test_slurm_tells_the_workers(monkeypatch):
    from ganime.training.distribution import _config_of_slurm

    variables = {"PROCID": "3", "STEP_NUM_TASKS": "4", "STEP_NODELIST": "n[9-10]", "STEP_TASKS_PER_NODE": "2(x2)"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert json.loads(_config_of_slurm()) == config(["n9:8888", "n9:8889", "n10:8888", "n10:8889"], 3)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(InputError, match="STEP_NODELIST"):
        _config_of_slurm()


def test_parts_must_be_equal(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("ganime.training.fit.shares", lambda strategy: (0, 1, 3))
    with pytest.raises(InputError, match=r"batch_size 16 cannot be parted equally among 3 devices in groups of 4"):
        fit(Run(tmp_path / "run"), tiny.override("batch_size=16"), DrawnFaces(50), 5, engine=Engine())
    assert not (tmp_path / "run").exists()
