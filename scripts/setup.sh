# Sourced by quickstart and test: finds a Python, makes .venv in the checkout, installs the project.
# shellcheck shell=sh
#
#   prepare base     what running needs
#   prepare test     that, and what the tests need
#
# Afterwards $venv_python is the Python to use. A second time nothing is installed, and no network
# is needed, until pyproject.toml changes.

checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
venv=$checkout/.venv
venv_python=$venv/bin/python

say() {
    printf '%s\n' "$@" >&2
}

give_up() {
    say "$@"
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# PYTHON names one; else the first of the usual names that is new enough.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11 python
    fi
    for python in "$@"; do
        if command -v "$python" >/dev/null && is_new_enough "$python"; then
            return
        fi
    done
    found=$("$1" --version 2>&1) || found="no $1"
    give_up "dsfactory needs Python 3.11 or later, and here is: $found." \
        "Install one (Debian 12, Ubuntu 24.04 and later: apt-get install python3 python3-venv)," \
        "or say where it is: PYTHON=/path/to/python3.11 $0"
}

make_venv() {
    find_python
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        give_up "$python has no module venv or ensurepip, which make a virtual environment." \
            "On Debian and Ubuntu: apt-get install python3-venv. Then run $0 again."
    say "Making a virtual environment in .venv with $("$python" --version) ..."
    "$python" -m venv --clear "$venv" || give_up "That failed; the lines above say why."
}

# What an installation depends on: another pyproject.toml, folder or Python is another one.
fingerprint() {
    cksum <"$checkout/pyproject.toml"
    printf '%s\n' "$checkout"
    "$venv_python" --version
}

install() {
    extras=
    [ "$1" = base ] || extras="[$1]"
    say "Installing dsfactory$extras into .venv; this takes the network and a minute, once ..."
    "$venv_python" -m pip install --quiet --quiet --disable-pip-version-check \
        --editable "$checkout$extras" ||
        give_up "The installation failed; pip's lines above say why."
    # As pip does for a wheel; where PYTHONDONTWRITEBYTECODE is set, every start would compile anew.
    "$venv_python" -m compileall -q "$checkout/dsfactory"
}

prepare() {
    # A venv whose Python went away with an upgrade, or that was cut short, is made anew.
    "$venv_python" -c 'import pip' 2>/dev/null || make_venv
    stamp=$venv/installed-$1
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint)" ]; then
        install "$1"
        fingerprint | tee "$venv/installed-base" >"$stamp"  # every extra brings the base
    fi
}
