"""The search in a browser and for programs: pages, an HTTP API, a Lambda function."""
