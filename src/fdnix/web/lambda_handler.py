"""The pages and the API as a Lambda function, over the database in its layer.

`fdnix.web.lambda_handler.handler` takes the events of function URLs, HTTP APIs and REST APIs.
"""

from __future__ import annotations

import os
from pathlib import Path

from mangum import Mangum

from fdnix.web.app import create_app
from fdnix.web.service import Service

# Opened while the function starts, which Lambda gives a whole processor for. A function answers one
# request at a time.
_service = Service(Path(os.environ.get("FDNIX_DB") or "/opt/fdnix/fdnix.duckdb"), workers=1)
handler = Mangum(create_app(_service), lifespan="off")
