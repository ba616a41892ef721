"""Running Python code in a process that is killed at random moments until it gets through."""

import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def kill_until_done(code, arguments, kills=6, longest=0.4):
    """Run the code, kill it (SIGKILL) after a random time, at most `kills` times, then let it finish; how often it was killed.

    The time begins when the code has printed a line.
    """
    moments = random.Random(0)
    killed = 0
    while True:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        try:
            _, errors = process.communicate(timeout=moments.uniform(0, longest) if killed < kills else 120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            continue
        assert process.returncode == 0, errors.decode()
        return killed


def snapshot(folder):
    """The content of every file below, by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
