"""`heso reject`: no, signed."""

import argparse

from heso.cli.deciding import add_decision, decide


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_decision(parser)


def run(options: argparse.Namespace) -> int:
    return decide(options, "rejected")
