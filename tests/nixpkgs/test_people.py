from __future__ import annotations

import json

import pytest

from fdnix.nixpkgs.people import Maintainer, read_maintainers, read_teams


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("value", "maintainer"),
    [
        ("Ann Lee <ann@example.org>", Maintainer(name="Ann Lee", email="ann@example.org")),
        ("ann@example.org", Maintainer(email="ann@example.org")),
        ("ann", Maintainer(name="ann")),
        ({"name": "Ann", "githubId": "7"}, Maintainer(name="Ann", github_id=7)),
        ({"matrix": "@ann:example.org"}, Maintainer(matrix="@ann:example.org")),
    ],
)
def test_forms_of_maintainers(value: object, maintainer: Maintainer) -> None:
    assert read_maintainers(_json([value, value])) == (maintainer,)
    assert read_maintainers(_json(value)) == (maintainer,)


def test_forms_of_teams() -> None:
    assert read_teams(_json(["a", {"shortName": "b", "members": [{}]}])) == ("a", "b")
    assert read_teams(_json({"github": "c"})) == ("c",)


@pytest.mark.parametrize("nobody", [[], [{}], [""], {"name": " "}])
def test_nobody_is_no_maintainer(nobody: object) -> None:
    assert read_maintainers(_json(nobody)) == ()
