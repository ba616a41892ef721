#!/usr/bin/env bash
# Keras 3.15.1: ModelCheckpoint(save_best_only=True, save_freq=N), both documented and allowed together, ends the training at
# its second look with "'NoneType' object is not callable", whatever `mode` says: what compares two values is set at the end of an
# epoch only, and the first one has not ended. With save_freq="epoch" it works.
# Seen: by epoch -> fine, by 2 steps -> TypeError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 "jax[cpu]==0.10.2"
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np


def outcome(save_freq):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    best = keras.callbacks.ModelCheckpoint("best.keras", "loss", mode="min", save_best_only=True, save_freq=save_freq)
    try:
        model.fit(np.ones((16, 2)), np.ones(16), batch_size=2, epochs=2, verbose=0, callbacks=[best])
    except TypeError as error:
        return f"TypeError: {error}"
    return "fine"


seen = outcome("epoch"), outcome(2)
print(f"Keras {keras.__version__}: by epoch -> {seen[0]}, by 2 steps -> {seen[1]}")
assert seen == ("fine", "TypeError: 'NoneType' object is not callable")
PYTHON
