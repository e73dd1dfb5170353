#!/usr/bin/env bash
# Builds with cargo and copies what it built, so that builds of other features do not overwrite it.
#
#   zig/build/cargo.sh OUT_DIR FILE... -- ARGUMENTS...
#
# FILEs are under cargo's target directory; ARGUMENTS go to `cargo build`. Called by build.zig.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=$1
shift
files=()
while [ "$1" != -- ]; do
    files+=("$1")
    shift
done
shift

export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
command -v cargo >/dev/null || { echo "no cargo: run ./zigw, which says how to install it" >&2; exit 1; }
# libmayaqua has none of SoftEther's C in it.
case " $* " in
    *" mayaqua-ffi "*) ;;
    *) [ -n "${SOFTETHER_SRC:-}" ] || vendor/fetch >&2 ;;
esac
cargo build --locked "$@"
mkdir -p "$out"
for file in "${files[@]}"; do
    cp --update --preserve=timestamps "${CARGO_TARGET_DIR:-target}/$file" "$out/"
done
