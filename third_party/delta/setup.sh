#!/bin/bash
# Sets up DELTA in $ANYLIFT_TOOLS/delta, by default ~/.local/share/anylift/tools/delta: its repository at a pinned
# commit, a virtual environment with Python 3.10, PyTorch for CUDA 12.1 and what its 2D demo imports, and the weights of
# dense 2D tracking. Needs git, Python 3.10, and an NVIDIA GPU with its driver; nothing is compiled. Run it again to go
# on after a failure. UniDepth, xformers and pytorch3d of its README serve its 3D demo only, and are left out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
commit=4e2c508b5579a9503f373d20cd7978eb8f5774c6
weights_id=1S_T7DzqBXMtr0voRC_XUGn1VTnPk_7Rm
python=${PYTHON:-python3.10}
folder=${ANYLIFT_TOOLS:-${XDG_DATA_HOME:-$HOME/.local/share}/anylift/tools}/delta
env=$folder/env repo=$folder/repo

stop() { echo "error: $1" >&2; exit 4; }
for program in git "$python" nvidia-smi; do
  command -v "$program" > /dev/null || stop "$program is not installed; $here/README.md says what is needed"
done
nvidia-smi -L | grep -q '^GPU ' || stop "nvidia-smi shows no GPU"

mkdir -p "$folder"
rm -f "$folder/installed"
[ -d "$repo/.git" ] || git clone https://github.com/snap-research/DELTA_densetrack3d.git "$repo"
git -C "$repo" checkout --quiet --detach "$commit"

[ -x "$env/bin/python" ] || "$python" -m venv "$env"
"$env/bin/python" -m pip install torch==2.2.2 torchvision==0.17.2 --index-url https://download.pytorch.org/whl/cu121
"$env/bin/python" -m pip install 'numpy<2' einops jaxtyping opencv-python-headless tqdm mediapy 'imageio[ffmpeg]' \
  pillow matplotlib flow_vis gdown

weights=$repo/checkpoints/densetrack2d.pth
mkdir -p "$(dirname "$weights")"
if [ ! -f "$weights" ]; then
  "$env/bin/gdown" --continue "$weights_id" --output "$weights.incomplete"
  "$env/bin/python" -c 'import sys, torch; torch.load(sys.argv[1], map_location="cpu")' "$weights.incomplete"
  mv "$weights.incomplete" "$weights"
fi

cd "$repo"
"$env/bin/python" demo_2d.py --help > /dev/null
"$env/bin/python" -c 'import torch; assert torch.cuda.is_available(), "PyTorch sees no GPU"'
echo "${commit:0:12}" > "$folder/installed"
echo "DELTA is set up in $folder: anylift run VIDEO --object MESH --points FILE --object-tracker delta …"
