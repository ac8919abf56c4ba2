"""`python -m ralign` is `ralign`."""

from ralign.cli import main

if __name__ == "__main__":
    main()
