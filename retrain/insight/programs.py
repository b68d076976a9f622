"""How a program of this installation is called here, so that it can be pasted."""

import os
import shutil
import sys
from pathlib import Path


def program_here(name: str) -> list[str]:
    """The words before the arguments of `retrain` or `label_image`."""
    script = shutil.which(name, path=str(Path(sys.executable).parent))
    if script is None:
        return [sys.executable, "-m", name]
    on_path = shutil.which(name)
    if on_path is not None and os.path.samefile(script, on_path):
        return [name]
    here = os.path.relpath(script)
    return [script if here.startswith(os.pardir) else here]
