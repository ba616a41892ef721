"""The program, by whichever name: `ganime …`, `python -m ganime …` or, from a checkout, `python cli.py …`."""

from ganime.commands.process import interrupt, on_signals


def main():
    """Run the command line (`ganime.cli.main`), whose import may be interrupted too."""
    on_signals(interrupt)
    from ganime.cli import main

    main()


if __name__ == "__main__":
    main()
