"""What went wrong with a request, as RFC 9457 has it told."""

from __future__ import annotations

from http import HTTPStatus


class Problem(Exception):  # noqa: N818 (RFC 9457's word)
    """A request that gets no answer.

    Attributes:
        status: the HTTP status.
        detail: what is wrong, and what to do.
        retry_after: seconds until it may be worth to ask again; None where it is not.
        location: the path to ask for instead; None where there is none.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after: int | None = None,
        location: str | None = None,
    ) -> None:
        """Tell what is wrong."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.location = location

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.location is not None:
            headers["Location"] = self.location
        return headers

    def document(self) -> dict[str, str | int]:
        """The members of the problem details object."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }


def refused(name: str, given: str, wanted: str) -> Problem:
    """That the value given for the parameter `name` is not what is wanted."""
    return Problem(400, f"{name}: {given[:50]!r} is not accepted; {wanted} is")


def whole_number(name: str, given: str, least: int, most: int) -> int:
    """The number given for the parameter `name`, written without sign, blank and underscore.

    Raises:
        Problem: it is no such number, or not from `least` to `most`.
    """
    digits = given.isascii() and given.isdigit() and len(given) <= len(str(most))
    if not (digits and least <= int(given) <= most):
        raise refused(name, given, f"a whole number from {least} to {most}")
    return int(given)
