"""``python -m mgc``."""

from mgc.cli.app import main

if __name__ == "__main__":
    main()
