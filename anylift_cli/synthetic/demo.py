"""Makes the clip that ships with the repository: `python -m anylift_cli.synthetic.demo examples/demo.mp4`."""

from __future__ import annotations

import sys

from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_video

DEMO = SceneSpec("demo", "walk", "pan", seconds=4.0, width=960, height=540, seed=11)

if __name__ == "__main__":
    print(write_video(build_scene(DEMO), sys.argv[1]))
