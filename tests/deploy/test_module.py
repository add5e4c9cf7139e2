"""The NixOS module makes a unit that systemd accepts, and settings that fdnix accepts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from fdnix.errors import FdnixError, UnfinishedError
from fdnix.settings import Settings, load_settings
from support.nix import EvaluationError, evaluate, needs_nix

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.nix, needs_nix]

MOST_EXPOSED = 15
"""Tenths of systemd-analyze's exposure, 0 to 100, that the unit may have."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


def configuration(service: str) -> Any:
    return evaluate(
        "pkgs.lib.evalModule { inherit pkgs; "
        "module = import (root + /nix/module.nix) (pkgs: pkgs.callPackage (root + /nix/package.nix)"
        f" {{ }}); given.services.fdnix = {service}; }}"
    )


def unit(sections: dict[str, dict[str, Any]]) -> str:
    """A unit file, written as NixOS writes it."""

    def lines(values: dict[str, Any]) -> list[str]:
        return [
            f"{name}={str(one).lower() if isinstance(one, bool) else one}"
            for name, value in values.items()
            for one in (value if isinstance(value, list) else [value])
        ]

    return "\n".join(
        line for name, values in sections.items() for line in (f"[{name}]", *lines(values))
    )


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A directory with the service and the timer, as the module makes them by default."""
    made = configuration('{ enable = true; settings.VSS_EF_SEARCH = 64; environmentFile = "/e"; }')
    service, timer = made["systemd"]["services"]["fdnix"], made["systemd"]["timers"]["fdnix"]
    environment = [f'"{name}={value}"' for name, value in service["environment"].items()]
    # What systemd looks for on this machine: the store's path is not here, true is; and the user.
    executed = service["serviceConfig"] | {"ExecStart": shutil.which("true"), "User": "daemon"}
    (tmp_path / "fdnix.service").write_text(
        unit(
            {
                "Unit": {
                    "Description": service["description"],
                    "Wants": service["wants"],
                    "After": service["after"],
                }
                | service["unitConfig"],
                "Service": {"Environment": environment} | executed | {"Group": "daemon"},
            }
        )
    )
    (tmp_path / "fdnix.timer").write_text(
        unit(
            {
                "Unit": {"Description": timer["description"]},
                "Timer": timer["timerConfig"],
                "Install": {"WantedBy": timer["wantedBy"]},
            }
        )
    )
    return tmp_path


def test_nothing_is_configured_unless_enabled() -> None:
    assert configuration("{ }") == {}


def test_every_setting_with_an_option_is_one_of_fdnix_and_its_default_is_accepted() -> None:
    environment = configuration("{ enable = true; }")["systemd"]["services"]["fdnix"]["environment"]
    del environment["HOME"]
    assert {name.lower() for name in environment} <= set(Settings.model_fields)
    settings = load_settings(environment)
    assert settings.phases == ("metadata", "embedding", "minified")
    assert settings.nixpkgs_source == "channel"


def test_settings_reach_the_environment_as_fdnix_reads_them() -> None:
    made = configuration(
        "{ enable = true; settings = { VSS_EF_SEARCH = 64; FORCE_METADATA = true; "
        'REJECTED_LIMIT = 0.05; NIXPKGS_CHANNEL = "nixos-26.05"; }; }'
    )
    environment = made["systemd"]["services"]["fdnix"]["environment"]
    del environment["HOME"]
    settings = load_settings(environment)
    assert (settings.vss_ef_search, settings.force_metadata) == (64, True)
    assert (settings.rejected_limit, settings.nixpkgs_channel) == (0.05, "nixos-26.05")


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ('{ enable = true; settings.PROCESSING_MODE = "all"; }', "PROCESSING_MODE"),
        ("{ enable = true; settings.VSS_HNSW_M = [ 1 ]; }", "a setting of a type not taken"),
        ("{ enable = true; shedule = 1; }", r"no such option: config\.services\.fdnix\.shedule"),
    ],
)
def test_a_mistake_is_found_at_evaluation(service: str, said: str) -> None:
    with pytest.raises(EvaluationError, match=said):
        configuration(service)


def test_secrets_stay_out_of_the_store() -> None:
    made = configuration('{ enable = true; environmentFile = "/run/secrets/fdnix.env"; }')
    service = made["systemd"]["services"]["fdnix"]
    assert service["serviceConfig"]["EnvironmentFile"] == "/run/secrets/fdnix.env"
    assert "/run/secrets" not in json.dumps(service["environment"])


def test_nix_is_there_only_where_it_evaluates() -> None:
    def path(source: str) -> list[str]:
        made = configuration(f'{{ enable = true; settings.NIXPKGS_SOURCE = "{source}"; }}')
        found: list[str] = made["systemd"]["services"]["fdnix"]["path"]
        return [re.sub(r"^.*?-", "", one) for one in found]

    assert path("channel") == []
    assert path("nix-env") == path("nixpkgs") == ["nix-2.31"]


def test_nix_looks_for_nixpkgs_where_the_host_does() -> None:
    def environment(settings: str) -> dict[str, str]:
        made = configuration(f"{{ enable = true; settings = {{ {settings} }}; }}")
        found: dict[str, str] = made["systemd"]["services"]["fdnix"]["environment"]
        return found

    expected = "nixpkgs=/etc/nixpkgs:/nix/var/nix/profiles/per-user/root/channels"
    for source in ("nixpkgs", "nix-env", "auto"):
        assert environment(f'NIXPKGS_SOURCE = "{source}";')["NIX_PATH"] == expected
    assert environment('NIXPKGS_SOURCE = "auto"; NIX_PATH = "mine";')["NIX_PATH"] == "mine"
    assert "NIX_PATH" not in environment('NIXPKGS_SOURCE = "channel";')


def test_the_search_command_is_there_only_when_asked_for() -> None:
    def commands(service: str) -> list[str]:
        packages: list[str] = configuration(service)["environment"]["systemPackages"]
        return [re.sub(r"^.*?-", "", one) for one in packages]

    assert commands("{ enable = true; }") == ["fdnix-0.1.0"]
    assert commands("{ enable = true; search.enable = true; }") == ["fdnix-0.1.0", "fdnix-search"]


@needs_systemd
def test_systemd_accepts_the_units(units: Path) -> None:
    names = [units / "fdnix.service", units / "fdnix.timer"]
    # Without manual pages: the machine may have none.
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        capture_output=True,
        check=False,
        text=True,
    )
    ours = [line for line in done.stderr.splitlines() if "fdnix" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
def test_the_service_is_hardened(units: Path) -> None:
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true", "--no-pager"),
            f"--threshold={MOST_EXPOSED}",
            units / "fdnix.service",
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_killing_is_retried_and_refusals_are_not() -> None:
    service = configuration("{ enable = true; }")["systemd"]["services"]["fdnix"]["serviceConfig"]
    final = {code.exit_code for code in FdnixError.__subclasses__()} | {FdnixError.exit_code}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == final - {
        UnfinishedError.exit_code
    }
    assert service["Restart"] == "on-failure"
