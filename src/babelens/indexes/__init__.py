"""Vector indexes: derived from the catalog, deletable at any time."""
