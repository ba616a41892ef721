#!/usr/bin/env bash
# click 8.5.1: click.FloatRange(0, 1) takes "nan", with clamp=True too, and hands the program a number that is in no range.
# Both ends are tested with comparisons that are false for it, so neither finds anything wrong; "inf" is refused.
# Seen: nan -> nan, clamped nan -> nan, inf -> refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check click==8.5.1
"$folder/venv/bin/python" - <<'PYTHON'
import math
from importlib.metadata import version

import click


def outcome(kind, text):
    try:
        return kind.convert(text, None, None)
    except click.BadParameter:
        return "refused"


plain, clamped = click.FloatRange(0, 1), click.FloatRange(0, 1, clamp=True)
seen = outcome(plain, "nan"), outcome(clamped, "nan"), outcome(plain, "inf")
print(f"click {version('click')}: nan -> {seen[0]}, clamped nan -> {seen[1]}, inf -> {seen[2]}")
assert math.isnan(seen[0]) and math.isnan(seen[1]) and seen[2] == "refused"
PYTHON
