#!/usr/bin/env bash
# Bytecode that was made while an image was built is not used by it, for half of its modules: what buildah copies passes
# through a tar stream whose times are rounded to seconds (as Go's archive/tar does unless told otherwise), and CPython has the
# source's time cut to seconds in the bytecode (PEP 552), and compares them at each import. Where the image is
# read-only, each start compiles those modules anew. `compileall --invalidation-mode unchecked-hash` compares no times.
# Seen with buildah 1.28.2 and Python 3.11: a source written at .4 s and one at .6 s, before and after the commit:
#   early: 1000000000 1000000000
#   late: 1000000000 1000000001
# It ends with another code than 0 when that changes. Run by hand, as root; it needs buildah.
set -euo pipefail
work=$(mktemp -d)
image() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
trap 'rm -rf "$work"' EXIT
mkdir "$work/context"
for name in early late; do echo 'x = 1' > "$work/context/$name.py"; done
touch -d @1000000000.4 "$work/context/early.py"
touch -d @1000000000.6 "$work/context/late.py"
printf 'FROM scratch\nCOPY early.py late.py /\n' > "$work/Dockerfile"
image bud --quiet --isolation chroot --layers=false -f "$work/Dockerfile" -t localhost/times "$work/context" > "$work/log"
root=$(image mount "$(image from --pull-never localhost/times)")
for name in early late; do
    python3 -m py_compile "$work/context/$name.py"
    python3 - "$work/context/$name.py" "$root/$name.py" "$name" << 'PYTHON'
import importlib.util
import pathlib
import sys

source, copied, name = sys.argv[1:]
head = pathlib.Path(importlib.util.cache_from_source(source)).read_bytes()[:12]
print(f"{name}: {int.from_bytes(head[8:], 'little')} {int(pathlib.Path(copied).stat().st_mtime)}")
PYTHON
done > "$work/seen"
cat "$work/seen"
diff "$work/seen" - << 'SEEN'
early: 1000000000 1000000000
late: 1000000000 1000000001
SEEN
