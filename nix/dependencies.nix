# What pyproject.toml names as dependencies and in the extras `index`, `aws`, `web` and `mcp`, from a set of
# Python packages. nixpkgs lacks what serves a Lambda function alone (mangum).
python: [
  python.boto3
  python.brotli
  python.click
  python.duckdb
  python.duckdb-extension-fts
  python.duckdb-extension-vss
  python.httpx
  python.jinja2
  python.mcp
  python.msgspec
  python.numpy
  python.packaging
  python.platformdirs
  python.prometheus-client
  python.pyarrow
  python.pydantic
  python.rich
  python.starlette
  python.uvicorn
  python.zstandard
]
