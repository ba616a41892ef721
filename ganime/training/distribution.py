"""Training on several devices and hosts, with TensorFlow's own strategies."""

import hashlib
import json
import os

import tensorflow as tf

from ganime.errors import GanimeError, InputError

KINDS = ("mirrored", "multiworker")


def make_strategy(kind: str, devices: int | None = None) -> tf.distribute.Strategy:
    """The strategy of that name. Call this before TensorFlow computes anything: workers cannot be joined later.

    Args:
        kind: `"mirrored"`, all devices of this machine (GPUs, or logical CPU devices), or `"multiworker"`, one process on each
            host. Which hosts is read from TF_CONFIG, or else from Slurm, where tasks are to be bound to their own GPUs.
        devices: How many of this machine; all by default.

    Raises:
        InputError: If there are not two devices, or neither TF_CONFIG nor Slurm says who the workers are.
        GanimeError: If the workers cannot be joined.
    """
    if kind == "mirrored":
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if len(found) < 2:
            raise InputError(f"--distribute mirrored is for two devices or more; TensorFlow finds {found[0].name} only")
        return tf.distribute.MirroredStrategy([device.name for device in found[:devices]])
    if kind != "multiworker":
        raise InputError(f"distribute {kind!r} is not one of {', '.join(KINDS)}")
    find_workers()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise GanimeError(f"the workers of TF_CONFIG cannot be joined: {str(error).splitlines()[0]}") from error


def find_workers() -> None:
    """See that TF_CONFIG says who the workers are; set it from Slurm's variables where it is not there.

    Raises:
        InputError: If neither says.
    """
    if "TF_CONFIG" not in os.environ and "SLURM_PROCID" in os.environ:
        os.environ["TF_CONFIG"] = _config_of_slurm()
    _check_config(os.environ.get("TF_CONFIG"))


def _config_of_slurm():
    """TF_CONFIG as Slurm's environment has it. Assigning GPUs is left to Slurm, which binds them to tasks itself."""
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(gpus_per_node=0, gpus_per_task=0, auto_set_gpu=False)
        # In Slurm's order, by which it numbers the tasks; cluster_spec() has hosts by name, n10 before n9.
        hosts, task = resolver._task_configuration, int(os.environ["SLURM_PROCID"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"Slurm's variables do not tell the workers ({error}); start with srun, or set TF_CONFIG") from error
    workers = [f"{host}:{8888 + i}" for host, tasks in hosts.items() for i in range(tasks)]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": task}})


def _check_config(text):
    example = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
    if text is None:
        raise InputError(f"--distribute multiworker needs TF_CONFIG, for example {example}, or srun")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        task["type"], workers[int(task["index"])]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"TF_CONFIG {text!r} is not of the form {example}") from error
    if set(config["cluster"]) != {"worker"} or task["type"] != "worker" or len(workers) < 2:
        raise InputError("there must be two workers or more, all of the type worker")


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether this process is the one that writes the run's files."""
    return not is_multiworker(strategy) or strategy.cluster_resolver.task_id == 0


def is_multiworker(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether other processes train together with this one."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def shares(strategy: tf.distribute.Strategy | None) -> tuple[int, int, int]:
    """Which shares of each batch this process reads, as `make_dataset` takes them: first, here, in all."""
    if strategy is None:
        return 0, 1, 1
    here = len(strategy.extended.worker_devices)
    worker = strategy.cluster_resolver.task_id if is_multiworker(strategy) else 0
    return worker * here, here, strategy.num_replicas_in_sync


def chiefs(strategy: tf.distribute.Strategy, number: int) -> int:
    """The chief's number, where several processes train together; each waits for the others then."""
    if not is_multiworker(strategy):
        return number
    return int(strategy.gather(strategy.run(_as_row, (tf.constant(number, tf.int64),)), axis=0)[0])


@tf.function
def _as_row(number):
    return tf.reshape(number, (1,))


def check_agreement(strategy: tf.distribute.Strategy, description: dict, step: int) -> None:
    """See that all workers are about to do the same; waits for all.

    Args:
        strategy: The strategy.
        description: What they train, of JSON's types.
        step: The step they start from.

    Raises:
        GanimeError: If a worker has other options, pictures or versions, or does not see the chief's state.
    """
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).digest()
    mine = tf.constant([[int.from_bytes(digest[:6], "big"), step]], tf.int64)
    everyone = strategy.gather(strategy.run(tf.function(lambda: tf.identity(mine))), axis=0).numpy()
    for worker, (what, first) in enumerate(everyone[:: len(strategy.extended.worker_devices)].tolist()):
        if what != everyone[0, 0]:
            raise GanimeError(
                f"worker {worker} has another recipe, engine, seed, number of steps, set of pictures or version than worker 0"
            )
        if first != everyone[0, 1]:
            raise GanimeError(
                f"worker {worker} starts from step {first:,} and worker 0 from step {everyone[0, 1]:,}: "
                "--run must be a folder that all workers share"
            )
