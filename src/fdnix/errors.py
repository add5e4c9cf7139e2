"""The errors a user can meet, each with the exit code the process ends with."""

from __future__ import annotations

from typing import ClassVar


class FdnixError(Exception):
    """A failure with a message for the user; the message says cause and remedy."""

    exit_code: ClassVar[int] = 1


class SettingsError(FdnixError):
    """A setting or an argument is wrong or missing."""

    exit_code = 2


class SourceError(FdnixError):
    """The catalogue could not be had from its source."""

    exit_code = 3


class DataError(FdnixError):
    """The data, or a database file, was refused."""

    exit_code = 4


class AwsError(FdnixError):
    """AWS refused or failed."""

    exit_code = 5


class UnfinishedError(FdnixError):
    """Work goes on elsewhere; nothing is lost, and the same command goes on with it."""

    exit_code = 75
