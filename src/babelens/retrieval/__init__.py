"""Pure functions on queries, ids and scores: parsing, filters, fusion, calibration."""
