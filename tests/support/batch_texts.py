"""Texts to embed, and what their embedding leaves in S3."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Pending = list[tuple[str, str]]


def texts(count: int, start: int = 0) -> Pending:
    """Distinct texts with the hashes of their bytes, in the order that a run takes them."""
    words = ["viewer", "compiler", "font", "shell", "database", "library", "game"]
    numbers = range(start, start + count)
    made = [f"package {n}: a {words[n % 7]} for {words[n % 5]}s" for n in numbers]
    return sorted((hashlib.blake2b(t.encode(), digest_size=16).hexdigest(), t) for t in made)


def keys(s3: S3Client, bucket: str) -> list[str]:
    """The keys of all objects in a bucket but the finished vectors, which stay."""
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return [key for key in listed if "/vectors/" not in key]
