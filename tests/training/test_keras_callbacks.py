"""Every callback that comes with Keras, with a GAN: what it does there, or the sentence that refuses it."""

import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import keras
import pytest

from ganime.errors import InputError
from tests.training.small import LOGGED, PICTURES, make_small_gan, small_gan
from tests.training.test_gan import same

callbacks, layers = keras.callbacks, keras.layers


def fit(*given, gan=None, epochs=2, **options):
    """Two steps an epoch; the model and its epochs' logs."""
    gan = gan or small_gan()
    options = {"batch_size": 4, "verbose": 0, "shuffle": False} | options
    history = gan.fit(PICTURES, epochs=epochs, callbacks=[*given], **options)
    return gan, history.history


def backup_and_restore(folder, capsys):
    class Kill(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    for every, trained_again in (("epoch", 0), (1, 2)):  # Keras keeps no place in an epoch: it begins the last one again
        path = folder / str(every)
        with pytest.raises(KeyboardInterrupt):
            fit(callbacks.BackupAndRestore(path, every), Kill(), epochs=4)
        gan, _ = fit(callbacks.BackupAndRestore(path, every), epochs=4)
        assert int(gan.step) == 8 + trained_again
        resumed = gan.get_weights()
        assert same(resumed, fit(epochs=4)[0].get_weights()) == (not trained_again)


def base(folder, capsys):
    class Hooks(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            called.append((self.model, self.params["epochs"], set(logs)))

    called = []
    gan, _ = fit(Hooks())
    assert called == [(gan, 2, LOGGED)] * 4


def callback_list(folder, capsys):
    gan = small_gan()
    several = callbacks.CallbackList([callbacks.CSVLogger(folder / "log.csv")], add_history=True, model=gan, epochs=1)
    gan.fit(PICTURES, batch_size=4, verbose=0, callbacks=several)
    assert (folder / "log.csv").exists()
    with pytest.raises(InputError, match="StopOnNonFinite"):
        gan.fit(PICTURES, callbacks=callbacks.CallbackList([callbacks.TerminateOnNaN()]))


def csv_logger(folder, capsys):
    _, history = fit(callbacks.CSVLogger(folder / "log.csv"))
    rows = [*csv.DictReader((folder / "log.csv").open())]
    assert [float(row["d_loss"]) for row in rows] == history["d_loss"]


def early_stopping(folder, capsys):
    stop = {"patience": 0, "min_delta": 1e9, "restore_best_weights": True}
    gan, history = fit(
        callbacks.EarlyStopping("val_g_loss", mode="min", **stop), epochs=9, validation_data=PICTURES, shuffle=True
    )
    assert len(history["g_loss"]) == 2
    assert int(gan.step) == 2  # restored with the weights of the first epoch
    with pytest.warns(UserWarning, match="val_loss` which is not available. Available metrics are: d_accuracy"):
        fit(callbacks.EarlyStopping())
    with pytest.raises(ValueError, match="`mode='min'`"):
        fit(callbacks.EarlyStopping("d_loss"))


def history(folder, capsys):
    gan, logs = fit(own := callbacks.History())
    assert own.history == logs == gan.history.history and logs.keys() == LOGGED


def lambda_callback(folder, capsys):
    seen = []
    _, logs = fit(callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["d_loss"]))))
    assert seen == [*enumerate(logs["d_loss"])]


def learning_rate_scheduler(folder, capsys):
    gan = small_gan()
    gan.g_optimizer.learning_rate, gan.d_optimizer.learning_rate = 0.1, 0.4
    _, logs = fit(callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2), gan=gan)
    assert logs["learning_rate"] == pytest.approx([0.05, 0.025])
    assert float(gan.d_optimizer.learning_rate) == pytest.approx(0.1)
    fixed = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        fit(callbacks.LearningRateScheduler(lambda epoch, rate: rate), gan=make_small_gan(optimizer=None, g_optimizer=fixed))


