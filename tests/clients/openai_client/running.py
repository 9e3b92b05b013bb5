"""Runs scenarios, and tells which of them failed."""

import sys
import traceback


def main(package, make_stage, scenarios):
    """The program of a package: its argument is the path of the gateway."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m {package} PATH_OF_THE_GATEWAY")
    stage = make_stage(sys.argv[1])
    try:
        stage.open()
        results = [run(scenario, stage) for scenario in scenarios]
    finally:
        stage.close()
    if not all(results):
        for gateway in stage.gateways:
            print(f"{gateway.name} said:", *gateway.lines, sep="\n  ")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


def run(scenario, stage):
    name = scenario.__name__.replace("_", " ")
    try:
        scenario(stage)
    except Exception as error:
        print(f"FAILED {name}")
        # What differs says enough; anything else is a surprise, and where it came from matters.
        print(error if isinstance(error, AssertionError) else traceback.format_exc())
        return False
    print(f"ok     {name}")
    return True
