#!/usr/bin/env bash
# mypyc 2.4.1 makes a call within the bounds of a slice twice where what is sliced is a memoryview or a bytearray.
# Compiled, `view[next_position():]` calls `next_position` two times, and takes the second result; interpreted, and of bytes,
# once. A call that counts, pops or reads has then done so twice. A proxy that took a position off a stream so lost as many
# bytes again.
# Seen:
#   interpreted: bytes 1, memoryview 1, bytearray 1
#   compiled: bytes 1, memoryview 2, bytearray 2
# It ends with another code than 0 when that changes. Run by hand; it needs a C compiler, and installs what it needs into a
# temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check mypy==2.4.1 setuptools==84.2.1 2> "$work/pip" \
  || { cat "$work/pip"; exit 2; }
cd "$work"
cat > cut.py <<'PYTHON'
def next_position(calls: list[int]) -> int:
    calls.append(1)
    return 2


def of_bytes(data: bytes, calls: list[int]) -> bytes:
    return data[next_position(calls) :]


def of_view(data: memoryview, calls: list[int]) -> memoryview:
    return data[next_position(calls) :]


def of_array(data: bytearray, calls: list[int]) -> bytearray:
    return data[next_position(calls) :]
PYTHON
cat > count.py <<'PYTHON'
import cut

form = "compiled" if cut.__file__.endswith(".so") else "interpreted"
counts = []
for function, data in ((cut.of_bytes, b"abcd"), (cut.of_view, memoryview(b"abcd")), (cut.of_array, bytearray(b"abcd"))):
    calls = []
    function(data, calls)
    counts.append(f"{type(data).__name__} {len(calls)}")
print(f"{form}: {', '.join(counts)}")
PYTHON
"$work/venv/bin/python" count.py > seen
"$work/venv/bin/python" -m mypyc cut.py > built 2>&1 || { cat built; exit 2; }
"$work/venv/bin/python" count.py >> seen
cat seen
diff seen - <<'SEEN'
interpreted: bytes 1, memoryview 1, bytearray 1
compiled: bytes 1, memoryview 2, bytearray 2
SEEN
