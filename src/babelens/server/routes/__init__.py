"""The handlers: each reads a request, asks the service, and renders what comes back."""
