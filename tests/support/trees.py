"""A small nixpkgs tree in nixpkgs' own forms, as a directory and as a channel's tarball."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILES: Mapping[str, str] = {
    "default.nix": "import ./pkgs/top-level/impure.nix",
    "pkgs/top-level/all-packages.nix": """
        { lib, config }:
        res: pkgs: super:
        with pkgs;
        {
          # python30 = nothing;
          python3 = python313;
          python3Packages = dontRecurseIntoAttrs python313Packages;
          inherit (dnstools) host;
          serverd = callPackage ../servers/serverd { inherit (darwin) kit; };
          serverMinimal = serverd.override { withDocs = false; };
          unused = if true then 1 else 2;
        }
    """,
    "pkgs/top-level/aliases.nix": """
        lib: self: super:
        with self;
        let
          mapAliases = aliases: lib.mapAttrs (n: alias: alias) aliases;
          notAnAlias = serverd;
        in
        mapAliases {
          /* kept for now: old = new; */
          oldserver = throw "'oldserver' has been renamed to/replaced by 'serverd'"; # Converted
          farewell = throw ''
            farewell was removed, its "author" ''${left}
          '';
          webserver = warnAlias "Use 'serverd' instead" serverd; # Added 2026-01-01
          frontd = webserver;
          advice = throw "advice has been removed. Use something else";
          quill = throw "'quill' has been removed, it needed 'ink'. Use probe-tools or 'editit'";
          tools = {
            probe = lib.warnOnInstantiate "moved" probe-tools;
          };
        }
    """,
    "pkgs/top-level/python-aliases.nix": """
        lib: self: super:
        with self;
        mapAliases {
          Web_Lib = web-lib; # added 2021-07-01
        }
    """,
    "pkgs/applications/editors/vim/plugins/deprecated.json": """
        {"vim-old": {"new": "vim-new", "date": "2026-01-01"}, "odd": [1]}
    """,
    "pkgs/servers/serverd/default.nix": """
        { lib, stdenv, makeWrapper, probe-tools, kit ? null }:
        stdenv.mkDerivation (finalAttrs: {
          pname = "serverd";
          postInstall = ''
            install -Dm755 server-status scripts/server-reload -t $out/bin
            ln -s $out/bin/serverd "$out/bin/${finalAttrs.pname}-daemon"
            for tool in certify rotate; do
              mv build/$tool $out/bin/$tool
            done
            mv $out/bin/{one,two} "$bin"/bin/
            rm $out/bin/leftover
            wrapProgram $out/bin/serverd --set PROBE ${probe-tools}/bin/probe-net \\
              --set SHELL ${lib.getBin probe-tools}/bin/probe-sh
          '';
        })
    """,
    "pkgs/by-name/ed/editit/package.nix": """
        { lib, buildGoModule, makeDesktopItem, python3, curlish }:
        buildGoModule (finalAttrs: {
          pname = "editit";
          subPackages = [ "." "cmd/editctl" ];
          postInstall = ''
            installShellCompletion --cmd edit-it --bash <($out/bin/edit-it completion)
          '';
          desktopItems = [
            (makeDesktopItem {
              name = "editit";
              exec = "edit-gui %F";
              comment = "Edit texts with many cursors";
              genericName = "Text Editor";
              categories = [ "Utility" "TextEditor" "GTK" "X-Own" ];
            })
          ];
        })
    """,
    "pkgs/by-name/ed/editit/helper.nix": """
        { curlish }: curlish
    """,
    "pkgs/development/python-modules/web-lib/default.nix": """
        { buildPythonPackage, requester }: buildPythonPackage { }
    """,
    "nixos/modules/services/web-servers/serverd/default.nix": """
        { config, lib, pkgs, ... }:
        let
          cfg = config.services.serverd;
        in
        {
          options.services.serverd = {
            enable = lib.mkEnableOption "Serverd, the web server that serves";
            package = lib.mkPackageOption pkgs "serverd" { };
          };
          config.systemd.services.serverd = {
            description = "Serverd Web Server";
            serviceConfig.ExecStart = "${cfg.package}/bin/serverd-run";
          };
        }
    """,
    "nixos/modules/services/networking/edit_it.nix": """
        { config, lib, pkgs, ... }:
        {
          options.services.remote-edit.enable = lib.mkOption {
            type = lib.types.bool;
            description = ''
              Whether to enable the remote editing daemon. It edits.
            '';
          };
          options.package = lib.mkOption { default = pkgs.editit; };
          config.environment.systemPackages = with pkgs; [
            probe-tools # to probe
            python3
          ];
          config.services.serverd.enable = true;
          config.path = "${pkgs.python3}/bin/python3";
        }
    """,
    "nixos/modules/services/web-servers/serverd/default.md": """
        # Serverd {#module-serverd}
        [Serverd](https://serverd.example) runs `editit` too.
    """,
    "nixos/tests/serverd.nix": """
        { pkgs, ... }: { nodes.machine.services.serverd.enable = true; }
    """,
    "nixos/tests/editing/default.nix": """
        { pkgs, ... }: { machine = [ pkgs.editit pkgs.serverd.doc ]; }
    """,
    "nixos/doc/manual/release-notes/rl-2611.section.md": """
        - [Edit It](https://editit.example), a text editor. `pkgs.oldserver` is gone; see `serverd`.
    """,
    "nixos/doc/manual/administration/service.md": "Call `probe-tools` to probe.",
    "doc/languages/python.md": "Take `python3Packages.web-lib`, or pkgs.python3.",
}

PACKAGES: Mapping[str, str | None] = {
    "serverd": "pkgs/servers/serverd/default.nix:3",
    "editit": "pkgs/by-name/ed/editit/package.nix:4",
    "probe-tools": "pkgs/tools/probe.nix:1",
    "python313": None,
    "python313Packages.web-lib": "pkgs/development/python-modules/web-lib/default.nix:2",
    "vimPlugins.vim-new": None,
}
"""The catalogue of the tree, with positions."""


def write_tree(root: Path, files: Mapping[str, str] = FILES) -> Path:
    """Write the files below `root`."""
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return root


def tarball(files: Mapping[str, str | bytes] = FILES, top: str = "nixpkgs-26.11pre1.abc") -> bytes:
    """The files in the form of a channel's nixexprs.tar.xz, all below one folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for path, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def program_list(path: Path, rows: Iterable[tuple[str, str, str]]) -> Path:
    """Write a channel's programs.sqlite with rows of program, system and package."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE Programs (name TEXT NOT NULL, system TEXT NOT NULL,"
            " package TEXT NOT NULL, PRIMARY KEY (name, system, package))"
        )
        connection.executemany("INSERT INTO Programs VALUES (?, ?, ?)", rows)
    connection.close()
    return path
