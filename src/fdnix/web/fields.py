"""What the page of a package shows: one row a field, in this order."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field.

    Attributes:
        name: of the attribute of `fdnix.search.package.Package`.
        label: what the page calls it.
        form: how it is shown, a macro of parts.html.
    """

    name: str
    label: str
    form: str = "text"


FIELDS = (
    Field("version", "Version", "code"),
    Field("license", "Licence", "license"),
    Field("homepage", "Home page", "homepage"),
    Field("main_program", "Main program", "code"),
    Field("attribute_set", "Attribute set", "set"),
    Field("pname", "Package name", "code"),
    Field("platforms", "Platforms", "platforms"),
    Field("maintainers", "Maintainers", "maintainers"),
    Field("position", "Source", "source"),
)
