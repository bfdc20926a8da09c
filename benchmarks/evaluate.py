"""What an evaluation costs, part by part: python benchmarks/evaluate.py PART [options]; each part has its --help."""

import argparse

import judging

PARTS = {"judging": judging}
"""Modules of this folder with `add_arguments` and `run`."""


def main() -> None:
    """Run a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, part in PARTS.items():
        own = parts.add_parser(name, description=part.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        part.add_arguments(own)
    arguments = parser.parse_args()
    PARTS[arguments.part].run(arguments)


if __name__ == "__main__":
    main()
