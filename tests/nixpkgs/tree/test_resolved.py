"""What a tree says of a name belongs to the package that the name stands for."""

from __future__ import annotations

from fdnix.nixpkgs.tree import Alias, Tree, Usage, resolved

PACKAGES = {"python313", "python313Packages.requests", "nodejs_22", "vim", "kept"}
TREE = Tree(
    source="path",
    usage={
        "python3": Usage(modules=2, tests=1),
        "python313": Usage(modules=1),
        "python3Packages.requests": Usage(doc=1),
        "gone": Usage(modules=5),
        "round": Usage(modules=5),
        "unknown": Usage(modules=5),
    },
    usage_texts={"python3": ("a language", "shared"), "python313": ("own", "shared")},
    programs={"nodejs": ("node", "npm"), "vim": ("vim",)},
    listed_programs={"python": ("python3",)},
    aliases=(
        Alias("python", "python3", None),
        Alias("python3", "python313", None),
        Alias("python3Packages", "python313Packages", None),
        Alias("nodejs", "nodejs_22", "use a version"),
        Alias("gone", None, "was removed"),
        Alias("round", "about", None),
        Alias("about", "round", None),
        Alias("kept", "vim", "is a package too"),
    ),
)


def test_what_is_said_of_an_alias_counts_for_its_package_through_other_aliases() -> None:
    tree = resolved(TREE, PACKAGES)
    assert tree.usage == {
        "python313": Usage(modules=3, tests=1),
        "python313Packages.requests": Usage(doc=1),
    }
    assert tree.programs == {"nodejs_22": ("node", "npm"), "vim": ("vim",)}
    assert tree.listed_programs == {"python313": ("python3",)}


def test_a_packages_own_texts_come_before_those_of_its_aliases_and_each_once() -> None:
    assert resolved(TREE, PACKAGES).usage_texts == {"python313": ("own", "shared", "a language")}


def test_aliases_lead_to_packages_and_are_none_themselves() -> None:
    assert resolved(TREE, PACKAGES).aliases == (
        Alias("python", "python313", None),
        Alias("python3", "python313", None),
        Alias("python3Packages", "python313Packages", None),
        Alias("nodejs", "nodejs_22", "use a version"),
        Alias("gone", None, "was removed"),
        Alias("round", "about", None),
        Alias("about", "round", None),
    )
