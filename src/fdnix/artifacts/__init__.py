"""Finished databases where others use them: in S3, and in a Lambda layer."""
