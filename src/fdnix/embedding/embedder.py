"""What turns texts into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Embedder(Protocol):
    """A model that embeds texts, at once and in this process's time."""

    @property
    def provider(self) -> str:
        """`local` or `bedrock`."""
        ...

    @property
    def model(self) -> str:
        """The model's name. Vectors of different models are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length for `texts`, shape (n, dimensions), in their order."""
        ...
