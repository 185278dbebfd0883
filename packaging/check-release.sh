#!/usr/bin/env bash
# Builds the wheel, the sdist and the wheel without torch, checks them, and uses each in a clean environment of each
# Python that is named:
#   packaging/check-release.sh python3.11 python3.12 python3.13
# Needs a package index; torch is the build that pip chooses there. The built files stay in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -rf dist
"${1:?name a Python, such as python3.11}" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet build check-wheel-contents twine
"$work/tools/bin/python" -m build --outdir dist .
"$work/tools/bin/pip" wheel --quiet --no-deps --wheel-dir dist packaging/runtime
"$work/tools/bin/twine" check --strict dist/*
"$work/tools/bin/check-wheel-contents" dist/*.whl

for python in "$@"; do
  for file in dist/verydeep-*.whl dist/*.tar.gz; do
    rm -rf "$work/clean" "$work/run.onnx" "$work/shapes"
    "$python" -m venv "$work/clean"
    "$work/clean/bin/pip" install --quiet --constraint constraints.txt "$file[onnx]"
    (
      cd "$work/clean" # not where src/ is
      export VERYDEEP_CACHE=$work/clean/cache
      test -f lib/python3*/site-packages/verydeep/py.typed
      bin/verydeep --help >help.txt
      bin/verydeep show vgg16 | grep --quiet 138,357,544
      bin/verydeep train synthetic --epochs 2 --out run >train.txt
      test -f run/report.html
      bin/verydeep evaluate run synthetic --json >evaluation.json
      bin/verydeep export run --to onnx --out "$work/run.onnx"
      bin/python -c "import verydeep; verydeep.write_images(verydeep.load_dataset('synthetic').take(20, 10), '$work/shapes')"
      bin/verydeep study depth --help >study.txt
      bin/python -c "
from verydeep.study.studies import find_study
from verydeep.study.study_result import recorded_result
assert recorded_result(find_study('depth'))"
      bin/python -m pip check
    )
    echo "$("$python" --version): $file installs and runs"
  done
  rm -rf "$work/clean"
  "$python" -m venv "$work/clean"
  "$work/clean/bin/pip" install --quiet --constraint constraints.txt "$(echo dist/verydeep_runtime-*.whl)[onnx]"
  (
    cd "$work/clean"
    bin/verydeep info | grep --quiet '^verydeep-runtime: '
    bin/verydeep predict "$work/run.onnx" "$work/shapes" --json >predictions.json
    if bin/python -c "import torch" 2>torch.txt; then exit 1; fi
    bin/python -m pip check
  )
  echo "$("$python" --version): the wheel without torch installs and predicts"
done
