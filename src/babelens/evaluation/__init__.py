"""What is measured on a collection, written down: tables, plots and reports."""
