#!/bin/bash
# Sets up MegaSaM in $ANYLIFT_TOOLS/megasam, by default ~/.local/share/anylift/tools/megasam: its repository at a pinned
# commit, a conda environment with Python 3.10, PyTorch 2.0.1 and CUDA 11.8, its compiled extensions, its weights.
# Needs git, curl, conda, an NVIDIA GPU with its driver, and nvcc 11.8 with a C++ compiler. Run it again to go on after
# a failure. Steps and versions are those of the repository's README and Dockerfile.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
commit=a27b4e633c5cc0828a62ed943ef9f6505705fd3f
depth_sha256=6c6a383e33e51c5fdfbf31e7ebcda943973a9e6a1cbef1564afe58d7f2e8fe63
folder=${ANYLIFT_TOOLS:-${XDG_DATA_HOME:-$HOME/.local/share}/anylift/tools}/megasam
env=$folder/env repo=$folder/repo

stop() { echo "error: $1" >&2; exit 4; }
for program in git curl conda nvidia-smi nvcc c++; do
  command -v "$program" > /dev/null || stop "$program is not installed; $here/README.md says what is needed"
done
nvidia-smi -L | grep -q '^GPU ' || stop "nvidia-smi shows no GPU"
nvcc --version | grep -q 'release 11\.8' || stop "nvcc is not of CUDA 11.8, which PyTorch 2.0.1 was built with"

mkdir -p "$folder"
rm -f "$folder/installed"
[ -d "$repo/.git" ] || git clone https://github.com/mega-sam/mega-sam.git "$repo"
git -C "$repo" checkout --quiet --detach "$commit"
git -C "$repo" submodule update --init --recursive

[ -x "$env/bin/python" ] || conda env create --prefix "$env" --file "$repo/environment.yml"
"$env/bin/python" -c 'import torch; assert torch.__version__[:5] == "2.0.1" and torch.version.cuda == "11.8"' ||
  "$env/bin/python" -m pip install torch==2.0.1+cu118 torchvision==0.15.2+cu118 \
    --extra-index-url https://download.pytorch.org/whl/cu118
"$env/bin/python" -c 'import torch_scatter' ||
  "$env/bin/python" -m pip install torch-scatter==2.1.2 --find-links https://data.pyg.org/whl/torch-2.0.1+cu118.html
"$env/bin/python" -c 'import xformers' ||
  conda install --yes --prefix "$env" https://anaconda.org/xformers/xformers/0.0.22.post7/download/linux-64/xformers-0.0.22.post7-py310_cu11.8.0_pyt2.0.1.tar.bz2
(cd "$repo/base" && "$env/bin/python" setup.py install)

weights=$repo/Depth-Anything/checkpoints/depth_anything_vitl14.pth
mkdir -p "$(dirname "$weights")"
if [ ! -f "$weights" ]; then
  curl --fail --location --continue-at - --output "$weights.incomplete" \
    https://huggingface.co/spaces/LiheYoung/Depth-Anything/resolve/main/checkpoints/depth_anything_vitl14.pth
  echo "$depth_sha256  $weights.incomplete" | sha256sum --check --quiet
  mv "$weights.incomplete" "$weights"
fi
[ -f "$repo/checkpoints/megasam_final.pth" ] || stop "$repo/checkpoints/megasam_final.pth should have come with the repository"

cd "$repo"
PYTHONPATH=$repo/UniDepth "$env/bin/python" - << 'PYTHON'
import droid_backends, lietorch, torch, xformers
from unidepth.models import UniDepthV2

assert torch.cuda.is_available(), "PyTorch sees no GPU"
revision = "1d0d3c52f60b5164629d279bb9a7546458e6dcc4"
UniDepthV2.from_pretrained("lpiccinelli/unidepth-v2-vitl14", revision=revision)
torch.hub.load("facebookresearch/dinov2", "dinov2_vitl14", pretrained=False)
PYTHON
echo "${commit:0:12}" > "$folder/installed"
echo "MegaSaM is set up in $folder: anylift run VIDEO --out motion.npz --cameras megasam"
