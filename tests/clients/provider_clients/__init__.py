"""Checks the gateway example with the official Python clients of providers other than OpenAI.

    python -m provider_clients PATH_OF_THE_GATEWAY

Every scenario asks the same of an upstream directly and through two gateways. The application has to see the same each
time, the upstream too, and each gateway's collector has to get the one report that belongs to it, or none.
"""
