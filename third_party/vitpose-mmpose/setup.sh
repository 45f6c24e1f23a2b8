#!/bin/bash
# mmpose 1.3.2 in an environment of its own, beside that of anylift, whose torch, numpy, scipy and OpenCV it shares.
#
# It goes to $ANYLIFT_TOOLS/vitpose-mmpose, by default ~/.local/share/anylift/tools/vitpose-mmpose. PYTHON names the
# Python of anylift's environment, by default .venv/bin/python.
#
# Plain `pip install mmpose` fails at chumpy, which nothing in mmpose's code imports; full mmcv compiles for half an
# hour, mmcv-lite has what ViTPose needs; torchvision is there for the names that mmpose imports from it.
set -euo pipefail
python=${PYTHON:-.venv/bin/python}
folder=$("$python" -c 'from anylift_cli.foreign.tools import MMPOSE; print(MMPOSE.folder)')

mkdir -p "$folder"
rm -f "$folder/installed"
"$python" -m venv --clear "$folder/env"
pip() { "$folder/env/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip 'setuptools>=77.0.3,<81' wheel cython==3.3.1
site=$("$folder/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -c 'import sys; print(*[path for path in sys.path if path.endswith("-packages")], sep="\n")' \
    >"$site/anylift.pth"
pip --no-deps --no-build-isolation --no-binary xtcocotools xtcocotools==1.14.3
pip --no-deps mmpose==1.3.2 mmpretrain==1.2.0 mmcv-lite==2.1.0 torchvision==0.15.2 mmengine==0.10.7
pip --no-deps json-tricks==3.17.3 munkres==1.1.4 einops==0.8.1 mat4py==0.6.0 addict==2.4.0 yapf==0.43.0 \
    termcolor==3.1.0 modelindex==0.0.2 model-index==0.1.11 ordered-set==4.1.0 tabulate==0.9.0 markdown six==1.17.0 \
    importlib-metadata==8.7.0 zipp==3.23.0 requests==2.34.2 urllib3==2.8.0 charset-normalizer==3.5.2 idna certifi
"$folder/env/bin/python" -c 'import mmpretrain'
echo '1.3.2' >"$folder/installed"
