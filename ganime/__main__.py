"""`python -m ganime …`: the same program as `ganime …`."""

from ganime.cli import main

if __name__ == "__main__":
    main()
