#!/bin/bash
# Sets up ViPE in $ANYLIFT_TOOLS/vipe, by default ~/.local/share/anylift/tools/vipe: a virtual environment with PyTorch
# and the released package, which compiles its CUDA extensions. Needs Python 3.10 or later, an NVIDIA GPU with its
# driver, and an nvcc of CUDA 12 (12.8 is its own choice) with a C++ compiler. Run it again to go on after a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=1.2.0
python=${PYTHON:-python3}
folder=${ANYLIFT_TOOLS:-${XDG_DATA_HOME:-$HOME/.local/share}/anylift/tools}/vipe
env=$folder/env

stop() { echo "error: $1" >&2; exit 4; }
for program in "$python" nvidia-smi nvcc c++; do
  command -v "$program" > /dev/null || stop "$program is not installed; $here/README.md says what is needed"
done
nvidia-smi -L | grep -q '^GPU ' || stop "nvidia-smi shows no GPU"
nvcc --version | grep -q 'release 12\.' || stop "nvcc is not of CUDA 12, which PyTorch for it was built with"

mkdir -p "$folder"
rm -f "$folder/installed"
[ -x "$env/bin/python" ] || "$python" -m venv "$env"
"$env/bin/python" -m pip install --upgrade pip 'setuptools>=77' wheel ninja
"$env/bin/python" -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cu128
"$env/bin/python" -m pip install --no-build-isolation "nvidia-vipe==$version"

"$env/bin/python" -c 'import torch, vipe_ext; assert torch.cuda.is_available(), "PyTorch sees no GPU"'
"$env/bin/vipe" --version
echo "$version" > "$folder/installed"
echo "ViPE is set up in $folder: anylift run VIDEO --out motion.npz --cameras vipe"
