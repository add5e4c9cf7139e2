"""The bundled sample is what `nix-env` could print, and shows every form nixpkgs uses."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Entry = dict[str, Any]
Meta = dict[str, Any]

TEXT = (resources.files("fdnix.nixpkgs") / "sample.json").read_text(encoding="utf-8")
SAMPLE: dict[str, Entry] = json.loads(TEXT)
FLAGS = ("available", "broken", "insecure", "unfree", "unsupported")
AREAS = {
    "shells": {"bash", "fish", "nushell", "zsh"},
    "editors": {"emacs", "helix", "neovim", "vim"},
    "browsers": {"chromium", "firefox", "qutebrowser"},
    "databases": {"duckdb", "postgresql_16", "postgresql_17", "postgresql_18", "sqlite"},
    "compilers": {"gcc", "ghc", "go", "rustc"},
    "fonts": {"fira-code", "noto-fonts"},
    "games": {"nethack", "supertuxkart", "wesnoth"},
    "file managers": {"lf", "nnn", "ranger", "yazi"},
    "search tools": {"fd", "fzf", "ripgrep"},
    "documents": {"evince", "mupdf", "pandoc", "texliveFull", "zathura"},
    "media": {"ffmpeg", "imagemagick", "libheif", "mpv"},
    "containers": {"docker", "docker-compose", "kubectl", "podman"},
    "backup": {"borgbackup", "restic"},
    "science and CAD": {"freecad", "gromacs", "kicad", "octave"},
}
ATTRIBUTE_SETS = {
    "emacsPackages": 3,
    "linuxPackages": 5,
    "nodePackages": 3,
    "perlPackages": 3,
    "python313Packages": 30,
    "python314Packages": 5,
    "vimPlugins": 3,
}


def license_nodes(value: Any) -> Iterator[Any]:
    """Every licence below `value`, compounds and exceptions included."""
    if isinstance(value, list):
        for part in value:
            yield from license_nodes(part)
    elif value is not None:
        yield value
        if isinstance(value, dict):
            yield from license_nodes(value.get("licenses"))
            yield from license_nodes(value.get("license"))


def has_license(predicate: Callable[[dict[str, Any]], bool]) -> Callable[[Meta], bool]:
    return lambda meta: any(
        isinstance(node, dict) and predicate(node) for node in license_nodes(meta.get("license"))
    )


def is_nested_compound(node: dict[str, Any]) -> bool:
    return any("licenses" in part for part in node.get("licenses", []))


def holds(key: str, kind: type) -> Callable[[Meta], bool]:
    return lambda meta: isinstance(meta.get(key), kind)


def has_part(key: str, predicate: Callable[[Any], bool]) -> Callable[[Meta], bool]:
    return lambda meta: any(predicate(part) for part in meta.get(key, ()))


def is_true(flag: str) -> Callable[[Meta], bool]:
    return lambda meta: meta.get(flag) is True


META_FORMS: dict[str, Callable[[Meta], bool]] = {
    "licence: object": holds("license", dict),
    "licence: list": has_part("license", lambda part: isinstance(part, dict)),
    "licence: plain string": holds("license", str),
    "licence: list with a plain string": lambda meta: (
        isinstance(meta.get("license"), list)
        and any(isinstance(part, str) for part in meta["license"])
    ),
    "licence: absent": lambda meta: "license" not in meta,
    "licence: empty list": lambda meta: meta.get("license") == [],
    "licence: compound AND": has_license(lambda node: node.get("operator") == "AND"),
    "licence: compound OR": has_license(lambda node: node.get("operator") == "OR"),
    "licence: compound in a compound": has_license(is_nested_compound),
    "licence: WITH exception": has_license(
        lambda node: node.get("operator") == "WITH" and {"license", "exception"} <= node.keys()
    ),
    "licence: only a full name": has_license(lambda node: node.keys() == {"fullName"}),
    "licence: only a URL": has_license(lambda node: node.keys() == {"url"}),
    "licence: SPDX id with a leading blank": has_license(
        lambda node: node.get("spdxId", "").startswith(" ")
    ),
    "licence: SPDX id unknown": has_license(lambda node: node.get("spdxId") == "unknown"),
    "homepage: string": holds("homepage", str),
    "homepage: list": holds("homepage", list),
    "homepage: absent": lambda meta: "homepage" not in meta,
    "changelog: string": holds("changelog", str),
    "changelog: list": holds("changelog", list),
    "platforms: absent": lambda meta: "platforms" not in meta,
    "platforms: system name": has_part("platforms", lambda part: isinstance(part, str)),
    "platforms: processor and kernel": has_part(
        "platforms", lambda part: isinstance(part, dict) and {"cpu", "kernel"} <= part.keys()
    ),
    "platforms: kernel alone": has_part(
        "platforms", lambda part: isinstance(part, dict) and part.keys() == {"kernel"}
    ),
    "platforms: pattern that matches all": has_part("platforms", lambda part: part == {}),
    "platforms: names and patterns": lambda meta: (
        {type(part) for part in meta.get("platforms", [])} == {str, dict}
    ),
    "bad platforms: system name": has_part("badPlatforms", lambda part: isinstance(part, str)),
    "bad platforms: pattern": has_part("badPlatforms", lambda part: isinstance(part, dict)),
    "teams: with members": has_part("teams", lambda team: bool(team["members"])),
    "teams: none": lambda meta: "teams" not in meta,
    "maintainers: objects": has_part("maintainers", lambda part: isinstance(part, dict)),
    "maintainers: object without an address": has_part(
        "maintainers", lambda part: isinstance(part, dict) and "email" not in part
    ),
    "maintainers: plain strings": has_part("maintainers", lambda part: isinstance(part, str)),
    "maintainers: empty list": lambda meta: meta.get("maintainers") == [],
    "flags: none": lambda meta: not set(FLAGS) & meta.keys(),
    "flags: as strings": lambda meta: any(isinstance(meta.get(flag), str) for flag in FLAGS),
    "broken": is_true("broken"),
    "insecure, with what is known": lambda meta: (
        meta.get("insecure") is True and bool(meta["knownVulnerabilities"])
    ),
    "no known vulnerabilities": lambda meta: meta.get("knownVulnerabilities") == [],
    "unfree": is_true("unfree"),
    "unsupported": is_true("unsupported"),
    "description: absent": lambda meta: "description" not in meta,
    "description: line break": lambda meta: "\n" in meta.get("description", ""),
    "description: blanks around": lambda meta: (
        meta.get("description", "") != meta.get("description", "").strip()
    ),
    "long description: paragraphs": lambda meta: "\n\n" in meta.get("longDescription", ""),
    "long description: beyond ASCII": lambda meta: not meta.get("longDescription", "").isascii(),
    "source provenance: binary": has_part("sourceProvenance", lambda part: not part["isSource"]),
    "source provenance: several": lambda meta: len(meta.get("sourceProvenance", [])) > 1,
    "outputs to install: several": lambda meta: len(meta.get("outputsToInstall", [])) > 1,
    "download page": holds("downloadPage", str),
    "donation page": holds("donationPage", str),
    "priority": holds("priority", int),
    "identifiers: a certain CPE": has_part("identifiers", lambda key: key == "cpe"),
    "identifiers: possible CPEs": lambda meta: bool(
        meta.get("identifiers", {}).get("possibleCPEs")
    ),
    "identifiers: no vendor": lambda meta: (
        "identifiers" in meta and "vendor" not in meta["identifiers"]["cpeParts"]
    ),
    "identifiers: absent": lambda meta: "identifiers" not in meta,
    "problems": lambda meta: bool(meta.get("problems")),
    "Hydra does not build it": lambda meta: meta.get("hydraPlatforms") == [],
}


@pytest.mark.parametrize("form", META_FORMS)
def test_sample_shows_the_form(form: str) -> None:
    assert [path for path, entry in SAMPLE.items() if META_FORMS[form](entry["meta"])]


def test_it_holds_at_least_330_packages() -> None:
    assert len(SAMPLE) >= 330


def test_it_stays_small_enough_to_ship() -> None:
    assert len(TEXT.encode()) < 900_000


def test_it_is_laid_out_as_nix_env_prints() -> None:
    printed = json.dumps(SAMPLE, indent=2, sort_keys=True, ensure_ascii=False)
    assert printed + "\n" == TEXT


@pytest.mark.parametrize("area", AREAS)
def test_it_covers_the_area(area: str) -> None:
    assert AREAS[area] <= SAMPLE.keys()


@pytest.mark.parametrize("attribute_set", ATTRIBUTE_SETS)
def test_it_covers_the_attribute_set(attribute_set: str) -> None:
    sets = Counter(path.rpartition(".")[0] for path in SAMPLE)
    assert sets[attribute_set] >= ATTRIBUTE_SETS[attribute_set]


def test_every_entry_has_exactly_the_keys_of_nix_env() -> None:
    keys = {"meta", "name", "outputName", "outputs", "pname", "system", "version"}
    assert [path for path, entry in SAMPLE.items() if entry.keys() != keys] == []


def test_pname_and_version_split_the_name_where_nix_splits_it() -> None:
    # builtins.parseDrvName: the version starts after the first dash that no letter follows.
    for entry in SAMPLE.values():
        pname, _, version = re.sub(r"-(?![A-Za-z])", "\0", entry["name"], count=1).partition("\0")
        assert (entry["pname"], entry["version"]) == (pname, version)


def test_some_entry_has_no_version() -> None:
    assert any(entry["version"] == "" for entry in SAMPLE.values())


def test_outputs_are_unbuilt_and_hold_the_default_one() -> None:
    for entry in SAMPLE.values():
        assert set(entry["outputs"].values()) == {None}
        assert entry["outputName"] in entry["outputs"]
        assert set(entry["meta"].get("outputsToInstall", [])) <= entry["outputs"].keys()
    assert any(len(entry["outputs"]) > 1 for entry in SAMPLE.values())


def test_available_means_that_nothing_forbids_the_package() -> None:
    for path, entry in SAMPLE.items():
        flags = {key: str(entry["meta"][key]).lower() for key in FLAGS if key in entry["meta"]}
        if flags:
            forbidden = "true" in {flags[key] for key in FLAGS if key != "available"}
            assert (flags["available"] == "true") is not forbidden, path


def test_no_address_belongs_to_a_real_person() -> None:
    assert set(re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", TEXT)) == {"example.org"}
    assert set(re.findall(r'"(?:@[\w-]+):([\w.-]+)"', TEXT)) == {"example.org"}


def test_every_maintainer_is_invented() -> None:
    people = [
        person
        for entry in SAMPLE.values()
        for person in entry["meta"].get("maintainers", [])
        if isinstance(person, dict)
    ]
    assert {re.sub(r"\d+", "N", person["name"]) for person in people} == {"Example Maintainer N"}
    assert {re.sub(r"\d+", "N", person["github"]) for person in people} == {"exampleN"}


def test_only_variants_of_one_package_share_a_description() -> None:
    owners: dict[str, set[str]] = {}
    for path, entry in SAMPLE.items():
        description = entry["meta"].get("description")
        if description:
            stem = re.sub(r"^python\d+Packages\.|[_\d]+$", "", path)
            owners.setdefault(description, set()).add(stem)
    assert {text: stems for text, stems in owners.items() if len(stems) > 1} == {}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("terminal file manager previews", "yazi"),
        ("nearest embeddings postgresql", "postgresql18Packages.pgvector"),
        ("photos iphone heic jpeg", "libheif"),
        ("encrypted snapshots backups cloud storage", "restic"),
        ("circuit boards schematics", "kicad"),
        ("fake webcam virtual video devices kernel module", "linuxPackages.v4l2loopback"),
        ("kubernetes cluster terminal dashboard", "k9s"),
    ],
)
def test_the_words_of_a_searcher_find_the_package(query: str, path: str) -> None:
    words = query.split()

    def matches(entry: Entry) -> int:
        meta = entry["meta"]
        text = f"{meta.get('description', '')} {meta.get('longDescription', '')}".lower()
        return sum(word in text for word in words)

    ranked = sorted(SAMPLE, key=lambda candidate: matches(SAMPLE[candidate]), reverse=True)
    assert path in ranked[:3]
