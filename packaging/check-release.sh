#!/usr/bin/env bash
# Builds the wheel and the sdist, checks them, and uses each in a clean environment of each Python that is named:
#   packaging/check-release.sh python3.11 python3.12 python3.13
# Needs a package index; torch is the build that pip chooses there. The built files stay in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -rf dist
"${1:?name a Python, such as python3.11}" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet build check-wheel-contents twine
"$work/tools/bin/python" -m build --outdir dist .
"$work/tools/bin/twine" check --strict dist/*
"$work/tools/bin/check-wheel-contents" dist/*.whl

for python in "$@"; do
  for file in dist/*.whl dist/*.tar.gz; do
    rm -rf "$work/clean"
    "$python" -m venv "$work/clean"
    "$work/clean/bin/pip" install --quiet --constraint constraints.txt "$file"
    (
      cd "$work/clean" # not where src/ is
      export VERYDEEP_CACHE=$work/clean/cache
      test -f lib/python3*/site-packages/verydeep/py.typed
      bin/verydeep --help >help.txt
      bin/verydeep show vgg16 | grep --quiet 138,357,544
      bin/verydeep train synthetic --epochs 2 --out run >train.txt
      test -f run/report.html
      bin/verydeep evaluate run synthetic --json >evaluation.json
      bin/python -c "import verydeep; verydeep.write_images(verydeep.load_dataset('synthetic').take(20, 10), 'shapes')"
      bin/verydeep study depth --help >study.txt
      bin/python -c "
from verydeep.study.studies import find_study
from verydeep.study.study_result import recorded_result
assert recorded_result(find_study('depth'))"
      bin/python -m pip check
    )
    echo "$("$python" --version): ${file#"$root"/} installs and runs"
  done
done
