"""``python -m bananasd``: the same as the command ``bananasd``."""

from .cli import main

if __name__ == "__main__":
    main()
