"""Checks the gateway example with the official Python client of OpenAI.

    python -m openai_client PATH_OF_THE_GATEWAY

Every scenario asks the same of an upstream directly and through two gateways, with the client that blocks and with the
one that awaits. The client has to see the same each time, the upstream too, and each gateway's collector has to get the
one report that belongs to it, or none.
"""
