"""Write every golden file, or only the groups named on the command line.

Usage: python test/reference/make_all.py [networks] [layers] ...
Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0.
"""

import importlib
import sys
import warnings

from common import prepare

GROUPS = ("networks", "layers", "text", "mels", "pipelines")


def main(names):
    """Run the chosen groups in their listed order."""
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise SystemExit(f"Expected groups out of {', '.join(GROUPS)} but received {unknown}")
    warnings.simplefilter("ignore")
    prepare()
    for name in GROUPS:
        if not names or name in names:
            importlib.import_module(name).make()


if __name__ == "__main__":
    main(sys.argv[1:])
