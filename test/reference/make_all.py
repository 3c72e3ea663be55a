"""Write every golden file, or only the groups named on the command line.

Usage: python test/reference/make_all.py [networks] [layers] ...
Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0.
"""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

from common import prepare

GROUPS = (
    "networks",
    "deepcache",
    "layers",
    "text",
    "text_families",
    "text_tokenizers",
    "audio_towers",
    "mels",
    "resample",
    "spectra",
    "clap_features",
    "pipelines",
    "tensor_ops",
    "conversions",
    "conversion_names",
    "evaluation_metrics",
    "torch_files",
    "clap_model",
)
PROGRAMS = ("schedulers",)  # scripts of their own, each writing the golden of its name


def main(names):
    """Run the chosen groups in their listed order."""
    known = (*GROUPS, *PROGRAMS)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"Expected groups out of {', '.join(known)} but received {unknown}")
    warnings.simplefilter("ignore")
    prepare()
    for name in GROUPS:
        if not names or name in names:
            importlib.import_module(name).make()
    for name in PROGRAMS:
        if not names or name in names:
            subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py")], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
