import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write
from ganime.run import ROOT, Run, latest_run
from ganime.state import State

DATA = {"name": "faces", "pictures": 9, "fingerprint": "f"}
RECIPE = {"batch_size": 4, "generator_widths": (8, 8, 8, 8)}
CONFIG = {"recipe": RECIPE, "seed": 0, "data": DATA, "versions": {"keras": "1"}}


def test_a_changed_configuration_is_refused_field_by_field(tmp_path):
    run = Run(tmp_path / "run")
    run.open(CONFIG)
    run.open({**CONFIG, "versions": {"keras": "2"}})
    with pytest.raises(InputError, match=r"recipe\.batch_size \(was 4, is 8\); seed \(was 0, is 1\)") as caught:
        run.open({**CONFIG, "recipe": {**RECIPE, "batch_size": 8}, "seed": 1})
    assert "widths" not in str(caught.value)
    assert run.read_config()["seed"] == 0


def test_a_run_from_before_a_field_was_added_goes_on_with_its_default(tmp_path):
    run = Run(tmp_path / "run")
    run.open(CONFIG)
    run.open({**CONFIG, "recipe": {**RECIPE, "label_flips": 0.0, "augmentations": ()}})
    with pytest.raises(InputError, match=r"differently: recipe\.label_flips \(was 0\.0, is 0\.5\)\."):
        run.open({**CONFIG, "recipe": {**RECIPE, "label_flips": 0.5}})


def test_a_run_has_one_trainer(tmp_path):
    one, other = Run(tmp_path / "run"), Run(tmp_path / "run")
    with one.lock(), pytest.raises(GanimeError, match="another process"), other.lock():
        pass
    with other.lock():
        pass


def test_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Run("a").path == ROOT / "a"
    assert Run("./a").path == Path("a")
    with pytest.raises(InputError, match="there is no run"):
        latest_run()
    with pytest.raises(InputError, match="there is no run b"):
        Run("b").read_config()
    for name, age in (("old", 50), ("new", 10), ("middle", 30)):
        Run(name).open(CONFIG)
        Run(name).history_path.write_text("step\n")
        os.utime(Run(name).history_path, (time.time() - age,) * 2)
    Run("old").gif_path.touch()
    assert latest_run().name == "new"


def test_samples_are_in_the_order_of_their_steps(tmp_path):
    run = Run(tmp_path / "run")
    run.samples_path.mkdir(parents=True)
    for name in ("step-1000000.png", "step-000100.png", ".part-step-000200.png", "step-x.png"):
        (run.samples_path / name).touch()
    assert [step for step, _ in run.samples()] == [100, 1_000_000]


def test_atomic_write_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "below" / "file.txt"
    with atomic_write(path) as part:
        part.write_text("one")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as part:
        part.write_text("tw")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    "config",
    [
        *("", "{", "[]", "1", "null", '"x"', "{}", "\ufffd", '{"a":' * 3000 + "1" + "}" * 3000),
        *(
            json.dumps({**CONFIG, **change})
            for change in (
                *(
                    {"recipe": recipe}
                    for recipe in ([], 1, {"new_field": 1}, {"batch_size": "4"}, {"g_learning_rate": 10**400})
                ),
                *({"data": {**DATA, name: value}} for name in DATA for value in (None, 1.5, [])),
                *({"data": data} for data in ({}, None, "x")),
                *({"data_before": data} for data in (5, ["x"], [DATA], [{**DATA, "step": "1"}])),
                {"seed": True},
            )
        ),
    ],
)
def test_a_damaged_configuration_is_named_in_one_short_line(tmp_path, config):
    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.config_path.write_text(config, encoding="utf-8")
    for use in (run.read_config, lambda: run.open(CONFIG)):
        with pytest.raises(InputError, match=r"config\.json is damaged, or of another version") as caught:
            use()
        assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
    assert run.config_path.read_text(encoding="utf-8") == config


def test_the_best_score_so_far_is_the_histories(tmp_path):
    run = Run(tmp_path / "run")
    assert run.best_score("KID-lite0") == math.inf
    run.path.mkdir()
    run.history_path.write_text("step,KID-lite0\n1,nan\n2,0.5\n3,0.25\n4,0.75\n")
    assert run.best_score("KID-lite0") == 0.25


def test_what_a_kill_left_unfinished_goes_away(tmp_path):
    run = Run(tmp_path / "run")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run.samples_path.mkdir(parents=True)
    left, ours, other = (run.samples_path / f".part-{pid}-0123abcd-x.png" for pid in (ended.pid, os.getpid(), "x"))
    for path in (left, ours, other):
        path.touch()
    run.tidy(None)
    assert sorted(run.samples_path.iterdir()) == sorted([ours, other])


@pytest.mark.parametrize("name", ["", ".", "..", "...", "/", "a/..", "x\0"])
def test_what_names_no_folder_of_its_own_is_refused(name):
    with pytest.raises(InputError, match="names no folder of its own"):
        Run(name)


def state_at(run, step, config, path=None):
    """The state that training leaves at a step: what matters here is what is known of it."""
    about = json.loads(json.dumps({"config": config, "history": {"step": step}}))
    return State(path or run.state_path, about, memoryview(b""))


OTHER = {"name": "others", "pictures": 5, "fingerprint": "g"}
THIRD = {"name": "thirds", "pictures": 7, "fingerprint": "h"}


def data_of(run):
    config = run.read_config()
    return config["data"]["name"], [(data["name"], data["step"]) for data in config.get("data_before", [])]


