from .running import main
from .scenarios import SCENARIOS
from .stage import Stage

if __name__ == "__main__":
    main("openai_client", Stage, SCENARIOS)
