"""Against a hub on the loopback: what is pushed comes back the same, and what is not as it should be is refused in one line."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from huggingface_hub import constants

import ganime
from ganime.errors import GanimeError, InputError
from ganime.exporting.hub import check_push, fetch_generator, push
from ganime.exporting.manifest import check_replaceable, write_manifest
from ganime.generation.edits import Edits
from ganime.generation.sampling import load_for, sample
from ganime.generation.selection import Judge
from tests.conftest import ROOT
from tests.exporting.conftest import change_manifest, contents


def test_what_is_pushed_draws_the_same_faces_elsewhere(hub, folder, monkeypatch):
    check_push("me/faces")
    assert push(folder, "me/faces") == [f"{hub.url}/me/faces", f"{hub.url}/spaces/me/faces"]
    assert contents(folder).items() <= hub.files("me/faces")[0].items()
    assert contents(folder / "page").items() <= hub.files("spaces/me/faces")[0].items()
    assert hub.sdks["spaces/me/faces"] == "static"
    assert any(request.startswith("PUT /lfs/") for request in hub.requests)
    monkeypatch.delenv("HF_TOKEN")  # who looks at it needs none
    path = fetch_generator("hf://me/faces")
    assert path.read_bytes() == (folder / "generator.keras").read_bytes()
    assert Edits.load(path).names == ["eye-size", "fringe"] and np.array_equal(Judge.load(path).means, np.zeros((25, 112)))
    local = sample(load_for(3, folder / "generator.keras"), range(3))
    assert np.array_equal(sample(load_for(3, "hf://me/faces"), range(3)), local)
    assert np.abs(ganime.sample(ganime.load_generator("hf://me/faces"), range(3)).astype(int) - local).max() <= 1


def test_the_command_line_takes_an_address(hub, folder, tmp_path):
    push(folder, "me/faces")
    places = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "cli.py", "generate", "--seeds", "7", "--edit", "fringe=1"]
    for model in ("hf://me/faces", str(folder / "generator.keras")):
        arguments = [*command, "--model", model, "--output", tmp_path / f"{len(model)}.png"]
        run = subprocess.run(arguments, cwd=ROOT, env={**os.environ, **places}, capture_output=True, text=True, timeout=60)
        assert (run.returncode, run.stderr) == (0, ""), run.stderr
        assert f"1 face of {model}" in run.stdout
    remote, local = tmp_path.glob("*.png")
    assert remote.read_bytes() == local.read_bytes()


def test_a_push_replaces_the_one_before_and_a_revision_keeps_it(hub, folder):
    push(folder, "me/faces")
    first = hub.files("me/faces")[1]
    hub.put("me/faces", {**hub.files("me/faces")[0], "notes.txt": b"the user's own"})
    for place in (folder, folder / "page"):  # as retrained: another generator, no edits
        (place / "README.md").write_text((place / "README.md").read_text() + "new")
    (folder / "generator.edits.npz").unlink()
    write_manifest(folder)
    check_push("me/faces")
    push(folder, "me/faces")
    there = hub.files("me/faces")[0]
    assert contents(folder).items() <= there.items() and "generator.edits.npz" not in there and "notes.txt" in there
    assert not fetch_generator("hf://me/faces").with_name("generator.edits.npz").exists()
    assert fetch_generator(f"hf://me/faces@{first}").with_name("generator.edits.npz").exists()
    commits = len(hub.commits["me/faces"])
    push(folder, "me/faces")
    assert len(hub.commits["me/faces"]) == commits  # nothing has changed


def test_what_was_fetched_serves_without_a_network(hub, folder, monkeypatch):
    push(folder, "me/faces")
    path = fetch_generator("hf://me/faces")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    for offline, failure in ((False, "the model hub failed: .* refused"), (True, "HF_HUB_OFFLINE is set")):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        assert fetch_generator("hf://me/faces") == path
        assert_refused("hf://me/others", "the model hub cannot be reached, and no copy is here from an earlier time")
        with pytest.raises(GanimeError, match=failure):
            check_push("me/faces")


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda folder: flip(folder / "generator.keras"), "is not the file that ganime.json lists"),
        (lambda folder: flip(folder / "generator.edits.npz"), "is not the file that ganime.json lists"),
        (lambda folder: flip(folder / "generator.judge.npz"), "is not the file that ganime.json lists"),
        (lambda folder: (folder / "generator.keras").unlink(), "a file is missing there"),
        (lambda folder: (folder / "ganime.json").unlink(), "it was not shared by ganime: a file is missing there"),
        (lambda folder: (folder / "ganime.json").write_text("{}"), "does not say what `share` writes"),
        (lambda folder: (folder / "ganime.json").write_text("[" * 99_999), "does not say what `share` writes"),
        (lambda folder: change_manifest(folder, lambda manifest: manifest["files"].clear()), "lists no generator.keras"),
        (lambda folder: change_manifest(folder, lambda manifest: manifest.update(format="x")), "does not say what `share`"),
    ],
    ids=["generator", "edits", "judge", "no generator", "no manifest", "empty", "deep", "nothing listed", "another format"],
)
def test_what_is_not_as_it_was_shared_is_refused(hub, folder, damage, message):
    damage(folder)
    hub.put("me/faces", contents(folder))
    assert_refused("hf://me/faces", message)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:\\x", "a\\x", "a//x", "", ".", "a\nb", "a/.."])
def test_a_name_that_could_lead_elsewhere_is_refused(hub, folder, name):
    change_manifest(folder, lambda manifest: manifest["files"].update({name: {"bytes": 1, "sha256": "0"}}))
    hub.put("me/faces", contents(folder))
    assert_refused("hf://me/faces", "does not say what `share` writes")


class Hostile(keras.layers.Layer):
    def call(self, x):
        return x


def test_a_model_of_another_kind_is_refused(hub, folder):
    latents = keras.Input((8,))
    for layer in (keras.layers.Lambda(lambda x: x), Hostile(), keras.layers.Reshape((2, 2, 2))):  # the last is only no chain
        keras.Model(latents, layer(latents)).save(folder / "generator.keras")
        assert_unloaded(hub, folder)


def first_convolution(config):
    return config["config"]["layers"][2]


@pytest.mark.parametrize(
    "change",
    [
        lambda config: first_convolution(config)["config"].update(kernel_initializer={"class_name": "Lambda", "config": {}}),
        lambda config: first_convolution(config)["config"].update(bias_regularizer={"class_name": ["Zeros"]}),
        lambda config: first_convolution(config).update(module="os"),
        lambda config: first_convolution(config).update(module="keras_not"),
        lambda config: first_convolution(config).update(registered_name="mine>Conv2DTranspose"),
        lambda config: config.update(compile_config={"loss": {"class_name": "__lambda__", "config": {"value": "x"}}}),
    ],
    ids=["nested Lambda", "no name", "module", "like keras", "registered", "compiled"],
)
def test_a_chain_with_anything_else_in_it_is_refused(hub, folder, change):
    with zipfile.ZipFile(folder / "generator.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    rewrite(folder / "generator.keras", {**files, "config.json": json.dumps(config)})
    assert_unloaded(hub, folder)


def test_an_archive_with_other_files_is_refused(hub, folder):
    with zipfile.ZipFile(folder / "generator.keras", "a") as archive:
        archive.writestr("assets/x.py", "print()")
    assert_unloaded(hub, folder)


@pytest.mark.parametrize(
    "address", ["hf://faces", "hf://me/faces/x", "hf://../faces", "hf://me/faces@", "hf://me/a@../x", "hf://me/a--b"]
)
def test_a_malformed_address_is_refused_before_anything_is_asked(hub, address):
    with pytest.raises(InputError, match="on the model hub"):
        fetch_generator(address)
    assert not hub.requests


def test_what_is_not_there_is_said(hub, folder, monkeypatch):
    assert_refused("hf://me/faces", "there is no such model on the hub, or it is private")
    hub.put("me/faces", contents(folder))
    assert_refused("hf://me/faces@v9", "has no such revision")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert_refused("hf://me/faces", "the hub does not accept your token")


@pytest.mark.parametrize(
    "name", ["faces", "me/", "me/a/b", "me/a b", "me/.a", "me/a--b", "me/a..b", "me/a.git", "me/" + 99 * "a", "https://x/y"]
)
def test_a_malformed_name_is_refused_before_anything_is_asked(hub, name):
    with pytest.raises(InputError, match="is not a name on the model hub"):
        check_push(name)
    assert not hub.requests


@pytest.mark.parametrize(
    "token, name, message",
    [
        ("", "me/faces", "there is no token for the model hub: run `hf auth login`, or set HF_TOKEN"),
        ("hf_wrong", "me/faces", "the hub does not accept your token"),
        ("hf_reader", "me/faces", "your token may only read"),
        ("hf_me", "other/faces", "not yours to push to: your token is for me, our-club"),
        ("hf_me", "me/book", "the model holds book.txt, which `share` has not put there"),
        ("hf_me", "me/odd", r"the model holds \\x1b\[31mbook, which `share` has not put there"),
        ("hf_me", "me/site", "the space holds app.py, which `share` has not put there"),
    ],
)
def test_what_may_not_be_pushed_is_refused(hub, monkeypatch, token, name, message):
    hub.put("me/book", {"README.md": b"", "book.txt": b""})
    hub.put("me/odd", {"\x1b[31mbook": b""})
    hub.put("spaces/me/site", {"README.md": b"", "app.py": b""})
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(GanimeError, match=message) as error:
        check_push(name)
    assert str(error.value).isprintable()
    assert len(hub.commits) == 3


def test_what_the_hub_refuses_is_said_in_one_line(hub, folder, monkeypatch):
    (folder / "README.md").write_text("---\nlicense: mine\n---\n")
    assert_push_fails(folder, 'Invalid metadata in README.md. - "license" must be one of a list')
    monkeypatch.setenv("HF_TOKEN", "hf_reader")  # as of a token that may write elsewhere only
    assert_push_fails(folder, "your token may not do this")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert_push_fails(folder, "pip install .*huggingface_hub")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewrite(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def assert_unloaded(hub, folder):
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)
    (folder / "generator.edits.npz").unlink(missing_ok=True)
    write_manifest(folder)
    hub.put("me/faces", contents(folder))
    assert_refused("hf://me/faces", "is not loaded: it is no generator as build_generator makes them, and could hold code")


def assert_refused(address, message):
    with pytest.raises(GanimeError, match=message) as error:
        ganime.load_generator(address)
    assert "\n" not in str(error.value)


def assert_push_fails(folder, message):
    with pytest.raises(GanimeError, match=message) as error:
        push(folder, "me/faces")
    assert "\n" not in str(error.value)


def test_a_folder_in_which_something_was_changed_is_not_replaced(folder):
    beside = {"generator.edits.npz", "generator.judge.npz"}
    assert check_replaceable(folder) == {"README.md", "ganime.json", "generator.keras", "page", *beside}
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(card + "in my own words")
    with pytest.raises(InputError, match=r"README\.md was changed since"):
        check_replaceable(folder)
    (folder / "README.md").write_text(card)
    (folder / "page" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds page/mine\.txt, which"):
        check_replaceable(folder)
