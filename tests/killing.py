"""Running Python code in a process that is killed at random moments until it gets through."""

import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def kill_until_done(code, arguments, kills=6, longest=1.0):
    """Run the code, kill it (SIGKILL) after a random time, at most `kills` times, then let it finish; how often it was killed.

    The first 0.3 seconds are left out: Python and NumPy need them to be there.
    """
    moments = random.Random(0)
    killed = 0
    while True:
        process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=0.3 + moments.uniform(0, longest) if killed < kills else 120)
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
