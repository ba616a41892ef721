"""Scripts that measure, each from the project's root: `python -m benchmarks.NAME`."""

import os
import subprocess
import sys
from pathlib import Path


def run_code(python, code, *arguments) -> str:
    """The last line that a program prints, run from the project's root; ends this one, with its errors, if it fails."""
    command = [python, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if result.returncode:
        sys.exit(result.stderr)
    return result.stdout.splitlines()[-1]


def link_pictures(data, folder, count) -> None:
    """Make so many hard links to the pictures of a folder, again and again, ten thousand in each folder."""
    files = sorted(path for path in Path(data).iterdir() if path.is_file())
    for i in range(count):
        place = Path(folder, f"{i // 10_000:03}")
        if i % 10_000 == 0:
            place.mkdir()
        os.link(files[i % len(files)], place / f"{i:07}.jpg")
