"""The process of a command: interrupted at any moment, with outputs that take nothing, among other programs' settings."""

import os
import signal
import subprocess
import sys

import pytest

from ganime.commands.process import Output, on_signals
from tests.conftest import PLAIN, ROOT

# Sends itself a signal when something happens for the first time: a module is imported, or a file is opened.
SIGNALLED = """
import gc, os, sys
gc.disable()  # an import in three quarters of its time
def strike(event, arguments):
    if event in ("import", "open") and moments and moments[0] in str(arguments[0]):
        moments.pop(0)
        os.kill(os.getpid(), number)
number, moments = int(sys.argv.pop(1)), sys.argv.pop(1).split()
sys.addaudithook(strike)
sys.argv[0] = "ganime"
from ganime.__main__ import main
main()
"""


@pytest.fixture
def call(tmp_path):
    """Runs a command in an empty folder; the exit code, what it printed, and the errors."""

    def call(*command, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path, **options}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        options["env"] = {**kept, "PYTHONPATH": str(ROOT), **options.get("env", {})}
        done = subprocess.run(list(map(str, command)), **options)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture
def signalled(call):
    return lambda number, moments, *arguments: call(sys.executable, "-c", SIGNALLED, int(number), " ".join(moments), *arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["click", "ganime.commands.walk", "rich.table", "ganime.recipes"])
def test_an_interrupt_is_one_word_from_the_start(signalled, number, module):
    assert signalled(number, [module], "recipes") == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_one_word_while_tensorflow_is_imported(call, tmp_path, number):
    """One that makes another error of it, as libraries in C++ do."""
    lines = (
        f"import os\ntry: os.kill(os.getpid(), {int(number)})",
        "except BaseException: raise ImportError('broken') from None",
    )
    (tmp_path / "tensorflow.py").write_text("\n".join(lines))
    (tmp_path / "keras.py").write_text("import tensorflow\n")
    path = os.pathsep.join(map(str, (tmp_path, ROOT)))
    assert call(sys.executable, ROOT / "cli.py", "fit", env={"PYTHONPATH": path}) == (130, "", "Interrupted.\n")


def test_a_second_interrupt_says_that_nothing_is_saved_and_how_to_continue(signalled, tmp_path):
    options = ["--run", "here", "--steps", "50", "--sample-every", "1", *(word for text in PLAIN for word in ("--set", text))]
    code, _, err = signalled(signal.SIGINT, ["step-000001.png", "generator.keras"], "fit", *options)
    first, second = err.strip().splitlines()
    assert code == 130 and first.startswith("Stopping, then saving")
    assert second == f"Not saved; nothing was saved yet. Continue with: ganime fit {' '.join(options)}"
    assert not list(tmp_path.glob("checkpoints/here/state/*"))


def test_who_starts_the_program_may_have_signals_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    earlier = on_signals(lambda *_: None)
    try:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN and callable(signal.getsignal(signal.SIGTERM))
    finally:
        on_signals(earlier)
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("command", ["recipes", "--help"])
def test_an_output_that_takes_nothing_is_one_line_or_none(call, command):
    program = (sys.executable, ROOT / "cli.py", command)
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            code, _, err = call(*program, stdout=full)
            assert code == 1 and err.count("\n") == 1 and "could be written: No space left" in err
            assert call(*program, stderr=full)[0] == 0
            assert call(*program[:-1], "nothing", stderr=full)[0] == 2
    reading, writing = os.pipe()
    os.close(reading)
    assert call(*program, stdout=writing) == (1, None, "")
    os.close(writing)
    if os.name == "posix":
        for closed in (">&-", "2>&-", ">&- 2>&- <&-"):
            code, _, err = call("sh", "-c", f'"$@" {closed}', "sh", *program)
            assert (code, err) == (0, "")


def test_what_is_shown_of_work_does_not_end_it(tmp_path):
    reading, writing = os.pipe()
    output = Output(writing, "ascii")
    print("日本", file=output)
    assert os.read(reading, 100) == rb"\u65e5\u672c" + os.linesep.encode() and output.error is None
    os.close(reading)
    for _ in range(2):
        print("nobody reads this", file=output)
    assert isinstance(output.error, BrokenPipeError)
    os.close(writing)


def test_a_text_that_cannot_be_encoded_is_escaped_by_click_too(call):
    code, out, err = call(sys.executable, ROOT / "cli.py", "日本\udcff\x1b[31m", env={"PYTHONIOENCODING": "ascii"})
    assert (code, out) == (2, "") and err.isascii() and "\x1b" not in err and r"\u65e5\u672c\udcff" in err


def test_usage_in_several_lines_stays_so(call):
    code, _, err = call(sys.executable, ROOT / "cli.py", "export")
    lines = err.splitlines()
    assert code == 2 and lines[0].startswith("Usage: ") and "Error: Missing option '--format'. Choose from:" in lines
    assert [line.strip(" ,") for line in lines[-4:]] == ["onnx", "litert", "saved-model", "web"]


def test_other_programs_settings_of_keras_are_not_ours(call, tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float64", "epsilon": 3}')
    code = """if True:
        import gc, os, sys
        gc.disable()
        from ganime import cli
        sys.meta_path.insert(0, cli.AroundImport("keras", cli._own_keras))
        import keras
        print(keras.config.image_data_format(), keras.config.floatx(), os.environ["KERAS_HOME"], os.environ["KERAS_MAX_EPOCHS"])
        gc.freeze()
    """  # the search for garbage takes a quarter of an import's time
    settings = {"KERAS_HOME": str(tmp_path), "KERAS_MAX_EPOCHS": "none"}
    assert call(sys.executable, "-c", code, env=settings) == (0, f"channels_last float32 {tmp_path} none\n", "")


def test_a_folder_that_is_gone_is_said(call, tmp_path):
    if os.name != "posix":
        pytest.skip("a current folder cannot be deleted")
    gone = tmp_path / "gone"
    gone.mkdir()
    code, _, err = call("sh", "-c", 'rmdir "$PWD" && "$@"', "sh", sys.executable, ROOT / "cli.py", "runs", cwd=gone)
    assert (code, err) == (1, "Error: the current folder is gone; change to one that is there\n")


def test_a_signal_after_the_end_does_not_change_the_exit_code():
    """Python gives up its own handlers before it tidies up."""
    code = """
import os, signal, sys
class Late:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGINT):
        kill(process, number)
sys.late = Late()
sys.argv = ["ganime", "--version"]
from ganime.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
