"""``python -m dsfactory``: the command line."""

from dsfactory.cli.main import main

if __name__ == "__main__":
    main()
