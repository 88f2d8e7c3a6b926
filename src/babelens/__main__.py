"""``python -m babelens``: the same as the ``babelens`` command."""

from .cli.app import main

main()