def test_other_pictures_need_an_option_that_the_refusal_names(tmp_path):
    run, changed = Run(tmp_path / "run"), {**CONFIG, "data": OTHER}
    state = state_at(run, 10, run.open(CONFIG))
    advice = (
        r"data\.pictures \(was 9, is 5\); data\.fingerprint \(was f, is g\)\. .*--changed-data \(changed_data=True\) to go on"
    )
    with pytest.raises(InputError, match=advice):
        run.open(changed, state)
    for with_option in (True, False):
        with pytest.raises(InputError, match=r"recipe\.batch_size \(was 4, is 8\)") as caught:
            run.open({**changed, "recipe": {**RECIPE, "batch_size": 8}}, state, with_option)
        assert "--changed-data" not in str(caught.value)
    before = run.config_path.read_bytes()
    for _ in range(2):  # with the same pictures it does nothing
        assert "data_before" not in run.open(CONFIG, state, changed_data=True)
        assert run.config_path.read_bytes() == before


def test_changed_pictures_are_recorded_with_the_step_until_which_there_were_others(tmp_path):
    run = Run(tmp_path / "run")
    first = state_at(run, 10, run.open(CONFIG))
    config = run.open({**CONFIG, "data": OTHER}, first, True)
    assert data_of(run) == ("others", [("faces", 10)])
    assert config == run.read_config() and config["data_before"] == [{"step": 10, **DATA}]
    second = state_at(run, 15, config)
    config = run.open({**CONFIG, "data": DATA}, second, True)  # back again
    assert data_of(run) == ("faces", [("faces", 10), ("others", 15)])
    assert run.open(CONFIG, state_at(run, 20, config)) == config == run.read_config()  # and on, without the option


def test_a_kill_between_the_change_and_the_first_state_loses_nothing(tmp_path):
    """The run's configuration has other pictures by then than its state, which is from before."""
    run = Run(tmp_path / "run")
    first, changed = state_at(run, 10, run.open(CONFIG)), {**CONFIG, "data": OTHER}
    run.open(changed, first, True)
    for with_option in (False, True):  # the plain command goes on, and so does the same one
        assert run.open(changed, first, with_option)["data_before"] == [{"step": 10, **DATA}]
    with pytest.raises(InputError, match=r"was g, is f\).*--changed-data"):
        run.open(CONFIG, first)
    run.open({**CONFIG, "data": THIRD}, first, True)  # pictures that no step was made with are not recorded
    assert data_of(run) == ("thirds", [("faces", 10)])
    run.open(CONFIG, first, True)
    assert data_of(run) == ("faces", [])
    # A state of other pictures that were never the run's is another training's.
    with pytest.raises(InputError, match=r"is the state of another training: data\.pictures \(was 5, is 9\)"):
        run.open(CONFIG, state_at(run, 10, changed), True)


def test_a_state_without_steps_and_one_from_further_back_have_their_own_record(tmp_path):
    run = Run(tmp_path / "run")
    first, changed = state_at(run, 10, run.open(CONFIG)), {**CONFIG, "data": OTHER}
    at_once = state_at(run, 10, run.open(changed, first, True))  # saved before a step was made with the others
    assert run.open(changed, at_once)["data_before"] == [{"step": 10, **DATA}]
    run.open({**CONFIG, "data": THIRD}, at_once, True)
    assert data_of(run) == ("thirds", [("faces", 10)])
    run.open({**CONFIG, "data": THIRD}, state_at(run, 8, CONFIG, run.previous_path))  # where the last one is damaged
    assert data_of(run) == ("thirds", [("faces", 8)])


def test_a_run_without_states_just_changes(tmp_path):
    run = Run(tmp_path / "run")
    run.open(CONFIG)
    run.open({**CONFIG, "data": OTHER}, None, True)
    assert data_of(run) == ("others", [])
    run.config_path.unlink()
    run.open({**CONFIG, "data": OTHER}, state_at(run, 3, CONFIG), True)  # the configuration was lost
    assert data_of(run) == ("others", [("faces", 3)])


def test_scores_against_other_pictures_do_not_count(tmp_path, caplog):
    run = Run(tmp_path / "run")
    first = state_at(run, 2, run.open(CONFIG))
    run.history_path.write_text("step,KID-lite0\n1,0.5\n2,0.25\n")
    run.best_path.write_text("the best")
    assert run.best_score("KID-lite0", "f") == 0.25
    assert run.best_score("KID-lite0", "g") == math.inf
    run.open({**CONFIG, "data": OTHER}, first, True)
    assert run.best_score("KID-lite0", "g") == math.inf
    assert (run.path / "best-until-step-000002.keras").read_text() == run.best_path.read_text() == "the best"
    assert "goes on with other pictures from step 2 on" in caplog.text and "best-until-step-000002.keras" in caplog.text
    with open(run.history_path, "a") as file:
        file.write("3,0.75\n")
    assert run.best_score("KID-lite0", "g") == 0.75


def test_scores_by_other_labels_of_the_same_pictures_do_not_count(tmp_path):
    run, labelled = Run(tmp_path / "run"), {**DATA, "labels": "a"}
    first = state_at(run, 2, run.open({**CONFIG, "data": labelled}))
    run.history_path.write_text("step,KID-lite0\n1,0.5\n2,0.25\n")
    run.best_path.write_text("the best")
    assert run.best_score("KID-lite0", "f", "a") == 0.25
    assert run.best_score("KID-lite0", "f", "b") == run.best_score("KID-lite0", "f") == math.inf  # before they are changed
    run.open({**CONFIG, "data": {**DATA, "labels": "b"}}, first, True)
    assert run.best_score("KID-lite0", "f", "b") == math.inf
    assert (run.path / "best-until-step-000002.keras").read_text() == "the best"
    with open(run.history_path, "a") as file:
        file.write("3,0.75\n")
    assert run.best_score("KID-lite0", "f", "b") == 0.75
