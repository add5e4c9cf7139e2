"""What DuckDB holds: the full and the minified database."""
