# What pyproject.toml names as dependencies and in the extras `index` and `aws`, from a set of Python packages.
python: [
  python.boto3
  python.brotli
  python.click
  python.duckdb
  python.duckdb-extension-fts
  python.duckdb-extension-vss
  python.httpx
  python.msgspec
  python.numpy
  python.packaging
  python.platformdirs
  python.pyarrow
  python.pydantic
  python.rich
  python.zstandard
]
