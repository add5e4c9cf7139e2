"""The catalogue a channel publishes: `CHANNEL/packages.json.br`, and `git-revision` beside it."""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from fdnix.download import apart, cause, downloaded, short_text
from fdnix.errors import SourceError
from fdnix.nixpkgs.sources.source import Fetched, Unchanged, nixpkgs_file, tarball

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.download import Auth, Download
    from fdnix.nixpkgs.sources.source import Work

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REVISION = re.compile(r"[0-9a-f]{40}")
_REVISION_SECONDS = 30.0


@dataclass(frozen=True)
class Channel:
    """The channel called `name` under `base_url`; `known_etag` is of the catalogue had from it."""

    name: str
    base_url: str
    known_etag: str | None = None

    @contextmanager
    def fetch(self, work: Work) -> Iterator[Fetched | Unchanged]:
        """Yield the catalogue, downloaded, or `Unchanged` if its ETag is `known_etag`.

        Raises:
            SourceError: The channel's name or URL is wrong, the server refused, or it kept
                failing.
        """
        url, auth = _catalogue_url(self.base_url, self.name)
        wanted = nixpkgs_file(
            url,
            auth,
            absent=f"there is no channel {self.name!r}",
            correct="correct NIXPKGS_CHANNEL (such as nixpkgs-unstable or nixos-26.05) or "
            "NIXPKGS_CHANNEL_URL",
            instead="set NIXPKGS_SOURCE to nixpkgs or to a file",
            known_etag=self.known_etag,
        )
        path = work.directory / f"{self.name}.packages.json.br.part"
        with downloaded(wanted, path, work.limits, work.progress) as answer:
            if answer.unchanged:
                yield Unchanged(self.name, self.known_etag or "")
                return
            # Beside the catalogue, as the revision is. The password for the channel's host is no
            # other host's business.
            tree = answer.url.join("nixexprs.tar.xz")
            yield Fetched(
                path=answer.path,
                source="channel",
                channel=self.name,
                revision=_revision(answer, url, auth),
                etag=answer.etag,
                tree=tarball(tree, auth if tree.netloc == url.netloc else None),
            )


def _catalogue_url(base_url: str, channel: str) -> tuple[httpx.URL, Auth | None]:
    """Return the catalogue's URL, and apart from it (for no log to show) the user and password."""
    if not _NAME.fullmatch(channel):
        raise SourceError(
            f"NIXPKGS_CHANNEL is {channel!r}, which is no channel's name; "
            "give one such as nixpkgs-unstable or nixos-26.05"
        )
    try:
        base = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise SourceError(f"NIXPKGS_CHANNEL_URL is no URL: {error}") from error
    if base.scheme not in {"http", "https"} or not base.host:
        raise SourceError(
            "NIXPKGS_CHANNEL_URL must be an http or https URL, such as https://channels.nixos.org"
        )
    base, auth = apart(base)
    path = f"{base.path.rstrip('/')}/{channel}/packages.json.br"
    return base.copy_with(path=path), auth


def _revision(catalogue: Download, url: httpx.URL, auth: Auth | None) -> str | None:
    """Return the git revision of the catalogue just downloaded, or None if it cannot be had.

    A channel's URL redirects to the release it stands at. Asking beside the final URL first gets
    the revision of that release even if the channel has moved on since.
    """
    deadline = min(catalogue.deadline, time.monotonic() + _REVISION_SECONDS)
    for place in dict.fromkeys((catalogue.url.join("git-revision"), url.join("git-revision"))):
        # The password for the channel's host is no other host's business.
        own = auth if place.netloc == url.netloc else None
        try:
            answer, revision = short_text(catalogue.client, place, deadline, auth=own)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            logger.warning("%s: %s", url.join("git-revision"), cause(error))
            continue
        if answer.is_success and _REVISION.fullmatch(revision):
            return revision
    return None
