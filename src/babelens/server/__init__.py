"""The HTTP service: an API, the web page, metrics, and tools for assistants, over collections that are read only.

``app`` puts the parts together, ``service`` is the only module that touches a :class:`~babelens.Collection`, and
``routes`` holds the handlers. Nothing here is imported before ``babelens serve`` runs.
"""

from .app import create_app
from .service import Handle, Service
from .settings import Settings

__all__ = ["Handle", "Service", "Settings", "create_app"]