def model_checkpoint(folder, capsys):
    whole = callbacks.ModelCheckpoint(folder / "{epoch}-{g_loss:.1f}.keras")
    kept = {"save_weights_only": True, "monitor": "val_d_loss", "mode": "max", "save_best_only": True}
    best = callbacks.ModelCheckpoint(folder / "best.weights.h5", initial_value_threshold=9.0, **kept)
    steps = callbacks.ModelCheckpoint(folder / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=2)
    gan, logs = fit(whole, best, steps, validation_data=PICTURES)
    last = f"2-{logs['g_loss'][1]:.1f}.keras"
    assert sorted(path.name for path in folder.iterdir())[1:] == ["1-2.weights.h5", last, "2-2.weights.h5"]
    values = [variable.numpy() for variable in (*gan.variables, *gan.optimizer.variables)]
    loaded, other = keras.models.load_model(folder / last), small_gan()
    other.load_weights(folder / "2-2.weights.h5")
    for one in (loaded, other):
        assert same(values, [variable.numpy() for variable in (*one.variables, *one.optimizer.variables)])
    with pytest.raises(InputError, match=r"legacy \.h5 has no place"):
        fit(callbacks.ModelCheckpoint(folder / "whole.h5"))
    assert not (folder / "whole.h5").exists()
    with pytest.raises(InputError, match="needs save_freq"):
        fit(callbacks.ModelCheckpoint(folder / "best.keras", "g_loss", save_best_only=True, mode="min", save_freq=1))


def orbax_checkpoint(folder, capsys):
    with pytest.raises(InputError, match="ModelCheckpoint does"):
        fit(object.__new__(callbacks.OrbaxCheckpoint))  # its package is not needed to refuse it


def progbar_logger(folder, capsys):
    _, logs = fit(verbose=2)  # Keras adds it
    assert f"g_loss: {logs['g_loss'][1]:.4f}" in capsys.readouterr().out


def reduce_lr_on_plateau(folder, capsys):
    gan, _ = fit(callbacks.ReduceLROnPlateau("val_g_loss", 0.5, 1, mode="min", min_delta=1e9), validation_data=PICTURES)
    assert float(gan.g_optimizer.learning_rate) == float(gan.d_optimizer.learning_rate) == pytest.approx(0.005)


def remote_monitor(folder, capsys):
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        _, logs = fit(callbacks.RemoteMonitor(address, path="/", send_as_json=True))
        server.shutdown()
    assert [one["d_loss"] for one in received] == logs["d_loss"]


def swap_ema_weights(folder, capsys):
    for call in (fit, lambda one: small_gan().evaluate(PICTURES, callbacks=one)):
        with pytest.raises(InputError, match="swaps what an optimizer averages"):
            call(callbacks.SwapEMAWeights())


def tensorboard(folder, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = {"histogram_freq": 1, "write_images": True, "update_freq": 1, "write_steps_per_second": True}
    fit(callbacks.TensorBoard(folder, **options), validation_data=PICTURES)
    train, held_out = (EventAccumulator(str(folder / name)).Reload() for name in ("train", "validation"))
    tags = train.Tags()["tensors"]
    assert {"epoch_d_loss", "batch_d_loss", "epoch_learning_rate", "epoch_steps_per_second"} <= {*tags}
    assert any(tag.endswith("histogram") for tag in tags) and any(tag.endswith("image") for tag in tags)
    assert [event.step for event in held_out.Tensors("evaluation_g_loss_vs_iterations")] == [2, 4]


def terminate_on_nan(folder, capsys):
    with pytest.raises(InputError, match="StopOnNonFinite"):
        fit(callbacks.TerminateOnNaN())


CASES = {
    "BackupAndRestore": backup_and_restore,
    "CSVLogger": csv_logger,
    "Callback": base,
    "CallbackList": callback_list,
    "EarlyStopping": early_stopping,
    "History": history,
    "LambdaCallback": lambda_callback,
    "LearningRateScheduler": learning_rate_scheduler,
    "ModelCheckpoint": model_checkpoint,
    "OrbaxCheckpoint": orbax_checkpoint,
    "ProgbarLogger": progbar_logger,
    "ReduceLROnPlateau": reduce_lr_on_plateau,
    "RemoteMonitor": remote_monitor,
    "SwapEMAWeights": swap_ema_weights,
    "TensorBoard": tensorboard,
    "TerminateOnNaN": terminate_on_nan,
}


@pytest.mark.parametrize("name", sorted(name for name, value in vars(callbacks).items() if isinstance(value, type)))
def test_a_callback_of_keras_works_or_is_refused(name, tmp_path, capsys):
    CASES[name](tmp_path, capsys)
