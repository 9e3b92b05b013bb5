import sys
import traceback

from .scenarios import SCENARIOS
from .stage import Stage


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python -m openai_client PATH_OF_THE_GATEWAY")
    stage = Stage(sys.argv[1])
    try:
        stage.open()
        results = [run(scenario, stage) for scenario in SCENARIOS]
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


if __name__ == "__main__":
    main()
