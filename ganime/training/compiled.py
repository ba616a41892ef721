"""What XLA has compiled for a GPU, kept between programs (no TensorFlow).

TensorFlow keeps it by itself where it is told to before it is imported, but knows an entry by the program alone, not by its own
version or the GPU's; and one that is not whole, as a killed program leaves it, ends every training that needs it (2.21).
"""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ganime.files import atomic_write, hash_file, home

MOST = 20  # programs that are kept, the latest; one takes some 10 MB


def find_gpus() -> str:
    """Names and drivers of NVIDIA's GPUs, as their own program tells them; empty where there are none."""
    if not (program := shutil.which("nvidia-smi")):
        return ""
    asked = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    return ""


def keep_compiled(gpus: str, devices: str = "GPU") -> Path | None:
    """Have TensorFlow, once it is imported, keep what XLA compiles, for other programs on the same GPUs.

    What is not known to be whole is removed first: see `seal_compiled`.

    Args:
        gpus: What `find_gpus` gives.
        devices: What TensorFlow keeps programs of.

    Returns:
        The folder; None if there is no GPU, TensorFlow is imported already, the user has set TF_XLA_FLAGS, or there is no
        place.
    """
    if not gpus or "tensorflow" in sys.modules or "TF_XLA_FLAGS" in os.environ:
        return None
    made_with = f"{importlib.metadata.version('tensorflow')} {gpus}"
    folder = home() / "xla" / hashlib.sha256(made_with.encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        programs = sorted(folder.glob("*.pb"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in [*(path for path in programs if not _is_whole(path)), *programs[MOST:]]:
            path.unlink(missing_ok=True)
            _seal_of(path).unlink(missing_ok=True)
    except OSError:
        return None
    if " " in str(folder):  # which would end the flag
        return None
    os.environ["TF_XLA_FLAGS"] = (
        f"--tf_xla_persistent_cache_directory={folder} --tf_xla_persistent_cache_device_types={devices}"
    )
    return folder


def seal_compiled(folder: Path) -> None:
    """Note of each program that is kept there now that it is whole."""
    with suppress(OSError):
        for path in folder.glob("*.pb"):
            if not _seal_of(path).exists():
                with atomic_write(_seal_of(path)) as part:
                    part.write_text(hash_file(path))


def _seal_of(path):
    return path.with_suffix(".sha256")


def _is_whole(path):
    try:
        return _seal_of(path).read_text() == hash_file(path)
    except FileNotFoundError:
        return False
