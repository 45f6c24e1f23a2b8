"""From pixels to motion on scenes with exact truth: `python benchmarks/synthetic_scenes.py [SCENE ...]`.

The same as `anylift evaluate synthetic`, whose options it takes.
"""

from __future__ import annotations

import sys

from anylift_cli.__main__ import main

if __name__ == "__main__":
    sys.argv[:1] = ["anylift", "evaluate", "synthetic"]
    main()
