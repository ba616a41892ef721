"""Training in other processes, on several devices.

python -m tests.training.workers KIND RUN STEPS BATCH_SIZE [FIELD=VALUE...]
"""

import gc
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, TINY

# Where rounding must not decide: a unit at the kink of its ReLU turns it into a change of the gradient, and Adam makes steps of
# full size out of gradients that are nothing but rounding, as those of a bias before a batch norm. Its effects grow with the
# learning rate.
RATES = ("g_learning_rate=1e-4", "d_learning_rate=1e-4")
STEADY = ("generator_slope=1", "discriminator_slopes=1", "adam_epsilon=1e-4", *RATES)


def start_workers(count, *arguments):
    """So many processes that train together, by way of TF_CONFIG."""
    with_ports = [socket.socket() for _ in range(count)]
    for held in with_ports:
        held.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{held.getsockname()[1]}" for held in with_ports]
    for held in with_ports:
        held.close()
    configs = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}} for i in range(count)]
    return [start("multiworker", *arguments, TF_CONFIG=json.dumps(config)) for config in configs]


def start(*arguments, **environment):
    command = [sys.executable, "-m", "tests.training.workers", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=pipe, stderr=pipe, text=True)


def main(kind, path, steps, batch_size, *fields):
    """Train with synchronized batch norm; save this process' weights beside the run."""
    gc.disable()
    import numpy as np
    import tensorflow as tf

    import ganime
    from ganime.errors import GanimeError

    gc.freeze()
    gc.enable()

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # as in the tests' own process
    if kind == "mirrored":
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    strategy = ganime.make_strategy(kind)
    recipe = ganime.get_recipe("default").override(*TINY, *STEADY, f"batch_size={batch_size}", *fields)
    engine = ganime.Engine(strategy=strategy, sync_batch_norm=True)
    try:
        gan = ganime.fit(ganime.Run(path), recipe, ganime.DrawnFaces(50), int(steps), save_every=25, engine=engine)
    except (GanimeError, KeyboardInterrupt) as error:
        sys.exit(f"Error: {error}")
    task = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]["index"]
    np.savez(f"{Path(path)}-{task}.npz", *[variable.numpy() for variable in gan.variables])


if __name__ == "__main__":
    main(*sys.argv[1:])
