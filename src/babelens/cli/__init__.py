"""The command line: parses, calls the library, prints. See :mod:`babelens.cli.app`."""
