"""What setup.cfg cannot say."""

import re
from pathlib import Path

from setuptools import find_packages, setup

readme = Path("README.md").read_text("utf-8")
# Away from the repository its pictures, their caption and its own links lead nowhere.
readme = re.sub(r"(!\[[^\]]*\]\((?!http)[^)]*\)\n)+(\n\*[^*]+\*\n)?", "", readme)
readme = re.sub(r"\[([^\]]*)\]\((?!http)[^)]*\)", r"\1", readme)

setup(
    long_description=readme,
    # The generator that ships lies in checkpoints/, beside its card, and is installed as ganime/shipped/.
    packages=[*find_packages(include=["ganime", "ganime.*"]), "ganime.shipped"],
    package_dir={"ganime.shipped": "checkpoints"},
    package_data={
        "ganime": ["py.typed", "__init__.pyi"],
        "ganime.exporting": ["page/*"],
        "ganime.shipped": ["anime-face-64.*"],
    },
)
