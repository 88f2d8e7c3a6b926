"""The web page: rendered here, with a little JavaScript that it can do without.

``language.py`` chooses the language and speaks it, ``query.py`` is a search as an address, ``tiles.py`` and
``details.py`` say what is shown, ``routes.py`` answers, ``failing.py`` says what went wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


def install(app: FastAPI) -> None:
    """Adds the pages to an application whose state has a service and settings."""
    from . import routes
    from .failing import problem_page
    from .pictures import KeptPictures

    app.state.pictures = KeptPictures()
    app.state.problem_page = problem_page
    app.include_router(routes.router)
