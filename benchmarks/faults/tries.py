"""What a try is made of: real commands in processes of their own, runs that were left alone, and the judgement."""

import atexit
import contextlib
import fcntl
import itertools
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.compare import END, read_run, read_whole

SORTS = ("lost", "silent", "traceback")
LIMIT = 300  # seconds for a command; after that it hangs
PIPE = 2**20  # bytes of output that a command may write before it is read
ROOT = Path(__file__).parents[2]
TINY = "image_size=32 latent_size=4 generator_widths=4,4 discriminator_widths=4,4 batch_size=4 ema_half_life=20 r1_weight=0"
TINY = [word for text in [*TINY.split(), "augmentations=", "minibatch_deviation=0"] for word in ("--set", text)]
RUN = Path("checkpoints", "run")
FIT = ["fit", "--run", "run", "--save-every", "2", "--sample-every", "3", *TINY]
REFERENCES = {
    "plain": FIT,
    "two-steps": [*FIT, "--steps-per-execution", "2", "--sample-every", "4"],
    "scored": [*FIT, "--evaluate-every", "2"],
    "kept": [*FIT, "--keep-every", "2", "--keep-at-most", "2"],  # at the end 0, 4 and 8; 2 was dropped
    "other-seed": [*FIT, "--seed", "1"],
    "other-recipe": [*FIT, "--set", "latent_size=5"],
}
DATA = {"scored": "many"}  # of references; of others it is "faces"
PACKED = ("faces.npy", "faces.zip", "faces.tar")  # other forms of them
EVALUATE = ["evaluate", "run", "--data", "many", "--part", "test", "--samples", "20"]
GENERATE = ["generate", "--seeds", "0-3"]
# A process that has imported nothing yet. Graphs as they are, as in all others, since results depend on it.
FROM_THE_START = f"""
import contextlib, sys
sys.path.insert(0, {str(ROOT)!r})
from ganime.__main__ import main
from ganime.quiet import AroundImport

@contextlib.contextmanager
def graphs_as_they_are():
    yield
    sys.modules["tensorflow"].config.optimizer.set_experimental_options({{"disable_meta_optimizer": True}})

sys.meta_path.insert(0, AroundImport("tensorflow", graphs_as_they_are))
sys.argv[0] = "cli.py"
main()
"""


class Bad(Exception):
    """What must not be; `sort` is one of `SORTS`."""

    def __init__(self, sort, reason):
        super().__init__(reason)
        self.sort = sort


class Skipped(Exception):
    """A try that cannot be made on this machine."""


class Command:
    """A command in a process of its own, which is forked off this one, and so has imported everything.

    Args:
        argv: The arguments after `cli.py`.
        folder: Where it runs.
        prepare: Called in that process, before the command.
        outputs: Opened files for its standard output and error, or None for closed ones; by default they are kept.
        start: Whether to begin with a process that has imported nothing.

    Attributes:
        code: The exit code, or minus the signal that ended it, once it is known.
        out, err: What it has written, once it has ended.
    """

    def __init__(self, argv, folder, prepare=lambda: None, outputs=(), start=False):
        self.argv, self.code, self.sent, self.out, self.err = argv, None, set(), "", ""
        self.pipes = [os.pipe() for _ in range(2)]
        for _, write in self.pipes:
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE)
        if not (process := os.fork()):
            self._be(folder, prepare, outputs or [write for _, write in self.pipes], start)
        self.process = process
        for _, write in self.pipes:
            os.close(write)

    def _be(self, folder, prepare, outputs, start):
        code = 1
        try:
            os.chdir(folder)
            os.environ["KERAS_HOME"] = str(folder / "keras")
            for target, file in enumerate(outputs, 1):
                os.close(target) if file is None else os.dup2(file, target)
            os.closerange(3, 256)
            sys.stdout, sys.stderr = (
                None if file is None else open(number, "w", closefd=False)  # noqa: SIM115
                for number, file in enumerate(outputs, 1)
            )
            sys.argv = ["cli.py", *self.argv]
            if start:
                os.execv(sys.executable, [sys.executable, "-c", FROM_THE_START, *self.argv])
            from ganime.cli import main

            prepare()
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                threading._shutdown()
                atexit._run_exitfuncs()  # as when Python ends, without the second that it takes to free all
                sys.stdout.flush()
            os._exit(code)

    def ended(self):
        """Whether it has; reads what it wrote then."""
        if self.code is None:
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
                self.out, self.err = (os.fdopen(read, errors="replace").read() for read, _ in self.pipes)
        return self.code is not None

    def until(self, happened, seconds=0.0):
        """Wait until something has happened, and then some seconds, or until the command has ended."""
        limit = time.monotonic() + LIMIT
        while not self.ended() and not happened() and time.monotonic() < limit:
            time.sleep(0.005)
        limit = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < limit:
            time.sleep(0.005)

    def send(self, number):
        """Send it a signal, unless it has ended."""
        if not self.ended():
            self.sent.add(number)
            os.kill(self.process, number)

    def wait(self):
        """Wait for its end; itself."""
        self.until(lambda: False)
        if not self.ended():
            self.send(signal.SIGKILL)
            self.until(lambda: False)
            raise Bad("lost", f"{self.argv[0]} hangs")
        return self

    def fault(self):
        """What is wrong with how it ended; empty if nothing is."""
        words = ("Traceback (most", "Fatal Python error", "Segmentation fault", "core dumped")
        if found := [word for word in words if word in self.out + self.err]:
            return f"{found[0]} in {' '.join(self.argv[:1])}"
        allowed = {0, 1, 2, 130, *(-number for number in self.sent if number == signal.SIGKILL)}
        return "" if self.code in allowed else f"exit code {self.code} of {' '.join(self.argv[:1])}"

    def tell(self):
        """How it was called, how it ended, and the end of what it wrote."""
        lines = [f"$ {' '.join(self.argv)[:60]}: exit code {self.code}", *(self.out + self.err).splitlines()[-12:]]
        return "\n".join(f"    {line[:300]}" for line in lines)


