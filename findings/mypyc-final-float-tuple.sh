#!/usr/bin/env bash
# mypyc 2.4.1 takes a constant tuple of floats of another compiled module for one that was never set. `BOUNDS: Final = (1.0, 2.0)`,
# whose type mypy infers, is set when its module is imported; a second module of the same compilation that uses it raises
# NameError. With its type written out, as `Final[tuple[float, ...]]`, it is read; a tuple of ints is in either case.
# Interpreted, all of them work. A proxy compiled so did not start.
# Seen:
#   interpreted: inferred 3.0, written 3.0, of ints 3
#   compiled: inferred NameError: value for final name "INFERRED" was not set, written 3.0, of ints 3
# It ends with another code than 0 when that changes. Run by hand; it needs a C compiler, and installs what it needs into a
# temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check mypy==2.4.1 setuptools==84.2.1 2> "$work/pip" \
  || { cat "$work/pip"; exit 2; }
cd "$work"
mkdir constants; touch constants/__init__.py
cat > constants/bounds.py <<'PYTHON'
from typing import Final

INFERRED: Final = (1.0, 2.0)
WRITTEN: Final[tuple[float, ...]] = (1.0, 2.0)
INTS: Final = (1, 2)
PYTHON
cat > constants/use.py <<'PYTHON'
from constants.bounds import INFERRED, INTS, WRITTEN


def of_inferred() -> float:
    return sum(INFERRED)


def of_written() -> float:
    return sum(WRITTEN)


def of_ints() -> int:
    return sum(INTS)
PYTHON
cat > read.py <<'PYTHON'
from constants import use

told = []
for name, function in (("inferred", use.of_inferred), ("written", use.of_written), ("of ints", use.of_ints)):
    try:
        told.append(f"{name} {function()}")
    except NameError as error:
        told.append(f"{name} NameError: {error}")
print(f"{'compiled' if use.__file__.endswith('.so') else 'interpreted'}: {', '.join(told)}")
PYTHON
"$work/venv/bin/python" read.py > seen
"$work/venv/bin/python" -m mypyc constants/bounds.py constants/use.py > built 2>&1 || { cat built; exit 2; }
"$work/venv/bin/python" read.py >> seen
cat seen
diff seen - <<'SEEN'
interpreted: inferred 3.0, written 3.0, of ints 3
compiled: inferred NameError: value for final name "INFERRED" was not set, written 3.0, of ints 3
SEEN
