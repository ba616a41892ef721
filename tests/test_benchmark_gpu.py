"""What the table of `benchmarks.gpu` rests on; its trainings take too long for a test."""

import json

import pytest

from benchmarks.gpu import DRY, FULL, ROWS, Bench, Training, compare_losses, last_step

STEPS = [(5, 1), (6, 2), (40, 3), *((40 + i, 3 + 100 * i) for i in range(1, 31))]  # compiled twice, then 100 steps a second


def train(folder, seen, plan=FULL, **ends):
    """A training that was seen so."""
    training = Training(plan, folder)
    training.seen = seen
    for name, value in ends.items():
        setattr(training, name, value)
    (folder / "config.json").write_text(json.dumps({"recipe": {"batch_size": 32}}))
    return training


def test_a_training_is_steady_five_seconds_after_the_last_compiling(tmp_path):
    training = train(tmp_path, STEPS)
    assert training.steady()[0] == (45, 503)
    assert training.step_seconds() == pytest.approx(0.01)
    assert train(tmp_path, STEPS[:7]).steady() is None
    assert train(tmp_path, []).steady() is None


def test_what_was_stopped_is_extrapolated(tmp_path):
    assert train(tmp_path, STEPS, told=70, ended=74).whole() == (pytest.approx(74 + (20_000 - 3003) / 100), True)
    assert train(tmp_path, STEPS, ended=74).whole() == (74, False)
    assert train(tmp_path, STEPS, told=70).whole() is None  # it was killed
    assert train(tmp_path, STEPS[:7], told=70, ended=74).whole() is None


def test_a_table_is_written_as_far_as_it_goes(tmp_path):
    bench = Bench({}, tmp_path, DRY, 1, tmp_path / "gpu.md", tmp_path)
    training = train(tmp_path, STEPS, told=70, ended=74, report={"memory": 5e8, "gpu": True})
    bench.load = [(training.began + now, load) for now, load in ((30, 0), (55, 90), (65, 70), (75, 0))]
    bench.rows[ROWS[0]] = bench.cells(training)
    bench.rows[ROWS[1]] = bench.cells(train(tmp_path, [], failed=True, log="why\nError: no"))
    bench.note("a note")
    lines = (tmp_path / "gpu.md").read_text().splitlines()
    assert lines[2] == f"| {' | '.join(ROWS[0])} | 5.0 | 3,200 | 80 % | 500 | 244, extrapolated |"
    assert "| failed: Error: no |" in lines[3]
    assert all("| not measured |" in line for line in lines[4 : 2 + len(ROWS)])
    assert lines[-1] == "- a note"
    assert len({line.count("|") for line in lines[: 2 + len(ROWS)]}) == 1


def test_losses_are_compared_step_by_step(tmp_path):
    trainings = []
    for run, apart in (("one", 0), ("other", 0.25)):
        (folder := tmp_path / run).mkdir()
        rows = [f"{step},{1 + (step == 3) * apart},{2 - (step > 5) * 2 * apart}\n" for step in range(1, 61)]
        (folder / "history.csv").write_text("".join(["step,d_loss,g_loss\n", *rows]))
        trainings.append(train(folder, STEPS))
    words = "d_loss 2.5e-01 in the first 5 steps, 2.5e-01 in 50; g_loss 0.0e+00 in the first 5 steps, 5.0e-01 in 50"
    assert compare_losses(*trainings) == words
    assert compare_losses(trainings[0], None) == "not measured"


def test_the_last_whole_row_counts(tmp_path):
    assert last_step(tmp_path) == 0
    for text, step in (("", 0), ("step,d_loss\n", 0), ("step,d_loss\n1,2\n", 1), ("step,d_loss\n1,2\n13,", 1)):
        (tmp_path / "history.csv").write_text(text)
        assert last_step(tmp_path) == step
    (tmp_path / "history.csv").write_text("step,d_loss\n" + "".join(f"{i},0.123456\n" for i in range(1, 2001)))
    assert last_step(tmp_path) == 2000
