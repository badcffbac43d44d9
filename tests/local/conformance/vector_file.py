"""A file of vectors, which botocore's answers are written to or compared with."""

import argparse
import json
import sys

import botocore


def write_or_check(description, path, vectors):
    """Writes the vectors to `path`; with `--check` on the command line it ends the process if they are not what is there."""
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--check", action="store_true", help="compare instead of writing")
    text = json.dumps(list(vectors), indent=1, ensure_ascii=False) + "\n"
    if not arguments.parse_args().check:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path} is not what botocore {botocore.__version__} signs; run {sys.argv[0]}")
