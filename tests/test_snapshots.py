"""What a run keeps of its steps, by its names, and how much of it stays; without training."""

import json
import random

import pytest

import ganime
from ganime.cli import cli
from ganime.errors import InputError
from ganime.exporting.facts import describe
from ganime.generation.sampling import find_generator
from ganime.networks import build_generator
from ganime.run import Run, describe_origin
from ganime.snapshots import (
    Snapshot,
    check_trainable,
    kept_generators,
    kept_steps,
    make_room,
    open_run,
    owner,
    snapshot_paths,
    spacing,
)
from tests.test_overview import make_run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def keep(run, *steps):
    """Files that stand for what a run keeps."""
    run.snapshots_path.mkdir(exist_ok=True)
    for step in steps:
        for path in snapshot_paths(run.snapshots_path, step):
            path.write_bytes(b"x" * 100)
    return run


def kept_by(folder, every, most, ends):
    """The steps that are there when training has come to the last of some ends; at each it was killed, and then went on from
    before."""
    folder.mkdir()
    first = 0
    for end in ends:
        for step in range(first + 1, end + 1):
            if step % every == 0 and step % spacing(step, every, most) == 0:
                make_room(folder, every, most, step)
                snapshot_paths(folder, step)[1].touch()
                assert len(kept_steps(folder)) <= most
        first = max(0, end - every)
    return kept_steps(folder)


@pytest.mark.parametrize("seed", range(20))
def test_what_stays_depends_on_the_step_alone_and_is_bounded(tmp_path, seed):
    draw = random.Random(seed)
    every, most, last = draw.randint(1, 5), draw.randint(1, 9), draw.randint(1, 150)
    steps = kept_by(tmp_path / "alone", every, most, [last])
    assert steps == kept_by(tmp_path / "killed", every, most, [*sorted(draw.choices(range(1, last + 1), k=4)), last])
    assert {*range(spacing(last, every, most), last + 1, spacing(last, every, most))} <= {*steps}
    assert len(steps) > most // 2 or len(steps) == last // every


def test_every_second_one_goes_the_oldest_first(tmp_path):
    found = [kept_by(tmp_path / str(last), 100, 4, [last]) for last in (400, 500, 600, 800, 1200)]
    assert found == [
        [100, 200, 300, 400],
        [100, 200, 300, 400],
        [200, 300, 400, 600],
        [200, 400, 600, 800],
        [400, 600, 800, 1200],
    ]


def test_a_smaller_bound_drops_the_oldest_with_what_lies_beside_them_and_nothing_else():
    run = keep(make_run("run"), 0, 100, 150, 200, 250, 300)
    beside = [snapshot_paths(run.snapshots_path, 150)[1].with_suffix(ending) for ending in (".edits.npz", ".judge.npz")]
    mine = run.snapshots_path / "step-000150.png"
    for path in (*beside, mine):
        path.touch()
    make_room(run.snapshots_path, 100, 5)
    assert len(kept_steps(run.snapshots_path)) == 6 and all(path.exists() for path in beside)
    make_room(run.snapshots_path, 100, 3)
    assert kept_steps(run.snapshots_path) == [0, 100, 200, 300] and mine.exists() and not any(path.exists() for path in beside)


def test_a_step_is_named_after_its_run(tmp_path):
    run = keep(make_run("faces"), 0, 100)
    for name in ("faces@100", run.path.with_name("faces@100"), f"{run.path.resolve()}@000100"):
        kept = open_run(name)
        assert isinstance(kept, Snapshot) and (kept.step, kept.short_name, kept.path.name) == (100, "faces@100", "faces")
        assert (
            kept.generator_path.samefile(run.snapshots_path / "step-000100.keras") and kept.read_config() == run.read_config()
        )
    assert find_generator("faces@0") == run.snapshots_path / "step-000000.keras"
    assert type(open_run("faces")) is type(open_run("none@1")) is type(open_run("faces@x")) is Run and open_run(run) is run
    assert owner(kept.generator_path)[1] == "@100" and owner(run.generator_path) == (run.path, "")
    assert describe_origin({"name": "faces@100", "step": 100, "sha256": ""}) == "faces@100"
    assert describe_origin({"name": "faces@10", "step": 100, "sha256": ""}) == "faces@10 at step 100"


