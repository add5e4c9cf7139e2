"""Vectors on demand, as a search with a Bedrock index needs them for its queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fdnix.embedding.bedrock.on_demand import BedrockEmbedder
from fdnix.errors import AwsError, SettingsError
from support.aws import REGION
from support.bedrock_server import MODEL, embed

if TYPE_CHECKING:
    from fdnix.embedding.backend import Embedder
    from support.bedrock_server import BedrockServer


def test_vectors_come_in_the_order_of_the_texts(bedrock: BedrockServer) -> None:
    embedder: Embedder = BedrockEmbedder(model=MODEL, dimensions=256, region=REGION)
    texts = [f"a tool for job {n}" for n in range(40)]
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, embed(texts, 256), atol=1e-6)


def test_no_texts_give_no_vectors(bedrock: BedrockServer) -> None:
    vectors = BedrockEmbedder(model=MODEL, dimensions=512, region=REGION).embed([])
    assert vectors.shape == (0, 512)


def test_a_model_without_granted_access_is_an_error_that_says_so(bedrock: BedrockServer) -> None:
    said = "You don't have access to the model with the specified model ID."
    bedrock.faults.refuse["InvokeModel"] = ("AccessDeniedException", said)
    with pytest.raises(AwsError, match="access to the model"):
        BedrockEmbedder(model=MODEL, dimensions=256, region=REGION).embed(["x"])


def test_a_missing_region_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        BedrockEmbedder(model=MODEL, dimensions=256, region=None)
