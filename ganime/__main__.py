"""The program, by whichever name: `ganime …`, `python -m ganime …` or, from a checkout, `python cli.py …`."""

import atexit
import signal

from ganime.commands.process import interrupt, on_signals


def main():
    """Run the command line (`ganime.cli.main`), whose import may be interrupted too."""
    atexit.register(on_signals, signal.SIG_IGN)  # the last thing: when all is done, Python would die of one, whatever its code
    on_signals(interrupt)
    from ganime.cli import main

    main()


if __name__ == "__main__":
    main()
