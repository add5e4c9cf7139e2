"""Search over the minified database."""