def test_a_run_whose_own_name_ends_like_that_comes_first():
    keep(make_run("faces"), 100)
    with pytest.raises(InputError, match=r"run faces@100: a name that ends in @ .* --from faces@100"):
        check_trainable(Run("faces@100"))
    with pytest.raises(InputError, match="a name that ends in @"):
        check_trainable(Run("none@5"))
    with pytest.raises(InputError, match="a name that ends in @"):
        check_trainable(open_run("faces@100"))
    run = keep(make_run("faces@100"), 7)
    check_trainable(Run("faces@100"))
    check_trainable(Run("none@x"))
    assert type(open_run("faces@100")) is Run and open_run("faces@100@7").generator_path.parent.parent == run.path


def test_a_step_that_is_not_kept_is_said_with_those_that_are():
    run = make_run("faces")
    with pytest.raises(InputError, match=r"^run faces keeps nothing of step 5: `fit --keep-every STEPS` keeps some"):
        open_run("faces@5").read_config()
    keep(run, 0, 100)
    for use in (ganime.load_generator, lambda name: open_run(name).read_config(), ganime.load_gan):
        with pytest.raises(InputError, match=r"^run faces keeps nothing of step 99: there are 0, 100$"):
            use("faces@99")
    keep(run, *range(1000, 90_000, 1000))
    with pytest.raises(InputError, match=r"of its 91 there are …, 40000, .*, 49000, …$"):
        open_run("faces@44444").read_config()
    with pytest.raises(InputError, match=r"of its 91 there are …, 80000, .*, 88000, 89000$"):
        open_run("faces@999999").read_config()
    open_run("faces@1000").state_path.unlink()
    with pytest.raises(InputError, match=r"faces@1000 has no state: .*step-001000\.weights\.h5 is not there"):
        ganime.load_gan("faces@1000")
    open_run("faces@2000").generator_path.unlink()
    with pytest.raises(InputError, match=r"there is no .*step-002000\.keras"):
        ganime.load_generator("faces@2000")
    with pytest.raises(InputError, match=r"step-003000\.keras is not a \.keras file"):
        ganime.load_generator("faces@3000")
    with pytest.raises(InputError, match=r"there is no run none@5"):
        ganime.load_gan("none@5")


def test_the_generators_of_a_run_end_with_the_present_one():
    run = make_run("faces", "step,d_loss,g_loss\n" + "".join(f"{step},1,1\n" for step in range(1, 121)))
    with pytest.raises(InputError, match="run faces has kept no generators"):
        kept_generators(run)
    keep(run, 0, 100)
    assert [step for step, _ in kept_generators(run)] == [0, 100]
    run.generator_path.touch()
    assert kept_generators(run)[-1] == (120, run.generator_path)
    keep(run, 120)
    assert [path.name for _, path in kept_generators(run)] == ["step-000000.keras", "step-000100.keras", "step-000120.keras"]


def test_the_overview_says_how_many_and_how_large(capsys):
    run = keep(make_run("faces"), 0, 100, 200)
    make_run("other", age=60)
    found = {one.name: one for one in ganime.runs()}
    assert (found["faces"].snapshots, found["faces"].snapshots_size, found["other"].snapshots) == (3, 600, 0)
    assert found["faces"].size > 1_000_600 and ", of these 0.0 in 3 snapshots, " in repr(found["faces"])
    assert "snapshots" not in repr(found["other"])
    cli.main(["runs"], standalone_mode=False)
    assert next(line for line in capsys.readouterr().out.splitlines() if line.startswith("faces")).endswith(" 3: 0.0 MB")
    scored = {run.generator_path: 0.5, open_run("faces@100").generator_path: 9.0}
    scores = [{"model": str(path), "scores": {"KID-lite0": score}} for path, score in scored.items()]
    run.history_path.write_text("step,d_loss,g_loss\n1,1.5,2\n")
    run.evaluations_path.write_text("".join(json.dumps(row) + "\n" for row in scores))
    assert {one.name: one.scores for one in ganime.runs()}["faces"] == {"KID-lite0": 0.5}  # how good it is now


def test_files_made_of_a_kept_generator_say_so():
    run = keep(make_run("faces"), 0)
    build_generator(32, 8, (8, 8, 8)).save(run.snapshots_path / "step-000100.keras")
    facts = describe("faces@100", 8)
    assert (facts["name"], facts["recipe"]) == ("faces@100", "default")