def train(reference, steps, data=None):
    """The command that trains a reference up to a step, with its pictures or those of that name."""
    return [*REFERENCES[reference], "--data", data or DATA.get(reference, "faces"), "--steps", str(steps)]


class Try:
    """One try: a folder of its own, its own random numbers, and what its commands did.

    Attributes:
        folder: Has the pictures (`faces`, `many`), the first also as `PACKED` and, after `take`, a run.
        rng: Decides about all that is random.
        base: Holds the references, a folder for each: `begun`, `done` and, of `scored`, `keras`.
    """

    def __init__(self, kind, seed, base, folder):
        self.rng, self.base, self.folder, self.commands = random.Random(f"{kind} {seed}"), base, folder, []
        shutil.copytree(base / "faces", folder / "faces")
        (folder / "many").symlink_to(base / "many")
        for name in PACKED:
            shutil.copy(base / name, folder)
        self.run_path = folder / RUN

    def take(self, stage="begun", reference="plain"):
        """Have a copy of a reference's run, at that stage."""
        shutil.copytree(self.base / reference / stage, self.run_path, dirs_exist_ok=True)

    def start(self, *argv, **how):
        """Start a command (see `Command`)."""
        self.commands.append(command := Command([*map(str, argv)], self.folder, **how))
        return command

    def run(self, *argv, **how):
        """Run a command to its end."""
        return self.start(*argv, **how).wait()

    def fit(self, reference="plain", *options, data=None, **how):
        """Start the training of a reference, with its pictures or those of that name."""
        return self.start(*train(reference, END, data), *options, **how)

    def finish(self, reference="plain", *options, data=None, without=()):
        """Train to the end, now that the fault is gone, and see that the run is like one that was left alone."""
        command = self.fit(reference, *options, data=data).wait()
        if command.code != 0:
            raise Bad("lost", f"the run cannot be continued, exit code {command.code}")
        if found := [name for name in self.differences(reference) if name not in without]:
            raise Bad("lost", f"continued, the run has other {', '.join(found)} than when left alone")

    def judge(self, command, reference="plain", without=()):
        """See that a training that ended well has come to the right end, and that one that did not has said why."""
        if command.code != 0:
            if not (command.err + command.out).strip() and command.code != -signal.SIGKILL:
                raise Bad("silent", f"exit code {command.code} without a word")
        elif found := [name for name in self.differences(reference) if name not in without]:
            raise Bad("lost" if command.err.strip() else "silent", f"other {', '.join(found)} than when left alone")

    def differences(self, reference="plain"):
        """In what the run differs from that reference's when it is done: weights, generator, history, grids, kept steps."""
        first, second = read_run(self.run_path), read_whole(self.base / reference / "done")
        return [name for name in second if first[name] != second[name]]


@contextmanager
def kept(folder, *names):
    """Put files back as they were, at the end."""
    kept = {path: path.read_bytes() for path in (map(folder.joinpath, names) if names else folder.iterdir()) if path.is_file()}
    try:
        yield
    finally:
        for path, content in kept.items():
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
            path.write_bytes(content)


def moment(this):
    """A function that says whether a moment of training has come: so many more steps, or something being written."""
    path = this.run_path / "history.csv"
    length = lambda: path.read_bytes().count(b"\n") if path.exists() else 0  # noqa: E731
    if this.rng.random() < 0.3:
        count = itertools.count(this.rng.randint(-5, 0))
        return lambda: any(this.run_path.rglob(".part-*")) and next(count) >= 0
    wanted = this.rng.randint(0, 4) + max(1, length())
    return lambda: length() > wanted


def make_faces(this, *which, expected, **how):
    """Make faces, and see that they are the right ones; the command."""
    command = this.run(*GENERATE, *which, "--output", "picture.png", **how)
    if command.code == 0 and (this.folder / "picture.png").read_bytes() != expected.read_bytes():
        raise Bad("lost" if command.err.strip() else "silent", "other faces")
    if command.code != 0 and not how and not command.err.strip():
        raise Bad("silent", f"exit code {command.code} without a word")
    return command
