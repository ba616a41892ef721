"""Faults in files that are there before a command begins: a function for each kind, which does one try."""

import json
import shutil

from benchmarks.faults.compare import END
from benchmarks.faults.tries import EVALUATE, Bad, kept, make_faces


def state(this, *names):
    """Damage in saved states: the run goes on from the other one, or is refused until one is there again."""
    this.take()
    with kept(this.run_path / "state"):
        for name in names:
            damage(this.rng, this.run_path / "state" / f"{name}.weights.h5")
        this.judge(command := this.fit().wait())
    if len(names) == 1 and command.code != 0:
        raise Bad("lost", f"exit code {command.code}, although the other state is whole")
    if len(names) > 1:
        this.finish()


def history(this):
    """Damage in the history: rows that cannot be read are spoken of, or left as they are, since training reads the last."""
    this.take()
    damage(this.rng, this.run_path / "history.csv")
    left = (this.run_path / "history.csv").read_bytes().splitlines()[:-1]
    command = this.fit().wait()
    this.judge(command, without=("history",))
    from ganime.history import read_rows

    names, rows, table, damaged = read_rows(this.run_path / "history.csv")
    steps = table[:, names.index("step")].tolist() if rows else []
    touched = not {*left} <= {*(this.run_path / "history.csv").read_bytes().splitlines()}
    if not command.err.strip() and touched and (damaged or steps != list(range(1, 9))):
        raise Bad("silent", f"the history has rows of steps {steps}{', and others' if damaged else ''}")
    if command.code != 0:
        raise Bad("lost", f"exit code {command.code}")


def config(this):
    """Damage in the configuration: refused, or of no matter."""
    this.take()
    with kept(this.run_path, "config.json"):
        damage(this.rng, this.run_path / "config.json")
        this.judge(command := this.fit().wait())
    if command.code != 0:
        this.finish()


def evaluations(this):
    """Damage in the list of evaluations: a new one is added whole, and `runs` does not fail."""
    this.take("done", "scored")
    path = this.run_path / "evaluations.jsonl"
    damage(this.rng, path)
    this.run("runs")
    this.run(*EVALUATE)
    try:
        found = json.loads(path.read_text(errors="replace").splitlines()[-1])["scores"]
    except (ValueError, KeyError, TypeError) as error:
        raise Bad("lost", "the new evaluation is no line of its own") from error
    if found != _scores(this.base / "scored" / "done" / path.name):
        raise Bad("silent", "other scores")


def grid(this):
    """Damage in a sample grid: the animation is whole, or it is said why not."""
    this.take()
    damage(this.rng, chosen := this.rng.choice(sorted((this.run_path / "samples").iterdir())))
    this.judge(command := this.fit().wait(), without=("grids",))
    same = (this.run_path / "progress.gif").read_bytes() == (this.base / "plain" / "done" / "progress.gif").read_bytes()
    if not command.err.strip() and not same:
        raise Bad("silent", f"another animation after damage in {chosen.name}")
    if command.code != 0:
        raise Bad("lost", f"exit code {command.code}")


def model(this, name="generator", reference="plain"):
    """Damage in a generator's file: the same faces, or refused."""
    this.take("done", reference)
    damage(this.rng, path := this.run_path / f"{name}.keras")
    which = ["--run", "run"] if name == "generator" else ["--model", path]
    make_faces(this, *which, expected=this.base / reference / "work" / f"{name}.png")


def kept_generator(this):
    """Damage in the generator of a step that is kept: the same faces, or refused."""
    this.take("done", "kept")
    damage(this.rng, this.run_path / "snapshots" / f"step-{END // 2:06}.keras")
    make_faces(this, "--run", f"run@{END // 2}", expected=this.base / "kept" / "work" / "kept.png")


def kept_state(this):
    """Damage in the state of a step that is kept: whoever starts from there is refused, and the run itself goes on."""
    this.take("begun", "kept")
    path = this.run_path / "snapshots" / f"step-{END // 2:06}.weights.h5"
    with kept(path.parent, path.name):
        damage(this.rng, path)
        command = this.fit("kept", "--run", "branch", "--from", f"run@{END // 2}").wait()
        if command.code == 0:
            raise Bad("silent", "a run has started from it")
        if not command.err.strip():
            raise Bad("silent", f"exit code {command.code} without a word")
    this.finish("kept")


def packed(this):
    """Damage in a packed file: refused, or of no matter."""
    if this.rng.random() < 0.5:
        this.take()
    with kept(this.folder, "faces.npy"):
        damage(this.rng, this.folder / "faces.npy")
        this.judge(command := this.fit(data="faces.npy").wait())
    if command.code != 0 and this.rng.random() < 0.5:
        this.finish(data="faces.npy")


def cache(this):
    """Damage in what is kept of pictures: the same scores."""
    training = this.rng.random() < 0.3
    this.take("begun" if training else "done", "scored")
    shutil.copytree(this.base / "scored" / "work" / "keras", this.folder / "keras")
    kept = sorted((this.folder / "keras" / "ganime").glob("*.npy"))
    for path in this.rng.sample(kept, this.rng.randint(1, len(kept))):
        damage(this.rng, path)
    if training:
        this.finish("scored")
    elif (command := this.run(*EVALUATE)).code != 0:
        raise Bad("lost", f"exit code {command.code}, although it can be computed anew")
    elif _scores(this.run_path / "evaluations.jsonl") != _scores(this.base / "scored" / "done" / "evaluations.jsonl"):
        raise Bad("silent", "other scores")


def other_state(this):
    """A state in the place of another run's, or a configuration that is gone."""
    this.take()
    others = this.base / this.rng.choice(("other-seed", "other-recipe")) / "begun"
    moved = this.rng.sample(("state/gan.weights.h5", "state/previous.weights.h5", "config.json"), this.rng.randint(0, 2))
    gone = this.rng.sample(("config.json", "state/gan.weights.h5"), this.rng.randint(0 if moved else 1, 1))
    before = {path: path.read_bytes() for path in this.run_path.rglob("*.h5")}
    for name in moved:
        shutil.copy(others / name, this.run_path / name)
        before[this.run_path / name] = (others / name).read_bytes()
    for name in gone:
        (this.run_path / name).unlink()
        before.pop(this.run_path / name, None)
    command = this.fit().wait()
    this.judge(command)
    if command.code != 0:
        if lost := [path.name for path, content in before.items() if path.suffix == ".h5" and path.read_bytes() != content]:
            raise Bad("lost", f"{', '.join(lost)} changed although the run is refused")
        this.take()
        if this.rng.random() < 0.3:
            this.finish()


def damage(rng, path):
    """Change a file's content: a bit, a block of noise, a block of zeros, or its end cut off."""
    before = data = bytearray(path.read_bytes())
    while data == before:
        data, kind, place = bytearray(before), rng.choice(("bit", "block", "zeros", "cut")), rng.randrange(len(before))
        length = min(rng.choice((1, 16, 512, 4096)), len(data) - place)
        if kind == "bit":
            data[place] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del data[place:]
        else:
            data[place : place + length] = rng.randbytes(length) if kind == "block" else bytes(length)
    path.write_bytes(data)


def _scores(path):
    return json.loads(path.read_text().splitlines()[-1])["scores"]
