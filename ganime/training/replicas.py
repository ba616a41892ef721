"""What a training step needs when several devices share it: of the global batch each replica, which is the copy of the model on
one device, has an equal part. Without a distribution strategy there is one replica, which has it all."""

import keras
import tensorflow as tf


def count() -> int:
    """Number of replicas that train together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def batch_size(part: tf.Tensor) -> tf.Tensor:
    """Number of pictures in the global batch, int64 [], as steps are counted.

    Args:
        part: What this replica has of it, [pictures, …]; all have as many.
    """
    return tf.shape(part, tf.int64)[0] * count()


def part(make, shape, axis: int = 0) -> tf.Tensor:
    """This replica's part of what is made for the global batch.

    Args:
        make: Function from a shape to a tensor, the same in all replicas.
        shape: Shape of the part.
        axis: The batch axis.
    """
    if count() == 1:
        return make(shape)
    size = shape[axis]
    whole = make((*shape[:axis], size * count(), *shape[axis + 1 :]))
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * size
    return tf.gather(whole, first + tf.range(size), axis=axis)


def mean(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The tensors' means over the replicas, differentiable."""
    return tensors if count() == 1 else _reduce(tf.distribute.ReduceOp.MEAN, tensors)


def total(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor's sum over the replicas."""
    return tensor if count() == 1 else _reduce(tf.distribute.ReduceOp.SUM, tensor)


def _reduce(operation, value):
    return tf.distribute.get_replica_context().all_reduce(operation, value)


def share_statistics(*networks: keras.Model) -> None:
    """Give all replicas the mean of their moving statistics, so that they hold the same networks."""
    statistics = [v for network in networks for v in network.non_trainable_weights]
    if count() > 1 and statistics:
        for variable, shared in zip(statistics, mean([v.value.read_value() for v in statistics]), strict=True):
            variable.assign(shared)


def run_if(condition: tf.Tensor, update) -> None:
    """Call `update` where a condition holds that is the same in all replicas.

    A plain `tf.cond` must not contain an optimizer or a reduction once there are several: these need all replicas together,
    which TensorFlow does not allow inside a replica's own condition.
    """
    if not tf.distribute.has_strategy():
        _run_if(condition, update)
    else:
        tf.distribute.get_replica_context().merge_call(_merged_run_if, (condition, update))


def _merged_run_if(strategy, conditions, updates):
    condition = strategy.experimental_local_results(conditions)[0]
    _run_if(condition, lambda: strategy.extended.call_for_each_replica(lambda update: update(), (updates,)))


def _run_if(condition, update):
    def run():
        update()
        return 0

    tf.cond(condition, run, lambda: 0)


def as_logs(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Scalars in the form in which Keras' `fit` takes their mean: over workers it does so along an axis."""
    over_workers = count() > 1 and count() > len(tf.distribute.get_strategy().extended.worker_devices)
    return {name: tf.reshape(value, (1,)) if over_workers else value for name, value in values.items()}
