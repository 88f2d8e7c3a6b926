"""Side-by-side measurements; each prints a table and ratios taken in one run. ``python -m benchmarks`` runs them all.

A benchmark is a module here with a function ``run`` that takes those it needs of ``quick`` (seconds instead of
minutes), ``cache`` (a folder for what is dear to make; a second run is quicker) and ``largest`` (vectors or files).
"""
