from functools import partial

from openai_client.running import main

from .scenarios import PROVIDERS, SCENARIOS
from .stage import Stage

if __name__ == "__main__":
    main("provider_clients", partial(Stage, PROVIDERS), SCENARIOS)
