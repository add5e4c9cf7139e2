"""What an assistant is told: questions asked of `fdnix mcp` by the SDK's own client.

A question counts where a right package is among the first three; how often one is anywhere in the
answer, which an assistant reads whole, is told too. Half of them describe what
somebody wants in words that need not be the package's; the other half are names, versions, programs
and plain kinds of software, as people ask assistants about nixpkgs. The right answers were written
down before the questions were asked.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import anyio
import click
from mcp import Client, StdioServerParameters

FIRST = 3
ARGUMENTS = {"search_packages": "query", "find_program": "program"}

DESCRIBED = (
    (
        "search_packages",
        "terminal file manager with image previews",
        ["lf", "nnn", "ranger", "yazi"],
    ),
    (
        "search_packages",
        "edit video on the desktop, something like premiere",
        [
            "davinci-resolve",
            "flowblade",
            "kdePackages.kdenlive",
            "olive-editor",
            "openshot-qt",
            "pitivi",
            "shotcut",
        ],
    ),
    (
        "search_packages",
        "faster replacement for grep that respects gitignore",
        ["ripgrep", "silver-searcher", "ugrep"],
    ),
    ("search_packages", "json processor for the command line", ["gojq", "jaq", "jq"]),
    (
        "search_packages",
        "self-hosted photo gallery backup like google photos",
        ["ente-web", "immich", "librephotos", "photoprism", "photoview"],
    ),
    (
        "search_packages",
        "password manager compatible with bitwarden server",
        ["bitwarden-cli", "bitwarden-desktop", "rbw", "vaultwarden"],
    ),
    ("search_packages", "download youtube videos", ["youtube-dl", "yt-dlp"]),
    (
        "search_packages",
        "python library for dataframes",
        [
            "python313Packages.pandas",
            "python313Packages.polars",
            "python314Packages.pandas",
            "python314Packages.polars",
            "python3Packages.pandas",
        ],
    ),
    (
        "search_packages",
        "convert heic to jpg",
        ["heif-converter", "imagemagick", "libheif", "python313Packages.pillow-heif"],
    ),
    ("search_packages", "static site generator in go", ["hugo"]),
    ("search_packages", "kubernetes terminal ui", ["k9s"]),
    ("search_packages", "interactive git client in the terminal", ["gitui", "lazygit", "tig"]),
    ("search_packages", "network packet capture gui", ["wireshark", "wireshark-qt"]),
    (
        "search_packages",
        "local network file sync without a server, peer to peer",
        ["resilio-sync", "syncthing"],
    ),
    ("search_packages", "lint shell scripts", ["shellcheck", "shellcheck-minimal"]),
    ("search_packages", "postgres", ["postgresql", "postgresql_17", "postgresql_18"]),
    ("find_program", "nvim", ["neovim", "neovim-unwrapped"]),
    ("find_program", "rg", ["ripgrep"]),
    ("find_program", "ffmpeg", ["ffmpeg", "ffmpeg-full", "ffmpeg_7", "ffmpeg_8"]),
    (
        "search_packages",
        "run a large language model locally",
        ["gpt4all", "koboldcpp", "llama-cpp", "lmstudio", "local-ai", "ollama"],
    ),
)

MIXED = (
    ("find_program", "rg", ["ripgrep"]),
    ("find_program", "dig", ["bind", "bind.dnsutils", "dig", "dnsutils"]),
    ("search_packages", "obsidian", ["obsidian"]),
    ("search_packages", "vscode", ["vscode"]),
    ("search_packages", "postgresql", ["postgresql"]),
    ("search_packages", "python 3.14 requests", ["python314Packages.requests"]),
    ("search_packages", "nodejs 22", ["nodejs_22"]),
    (
        "search_packages",
        "terminal file manager",
        ["clifm", "joshuto", "lf", "mc", "nnn", "ranger", "superfile", "vifm", "xplr", "yazi"],
    ),
    (
        "search_packages",
        "screenshot tool for wayland",
        [
            "flameshot",
            "grim",
            "grimblast",
            "hyprshot",
            "shotman",
            "sway-contrib.grimshot",
            "watershot",
            "wayshot",
        ],
    ),
    (
        "search_packages",
        "lightweight pdf viewer with vim keys",
        ["sioyek", "zathura", "zathuraPkgs.zathura_core"],
    ),
    (
        "search_packages",
        "markdown to pdf converter",
        [
            "gotenberg",
            "markdown-pdf",
            "md-tui",
            "md2pdf",
            "mdcat",
            "pandoc",
            "pandoc-cli",
            "python313Packages.md2pdf",
        ],
    ),
    ("search_packages", "docker compose", ["docker-compose"]),
    ("search_packages", "kubectl", ["kubectl"]),
    ("search_packages", "rust language server", ["rust-analyzer", "rust-analyzer-unwrapped"]),
    (
        "search_packages",
        "intellij idea",
        [
            "jetbrains.idea",
            "jetbrains.idea-community",
            "jetbrains.idea-community-bin",
            "jetbrains.idea-oss",
            "jetbrains.idea-ultimate",
        ],
    ),
    (
        "search_packages",
        "monitor nvidia gpu usage in the terminal",
        ["gpustat", "nvitop", "nvtop", "nvtopPackages.full", "nvtopPackages.nvidia"],
    ),
    (
        "search_packages",
        "bulk rename files",
        [
            "brename",
            "edir",
            "f2",
            "gprename",
            "krename",
            "massren",
            "metamorphose2",
            "mmv",
            "nomino",
            "pipe-rename",
            "rename",
            "renameutils",
            "rnr",
            "szyszka",
            "vimv",
        ],
    ),
    (
        "search_packages",
        "screen recorder",
        [
            "blue-recorder",
            "gpu-screen-recorder",
            "gpu-screen-recorder-gtk",
            "kazam",
            "kooha",
            "obs-studio",
            "peek",
            "recordmydesktop",
            "simplescreenrecorder",
            "vokoscreen-ng",
            "wf-recorder",
        ],
    ),
    ("find_program", "convert", ["imagemagick"]),
    ("search_packages", "yaml linter", ["python313Packages.yamllint", "yaml-lint", "yamllint"]),
)


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False))
def main(*, database: str) -> None:
    """Ask `fdnix mcp` all questions over DATABASE, a minified one of all nixpkgs."""
    anyio.run(ask, database)


async def ask(database: str) -> None:
    """Ask all questions of one server, and print what it finds."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "fdnix", "mcp", "--db", database],
        env=dict(os.environ),
    )
    async with Client(server) as client:
        tools = await client.list_tools()
        print(f"tools: {len(tools.model_dump_json())} characters")
        for name, questions in (("described", DESCRIBED), ("mixed", MIXED)):
            right = named = longest = 0
            for tool, question, accepted in questions:
                text = told(await client.call_tool(tool, {ARGUMENTS[tool]: question}))
                longest = max(longest, len(text))
                listed = [line.split()[0].rstrip(":") for line in text.splitlines()]
                place = next((at for at, word in enumerate(listed, 1) if word in accepted), None)
                right += place is not None and place <= FIRST
                named += place is not None
                print(f"{place or 'none':>4}  {question}: {', '.join(listed[:FIRST])}")
            print(
                f"{name}: {right} of {len(questions)} in the first {FIRST}, {named} in the answer, "
                f"longest answer {longest} characters"
            )


def told(answer: Any) -> str:
    """The text of an answer."""
    return str(answer.content[0].text)


if __name__ == "__main__":
    main()
