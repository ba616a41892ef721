"""Faults that come while a command runs: a function for each kind, which does one try."""

import builtins
import errno
import io
import itertools
import os
import resource
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

from benchmarks.faults.compare import read_run, read_whole
from benchmarks.faults.tries import LIMIT, PACKED, Bad, Skipped, kept, make_faces, moment

ERRORS = (errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
OPERATIONS = {name: ((os, name),) for name in ("replace", "link", "fsync", "mkdir", "open")}
OPERATIONS["file"] = ((builtins, "open"), (io, "open"))
PICTURE = "picture.png"
QUICK = (["runs"], ["recipes"], ["data", "check", "faces"], ["gif", "--run", "run"], ["--help"], ["no-command"])


def kill(this, reference="plain", *options):
    """SIGKILL, once or twice, while training or saving."""
    if this.rng.random() < 0.7:
        this.take("begun", reference)
    for _ in range(this.rng.choice((1, 1, 2))):
        command = this.fit(reference, *options)
        command.until(moment(this), this.rng.uniform(0, 0.3))
        command.send(signal.SIGKILL)
        this.judge(command.wait(), reference)
    this.finish(reference, *options)


def interrupt(this, times=1):
    """SIGINT or SIGTERM at any moment from when the program handles them on, in a process that has imported nothing."""
    command = this.fit(start=True)
    command.until(lambda: _handles_signals(command.process))
    if this.rng.random() < 0.5:
        command.until(lambda: True, this.rng.uniform(0, 8))
    else:
        command.until(moment(this), this.rng.uniform(0, 0.5))
    for _ in range(times):
        command.send(this.rng.choice((signal.SIGINT, signal.SIGTERM)))
        command.until(lambda: True, this.rng.uniform(0, 0.5))
    this.judge(command.wait())
    if command.code not in (0, 130):
        raise Bad("traceback", f"exit code {command.code} after a signal")
    if command.code == 130 and not 1 <= len(command.err.split("\n\n")[-1].strip().splitlines()) <= 2:
        raise Bad("silent", "other than one or two lines after a signal")
    this.finish()


def swapped(this):
    """A packed file, or an archive, of other pictures put in the place, or into the file, of the one that is trained on."""
    name = this.rng.choice(PACKED)
    path, other = this.folder / name, this.base / name.replace("faces", "others")
    with kept(this.folder, name):
        command = this.fit(data=name)
        command.until(moment(this), this.rng.uniform(0, 0.2))
        if this.rng.random() < 0.5:
            path.write_bytes(other.read_bytes())
        else:
            shutil.copy(other, this.folder / other.name)
            os.replace(this.folder / other.name, path)
        this.judge(command.wait())
    this.finish(data=name)


def file_size(this):
    """No file can be larger than so much (RLIMIT_FSIZE)."""
    if this.rng.random() < 0.7:
        this.take()
    limit = int(2 ** this.rng.uniform(6, 18))

    def prepare():
        _have_no_patience()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    this.judge(this.fit(prepare=prepare).wait(), without=("grids", "history"))
    this.finish(without=("grids",))


def full_disk(this, reference="plain", sizes=(250, 900)):
    """A small file system for the run's folder, later a large one. What is kept of a step is whole or not there."""
    this.run_path.mkdir(parents=True)
    size = this.rng.randrange(*sizes)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", this.run_path]
    if subprocess.run(mount, capture_output=True).returncode:
        raise Skipped("no file system can be mounted here")
    try:
        if size > sum(sizes) // 2:
            this.take("begun", reference)
        command = this.fit(reference, prepare=_have_no_patience).wait()
        this.judge(command, reference, without=("grids", "history", "kept"))
        subprocess.run(["mount", "-o", "remount,size=100m", this.run_path], check=True)
        this.finish(reference, without=("grids", "kept"))
        begun, done = (read_whole(this.base / reference / stage)["kept"] for stage in ("begun", "done"))
        known = begun | done  # where another one was left out, one stays that is dropped else
        if bad := [name for name, content in read_run(this.run_path)["kept"].items() if known.get(name) != content]:
            raise Bad("lost", f"{', '.join(bad)} is kept, and not as when left alone")
    finally:
        subprocess.run(["umount", this.run_path], check=True)


def denied(this):
    """An operation below the run's folder fails, once or from then on."""
    if this.rng.random() < 0.7:
        this.take()
    name, number, code = this.rng.choice(sorted(OPERATIONS)), this.rng.randint(1, 12), this.rng.choice(ERRORS)
    once = this.rng.random() < 0.5
    command = this.fit(prepare=partial(_deny, name, number, code, once, str(this.run_path))).wait()
    this.judge(command, without=("grids", "history") if command.err.strip() else ())
    this.finish(without=("grids",))


def pictures(this):
    """Pictures that are removed, cut short, or replaced by folders or pipes while they are trained on."""
    if this.rng.random() < 0.5:
        this.take()
    faces = sorted((this.folder / "faces").iterdir())
    with kept(this.folder / "faces"):
        command = this.fit()
        command.until(moment(this), this.rng.uniform(0, 0.2))
        for path in this.rng.sample(faces, this.rng.choice((1, 3, len(faces)))):
            content = path.read_bytes()
            path.unlink()
            what = this.rng.choice(("removed", "cut", "folder", "pipe"))
            if what == "cut":
                path.write_bytes(content[: this.rng.randrange(len(content))])
            elif what != "removed":
                path.mkdir() if what == "folder" else os.mkfifo(path)
        command.wait()
        if not command.err.strip():
            this.judge(command)  # what is passed over, and said, makes another result
    this.finish(without=("weights", "generator", "history", "grids") if "passed over" in command.err else ())


def folder_away(this):
    """The folder of pictures is renamed while it is trained on, and brought back."""
    if this.rng.random() < 0.5:
        this.take()
    faces, away = this.folder / "faces", this.folder / "away"
    command = this.fit(prepare=_have_no_patience)
    command.until(moment(this), this.rng.uniform(0, 0.1))
    faces.rename(away)
    command.until(lambda: True, this.rng.choice((0.0, 1.0, LIMIT)))
    away.rename(faces)
    this.judge(command.wait())
    this.finish()


def together(this):
    """Two programs write one picture: the last one's stays, and both succeed."""
    this.take("done")
    seeds = ("0-3", "4-7")
    wanted = []
    for number in seeds:
        this.run("generate", "--run", "run", "--seeds", number, "--output", f"{number}.png")
        wanted.append((this.folder / f"{number}.png").read_bytes())
    options = ["--force"] if this.rng.random() < 0.5 else []
    both = [this.start("generate", "--run", "run", "--seeds", n, "--output", PICTURE, *options) for n in seeds]
    codes = [command.wait().code for command in both]
    refused = [] if options else [2]  # by the one that came later
    if 0 not in codes or not {*codes} <= {0, *refused} or (this.folder / PICTURE).read_bytes() not in wanted:
        raise Bad("lost", f"the picture is neither one's; exit codes {codes}")


def gif(this):
    """`gif` while the training ends."""
    from PIL import Image

    this.take()
    command = this.fit()
    command.until(moment(this), this.rng.uniform(0, 1))
    other = this.run("gif", "--run", "run")
    this.judge(command.wait())
    if other.code != 0:
        raise Bad("lost", f"gif: exit code {other.code}")
    with Image.open(this.run_path / "progress.gif") as picture:
        for frame in range(picture.n_frames):
            picture.seek(frame)
            picture.load()


def outputs(this):
    """Standard output and error that take nothing: a full device, closed, a pipe that nobody reads."""
    this.take("done" if (quick := this.rng.random() < 0.7) else "begun")
    read, pipe = os.pipe()
    os.close(read)
    with open("/dev/full", "w") as full, open(os.devnull, "w") as null, open(pipe, "w") as pipe:
        files = [this.rng.choice((full.fileno(), None, pipe.fileno(), null.fileno())) for _ in range(2)]
        if not quick:
            command = this.fit(outputs=files).wait()
            if found := this.differences():
                raise Bad("lost", f"other {', '.join(found)}")
        elif this.rng.random() < 0.3:
            expected = this.base / "plain" / "work" / "generator.png"
            command = make_faces(this, "--run", "run", expected=expected, outputs=files)
        else:
            command = this.run(*this.rng.choice(QUICK), outputs=files)
        if files[0] == full.fileno() and command.code == 0:
            raise Bad("silent", "exit code 0 with a full device for the standard output")


def _handles_signals(process):
    try:
        caught = Path(f"/proc/{process}/status").read_text().partition("SigCgt:")[2].split()[0]
    except (OSError, IndexError):
        return False
    return bool(int(caught, 16) >> signal.SIGTERM - 1 & 1)


def _have_no_patience():
    import ganime.files

    ganime.files.PATIENCE, ganime.files.HELD_OPEN = 1.0, 0.3


def _deny(name, number, code, once, folder):
    """Let an operation below a folder fail with an error, the so-manieth time and, unless once, from then on."""
    _have_no_patience()
    calls, real = itertools.count(1), getattr(*OPERATIONS[name][0])

    def concerns(path, mode="r", *rest, **named):
        if name == "file" and not set(named.get("mode", mode)) & set("wax+"):
            return False
        if name == "open" and not mode & (os.O_WRONLY | os.O_RDWR):
            return False
        path = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.path.abspath(os.fsdecode(path))
        return path.startswith(folder)

    def operation(*args, **named):
        if concerns(*args, **named) and ((call := next(calls)) == number or (call > number and not once)):
            raise OSError(code, os.strerror(code), str(args[0]))
        return real(*args, **named)

    for place in OPERATIONS[name]:
        setattr(*place, operation)
