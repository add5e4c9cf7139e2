"""What Amazon Titan Text Embeddings V2 takes and gives.

Request and response forms, and the limits of 50,000 characters and 8,192 tokens, are those of
"Amazon Titan Text Embeddings models" in the Amazon Bedrock user guide.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CHARACTERS = 50_000
MAX_TOKENS = 8_192
USD_PER_MILLION_TOKENS = {"amazon.titan-embed-text-v2:0": 0.02}
"""On demand, in us-east-1 (Amazon Bedrock pricing)."""
BATCH_DISCOUNT = 0.5
"""What batch inference costs, as a share of the price on demand (Amazon Bedrock pricing)."""

# Titan's tokenizer is not public. A byte-level tokenizer takes at most one token a byte; at three
# bytes a token, with each word and each sign on its own, prose comes out at about twice what it is.
_BYTES_PER_TOKEN = 3
_MAX_UTF8_BYTES = 4
_CHARACTERS_PER_TOKEN = 4.7

_PIECE = re.compile(r"\w+|[^\w\s]")


class VectorError(ValueError):
    """An answer holds no usable vector; the message says why."""


class Output(msgspec.Struct, frozen=True, rename="camel"):
    """The model's answer; `embedding` where it is there, else `embeddingsByType.float`."""

    embedding: list[float] | None = None
    embeddings_by_type: msgspec.Raw = msgspec.Raw(b"{}")


class _ByType(msgspec.Struct, frozen=True):
    values: list[float] = msgspec.field(name="float")


def request(text: str, dimensions: int) -> dict[str, Any]:
    """The model input that asks for the unit vector of `text`, cut to the model's limits."""
    return {"inputText": cut(text), "dimensions": dimensions, "normalize": True}


def cut(text: str) -> str:
    """`text`, or as many of its first words as surely fit the model."""
    if len(text) <= MAX_TOKENS // _MAX_UTF8_BYTES:
        return text
    room = MAX_TOKENS
    end = 0
    for piece in _PIECE.finditer(text, 0, MAX_CHARACTERS):
        room -= -(-len(piece.group().encode()) // _BYTES_PER_TOKEN)
        if room < 0:
            break
        end = piece.end()
    rest = text[end:]
    if not rest.strip() and len(text) <= MAX_CHARACTERS:
        return text
    head = text[:end]
    if rest[:1].strip():
        words = head.rsplit(maxsplit=1)
        head = words[0] if len(words) > 1 else ""
    return head or text.encode()[: MAX_TOKENS * _BYTES_PER_TOKEN].decode(errors="ignore")


def vector(output: Output, dimensions: int) -> NDArray[np.float32]:
    """The unit vector of an answer, shape (dimensions,).

    Raises:
        VectorError: when there is none, or it is too short, too long, not finite, or zero.
    """
    values = output.embedding
    if values is None:
        try:
            values = msgspec.json.decode(output.embeddings_by_type, type=_ByType).values
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise VectorError("the answer holds no embedding") from error
    if len(values) != dimensions:
        raise VectorError(f"the vector has {len(values)} dimensions instead of {dimensions}")
    length = math.hypot(*values)
    if not math.isfinite(length):
        raise VectorError("the vector is not finite")
    if length == 0:
        raise VectorError("the vector is zero")
    return (np.array(values, dtype=np.float64) / length).astype(np.float32)


def tokens(text: str) -> int:
    """About how many tokens `text` has.

    The Amazon Bedrock user guide gives 4.7 characters a token for Titan and English.
    """
    return max(1, round(min(len(text), MAX_CHARACTERS) / _CHARACTERS_PER_TOKEN))
