#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors with the same metadata are written as different bytes each time.
#
# The metadata, a dictionary of strings, is kept in a hash map with a random seed on its way to the file, so its entries come in
# another order at every call. The tensors are equal and every reader is content, but a hash of the file says nothing, a build
# that holds one is not reproducible, and a cache by content never hits. Without metadata the bytes are the same each time.
#
# Seen: six entries, twenty files written by one process: 19 different files; without metadata one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy
from safetensors.numpy import save

tensors = {"weights": numpy.zeros(3, numpy.float32)}
metadata = {name: name for name in ("author", "date", "license", "model", "size", "version")}
with_metadata = {save(tensors, metadata) for _ in range(20)}
without = {save(tensors) for _ in range(20)}
print(f"{len(with_metadata)} different files with metadata, {len(without)} without")
assert len(with_metadata) > 1 and len(without) == 1
PYTHON
