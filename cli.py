"""`python cli.py …` from a checkout; once installed, the same program is `ganime …`."""

from ganime.__main__ import main

if __name__ == "__main__":
    main()
