"""What the page of a package shows: one row a field, in this order."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field.

    Attributes:
        name: of the attribute of `fdnix.search.package.Package`.
        label: what the page calls it.
        form: how it is shown, a macro of parts.html.
        always: whether it is shown where it is empty, too.
    """

    name: str
    label: str
    form: str = "text"
    always: bool = False


FIELDS = (
    Field("version", "Version", "code"),
    Field("license", "Licence", "license"),
    Field("homepage", "Home page", "homepage"),
    Field("main_program", "Main program", "code"),
    Field("programs", "Programs", "codes"),
    Field("aliases", "Also called", "codes"),
    Field("attribute_set", "Attribute set", "set"),
    Field("pname", "Package name", "code"),
    Field("platforms", "Platforms", "platforms", always=True),
    Field("popularity", "Popularity", "popularity"),
    Field("maintainers", "Maintainers", "maintainers"),
    Field("position", "Source", "source"),
)
