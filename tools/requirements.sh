#!/bin/sh
# Writes requirements/*.txt anew: what constraints.txt pins, with the hashes of all its files, for every
# Python and system that fdnix runs on. Needs uv.
set -eu
cd -- "$(dirname -- "$0")/.."

# $1: the file; the others: the extras it holds.
compile() {
    name=$1
    shift
    printf 'hatchling\neditables\n' | uv pip compile pyproject.toml - "$@" --quiet --universal \
        --python-version 3.11 --constraint constraints.txt --generate-hashes --no-annotate --no-header \
        --no-emit-index-url --no-emit-find-links --output-file "requirements/$name.txt"
}

compile run --extra index --extra aws
compile test --extra index --extra aws --extra test
