from __future__ import annotations

import json

import pytest

from fdnix.nixpkgs.people import Maintainer, read_maintainers, read_teams, read_teams_among


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


_ADA = {"name": "Ada", "github": "ada"}
_BOB = {"name": "Bob"}
_TEAM = {"members": [_BOB], "scope": "Look after it", "shortName": "Example"}


def test_people_in_lists_of_lists_are_people() -> None:
    ada, bob = Maintainer(name="Ada", github="ada"), Maintainer(name="Bob")
    assert read_maintainers(_json([_ADA, [_BOB, [_ADA]], []])) == (ada, bob)
    assert read_teams(_json([["a"], [[_TEAM]]])) == ("a", "Example")


@pytest.mark.parametrize(
    "among", [_TEAM, [_TEAM], [[_TEAM]], [_BOB, {**_TEAM, "members": [_TEAM]}]]
)
def test_a_team_among_the_maintainers_is_its_members_and_a_team(among: object) -> None:
    assert read_maintainers(_json(among)) == (Maintainer(name="Bob"),)
    assert read_teams_among(_json(among)) == ("Example",)


def test_teams_without_a_name_or_members_are_nothing() -> None:
    assert read_maintainers(_json([{"members": None}, {"members": []}])) == ()
    assert read_teams_among(_json([{"members": [_ADA]}, _ADA])) == ()


@pytest.mark.parametrize("nobody", [[], [{}], [""], {"name": " "}])
def test_nobody_is_no_maintainer(nobody: object) -> None:
    assert read_maintainers(_json(nobody)) == ()
