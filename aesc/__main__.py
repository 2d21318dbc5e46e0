"""``python -m aesc`` is the ``aesc`` command."""

from aesc.cli import main

main()
