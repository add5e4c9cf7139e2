#!/bin/sh
# Writes requirements/*.txt anew: what constraints.txt pins, with the hashes of all its files, for every
# Python and system that fdnix runs on. Needs uv.
set -eu
cd -- "$(dirname -- "$0")/.."

# $1: the file; the others: what it is made of.
compile() {
    name=$1
    shift
    uv pip compile "$@" --quiet --universal --python-version 3.11 --constraint constraints.txt \
        --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
        --output-file "requirements/$name.txt"
}

compile run pyproject.toml --extra index --extra aws --extra mcp --extra web
compile test pyproject.toml --extra index --extra aws --extra mcp --extra web --extra test
# What installs fdnix from its source.
printf 'hatchling\neditables\n' | compile build -
