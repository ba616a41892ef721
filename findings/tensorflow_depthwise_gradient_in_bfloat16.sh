#!/usr/bin/env bash
# TensorFlow 2.21.0 on a CPU: a depthwise convolution is about as quick in bfloat16 as in float32, but its gradient at the input
# (here with a stride of 2) takes 20 times as long or more, and casting to float32 and back is far quicker than that. So a network
# such as MobileNet or EfficientNet that is quick in bfloat16 becomes slower than in float32 once somebody asks for the gradient.
# Seen, CPU time of bfloat16 in that of float32: forwards 1.0, the gradient 20 and 25, cast there and back 1.8 (a Xeon with AMX).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import time

import numpy as np
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
rng, strides = np.random.default_rng(0), (1, 2, 2, 1)
image, grad, kernel = (rng.normal(size=s).astype("float32") for s in [(16, 32, 32, 96), (16, 16, 16, 96), (3, 3, 96, 1)])


def forwards(dtype):
    x, k = (tf.cast(value, dtype) for value in (image, kernel))
    return tf.function(lambda: tf.nn.depthwise_conv2d(x, k, strides, "SAME"), autograph=False)


def backwards(dtype, cast=False):
    y, k = (tf.cast(value, dtype) for value in (grad, kernel))

    def run():
        inner = tf.float32 if cast else dtype
        found = tf.nn.depthwise_conv2d_backprop_input(image.shape, tf.cast(k, inner), tf.cast(y, inner), strides, "SAME")
        return tf.cast(found, dtype)

    return tf.function(run, autograph=False)


def seconds(function):
    function()
    times = []
    for _ in range(15):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return float(np.median(times))


ratios = {
    "forwards": seconds(forwards(tf.bfloat16)) / seconds(forwards(tf.float32)),
    "gradient": seconds(backwards(tf.bfloat16)) / seconds(backwards(tf.float32)),
    "gradient, cast": seconds(backwards(tf.bfloat16, cast=True)) / seconds(backwards(tf.float32)),
}
same = np.linalg.norm(backwards(tf.bfloat16)() - tf.cast(backwards(tf.float32)(), tf.bfloat16))
print(f"TensorFlow {tf.__version__}, CPU time of bfloat16 to float32:", {name: round(ratio, 1) for name, ratio in ratios.items()})
assert float(same) < 0.01 * np.linalg.norm(backwards(tf.float32)())
assert ratios["gradient"] > 8 and ratios["gradient"] > 4 * ratios["gradient, cast"] and ratios["gradient"] > 3 * ratios["forwards"]
PYTHON
