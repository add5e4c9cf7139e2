r"""Make the local embedding model: distil a sentence transformer into one vector a token.

    pip install tokenizers torch transformers
    PYTHONPATH=tools python -m static_model.train fdnix-data.duckdb MiniLM-FOLDER OUT \
        --python pypi.tsv --others npm.tsv

docs/model.md says what is learned from what, and why. A teacher's vectors are kept beside OUT, so
that a second run with the same texts starts where they are done.
"""

from __future__ import annotations

import hashlib
import string
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import tokenizers
import torch
from static_model.corpus import packages, pairs, phrases, read_summaries, texts
from static_model.files import write_model
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import WordPieceTrainer
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel

from fdnix.embedding.tokenizer import LONGEST_PIECE, Tokenizer, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from static_model.corpus import Pair

DIMENSIONS = 256
VOCABULARY = 40_000
MIN_FREQUENCY = 3
SIF = 1e-3
"""Of smooth inverse frequency (Arora, Liang, Ma, ICLR 2017): where a token's vector starts."""

BATCH = 2048
DISTIL_EPOCHS, DISTIL_RATE = 2, 2e-3
TUNE_EPOCHS, TUNE_RATE, TUNE_BATCH = 4, 1e-3, 1024
TEMPERATURE = 0.1
MIN_NAMESAKE_COSINE = 0.35
"""Below it, two texts of one name are taken for texts on two projects."""

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("database", type=_FILE)
@click.argument("teacher", type=_FOLDER)
@click.argument("out", type=_FOLDER)
@click.option("--python", "python_file", type=_FILE, required=True, help="Summaries on PyPI.")
@click.option("--others", "other_files", type=_FILE, multiple=True, help="Other registries.")
def main(
    *, database: Path, teacher: Path, out: Path, python_file: Path, other_files: tuple[Path, ...]
) -> None:
    """Write the model to OUT from the full DATABASE, the TEACHER's folder and summaries."""
    torch.manual_seed(0)
    catalogue = packages(database)
    python = read_summaries(python_file)
    others = [read_summaries(path) for path in other_files]
    learned = texts(catalogue, [python, *others])
    teach = Teacher(teacher, out.parent)

    taught = teach.vectors(learned)
    to_student = _principal_directions(taught)
    targets = taught @ to_student
    tokenizer = Tokenizer(_tokens(learned))
    student = Student(tokenizer, _first_vectors(tokenizer, teach, learned) @ to_student)
    student.distil(learned, targets)

    found = _on_one_project(pairs(catalogue, python, others), teach)
    student.tune(found, learned, targets)
    student.save(out)
    click.echo(
        f"{len(learned):,} texts, {len(found):,} pairs, {len(tokenizer.numbers):,} tokens: {out}"
    )


