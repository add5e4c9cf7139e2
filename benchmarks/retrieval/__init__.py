"""Measuring how well search engines answer package queries: queries, scores, engines."""
