# Sourced by ./fdnix and ./test with `root` and `requirements` set: makes sure that .venv holds what
# requirements/$requirements.txt pins, and does nothing when it already does.

venv="$root/.venv"
stamp="$venv/.installed-$requirements"
pinned="$root/requirements/$requirements.txt"
build="$root/requirements/build.txt"

find_python() {
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null
        then
            command -v "$candidate"
            return
        fi
    done
    echo "fdnix: Python 3.11 or later is needed and was not found; install it, or name it in" \
        "PYTHON, as in: PYTHON=/usr/bin/python3.12 $0" >&2
    return 1
}

make_venv() {
    python=$(find_python) || exit 2
    for module in venv ensurepip; do
        if ! "$python" -c "import $module" 2>/dev/null; then
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            echo "fdnix: $python has no module $module; install the package that holds it" \
                "(Debian, Ubuntu: apt-get install python$version-venv)" >&2
            exit 2
        fi
    done
    # A half-made environment has no stamp and is made anew.
    "$python" -m venv --clear "$venv" || exit 2
}

install() {
    echo "fdnix: installing into .venv (once; takes a minute)" >&2
    if [ ! -x "$venv/bin/python" ] || [ ! -f "$venv/.made" ]; then
        make_venv
        : >"$venv/.made"
    fi
    # What builds fdnix itself is among the pinned, so that pip fetches nothing that has no hash.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$pinned" --requirement "$build" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --no-deps --no-build-isolation --no-index --editable "$root" || {
        echo "fdnix: the installation failed; the lines above say why. Run the command again" \
            "to try again" >&2
        exit 2
    }
    cat "$pinned" "$build" "$root/pyproject.toml" >"$stamp"
}

cat "$pinned" "$build" "$root/pyproject.toml" | cmp -s - "$stamp" || install
