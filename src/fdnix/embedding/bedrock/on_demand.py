"""Vectors from Bedrock on demand: one InvokeModel call a text."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fdnix.aws import aws_client, error_code, explained
from fdnix.embedding.bedrock import titan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from numpy.typing import NDArray

WORKERS = 8
"""Calls at once; throttling is met by boto3's adaptive retries, which slow all of them down."""

# What InvokeModel answers about one input rather than about the model, the account or the network.
_OF_THE_TEXT = frozenset({"ValidationException", "ModelErrorException", "ModelTimeoutException"})


class BedrockEmbedder:
    """An `Embedder` that asks Bedrock for one text at a time: for queries, not for a catalogue."""

    provider = "bedrock"

    def __init__(self, *, model: str, dimensions: int, region: str | None) -> None:
        """Connect to the runtime in `region`; no call is made yet.

        Raises:
            SettingsError: when `region` is not set, or boto3 is not installed.
        """
        self.model = model
        self.dimensions = dimensions
        self._client = aws_client("bedrock-runtime", region)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of `texts`, in their order, shape (n, dimensions).

        Raises:
            AwsError: when Bedrock refuses one of them.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        with ThreadPoolExecutor(WORKERS) as pool:
            for row, answer in enumerate(pool.map(self._embed, texts)):
                vectors[row] = answer
        return vectors

    def _embed(self, text: str) -> NDArray[np.float32]:
        with explained(f"embed a text with {self.model}"):
            return read_answer(
                invoke(self._client, self.model, text, self.dimensions), self.dimensions
            )


def invoke(client: BedrockRuntimeClient, model: str, text: str, dimensions: int) -> bytes:
    """The model's answer to one text, as the JSON document it sends."""
    answer = client.invoke_model(
        modelId=model,
        contentType="application/json",
        accept="application/json",
        body=msgspec.json.encode(titan.request(text, dimensions)),
    )
    return answer["body"].read()


def read_answer(answer: bytes, dimensions: int) -> NDArray[np.float32]:
    """The unit vector of an InvokeModel answer.

    Raises:
        VectorError: when it holds no usable one.
    """
    try:
        output = msgspec.json.decode(answer, type=titan.Output)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise titan.VectorError(f"the answer cannot be read: {error}") from error
    return titan.vector(output, dimensions)


def invoke_each(
    client: BedrockRuntimeClient,
    model: str,
    texts: Iterable[tuple[str, str]],
    dimensions: int,
    *,
    keep: Callable[[str, bytes], None],
) -> Iterator[tuple[str, bytes | str]]:
    """For each (key, text): the key with the model's answer, or with why there is none (a str).

    Args:
        client: the runtime to ask.
        model: the model's id.
        texts: keys and texts, in any number.
        dimensions: of the vectors asked for.
        keep: called with key and answer by the thread that got it, so that an answer that was
            paid for is safe even if another text ends the iteration.

    Raises:
        AwsError: for what is wrong with more than one text, such as a denied access.
    """

    def ask(item: tuple[str, str]) -> tuple[str, bytes | str]:
        key, text = item
        try:
            answer = invoke(client, model, text, dimensions)
        except client.exceptions.ClientError as error:
            if error_code(error) not in _OF_THE_TEXT:
                raise
            return key, str(error)
        keep(key, answer)
        return key, answer

    with ThreadPoolExecutor(WORKERS) as pool, explained(f"embed on demand with {model}"):
        yield from pool.map(ask, texts)