class Teacher:
    """A sentence transformer that takes the mean of its last layer, such as all-MiniLM-L6-v2."""

    def __init__(self, folder: Path, cache: Path) -> None:
        """Load the model in `folder`; vectors are kept in `cache`."""
        self._cache = cache
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(128)
        self._model = AutoModel.from_pretrained(folder).eval().to(torch.bfloat16)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (n, the teacher's dimensions); kept in a file for the next time."""
        digest = hashlib.blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()
        path = self._cache / f"teacher-{digest}.npy"
        if not path.exists():
            np.save(path, self._embed(texts).astype(np.float16))
        vectors: NDArray[np.float32] = np.load(path).astype(np.float32)
        return vectors

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = np.empty((len(ids), self._model.config.hidden_size), dtype=np.float32)
        with click.progressbar(length=len(ids), label="teacher") as bar, torch.inference_mode():
            for start in range(0, len(order), 256):
                batch = order[start : start + 256]
                padded = torch.nn.utils.rnn.pad_sequence(
                    [torch.tensor(ids[i]) for i in batch], batch_first=True
                )
                lengths = torch.tensor([len(ids[i]) for i in batch])
                mask = (torch.arange(padded.shape[1]) < lengths[:, None]).long()
                last = self._model(input_ids=padded, attention_mask=mask).last_hidden_state.float()
                means = (last * mask[:, :, None]).sum(1) / lengths[:, None]
                vectors[batch] = normalize(means, dim=1).numpy()
                bar.update(len(batch))
        return vectors


class Student:
    """A vector a token; a text's vector is the sum of its tokens', scaled to unit length."""

    def __init__(self, tokenizer: Tokenizer, vectors: NDArray[np.float32]) -> None:
        """Start from a vector for each of the tokenizer's tokens, shape (tokens, 256)."""
        self._tokenizer = tokenizer
        self._bag = torch.nn.EmbeddingBag.from_pretrained(
            torch.from_numpy(vectors), freeze=False, mode="sum"
        )

    def distil(self, learned: Sequence[str], targets: NDArray[np.float32]) -> None:
        """Turn the texts' vectors towards the teacher's."""
        encoded = self._encode(learned)
        steps = DISTIL_EPOCHS * (len(learned) // BATCH)
        optimizer = torch.optim.Adam(self._bag.parameters(), lr=DISTIL_RATE)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: max(0.02, 1 - step / steps) * min(1, (step + 1) / 100)
        )
        for _ in range(DISTIL_EPOCHS):
            for batch in _batches(len(learned), BATCH):
                loss = self._distance(encoded, targets, batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            click.echo(f"distilled: 1 - cosine {loss.item():.3f}")

    def tune(
        self, found: Sequence[Pair], learned: Sequence[str], targets: NDArray[np.float32]
    ) -> None:
        """Tell each pair's document from the other documents of its batch, and stay near."""
        asked = self._encode([pair.asked for pair in found])
        documents = self._encode([pair.document for pair in found])
        encoded = self._encode(learned)
        optimizer = torch.optim.Adam(self._bag.parameters(), lr=TUNE_RATE)
        for _ in range(TUNE_EPOCHS):
            for batch in _batches(len(found), TUNE_BATCH):
                cosines = self._embed(asked, batch) @ self._embed(documents, batch).T
                own = torch.arange(len(batch))
                loss = (
                    cross_entropy(cosines / TEMPERATURE, own)
                    + cross_entropy(cosines.T / TEMPERATURE, own)
                ) / 2
                some = torch.randint(len(learned), (BATCH,)).numpy()
                total = loss + self._distance(encoded, targets, some)
                optimizer.zero_grad()
                total.backward()
                optimizer.step()
            click.echo(f"tuned: contrastive loss {loss.item():.3f}")

    def save(self, folder: Path) -> None:
        """Write the model as fdnix reads it."""
        write_model(folder, list(self._tokenizer.numbers), self._bag.weight.detach().numpy())

    def _distance(
        self,
        encoded: Sequence[Sequence[int]],
        targets: NDArray[np.float32],
        batch: NDArray[np.int64],
    ) -> torch.Tensor:
        wanted = normalize(torch.from_numpy(targets[batch]), dim=1)
        return (1 - (self._embed(encoded, batch) * wanted).sum(1)).mean()

    def _embed(self, encoded: Sequence[Sequence[int]], batch: NDArray[np.int64]) -> torch.Tensor:
        chosen = [encoded[i] for i in batch]
        starts = np.cumsum([0, *(len(ids) for ids in chosen[:-1])])
        flat = torch.tensor([token for ids in chosen for token in ids])
        return normalize(self._bag(flat, torch.from_numpy(starts)), dim=1)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._tokenizer.encode(text) for text in texts]


def _batches(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    shuffled = torch.randperm(count).numpy()
    for start in range(0, count - size + 1, size):
        yield shuffled[start : start + size]


def _tokens(learned: Sequence[str]) -> list[str]:
    """Words and parts of words that the texts are made of, and whole phrases, sorted."""
    wordpiece = tokenizers.Tokenizer(WordPiece())
    wordpiece.pre_tokenizer = WhitespaceSplit()
    trainer = WordPieceTrainer(vocab_size=VOCABULARY, min_frequency=MIN_FREQUENCY)
    wordpiece.train_from_iterator((" ".join(units(text)) for text in learned), trainer)
    pieces = {
        token for token in wordpiece.get_vocab() if len(token.removeprefix("##")) <= LONGEST_PIECE
    }
    alphabet = string.ascii_lowercase + string.digits
    always = {*alphabet, *(f"##{character}" for character in alphabet), *string.punctuation}
    return sorted(pieces | always | {*phrases(learned)})


def _first_vectors(
    tokenizer: Tokenizer, teacher: Teacher, learned: Sequence[str]
) -> NDArray[np.float32]:
    """What the teacher makes of each token alone, the commoner the shorter."""
    tokens = list(tokenizer.numbers)
    counts = np.zeros(len(tokens), dtype=np.float32)
    for text in learned:
        np.add.at(counts, tokenizer.encode(text), 1)
    weights = SIF / (SIF + counts / counts.sum())
    alone = teacher.vectors([token.replace("##", "") for token in tokens])
    first: NDArray[np.float32] = alone * weights[:, None]
    return first


def _principal_directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The directions that keep most of the vectors' lengths, shape (teacher's, 256)."""
    some = vectors[:: len(vectors) // 100_000 + 1]
    directions, _, _ = np.linalg.svd(some.T @ some)
    kept: NDArray[np.float32] = directions[:, :DIMENSIONS].astype(np.float32)
    return kept


def _on_one_project(found: Sequence[Pair], teacher: Teacher) -> list[Pair]:
    asked = teacher.vectors([pair.asked for pair in found])
    documents = teacher.vectors([pair.document for pair in found])
    cosines = (asked * documents).sum(axis=1)
    return [
        pair
        for pair, cosine in zip(found, cosines, strict=True)
        if cosine > MIN_NAMESAKE_COSINE or not pair.namesake
    ]


if __name__ == "__main__":
    main()
