"""What is compared, and how."""

import json
import re

SOME_NUMBER = re.compile(r"\d+")
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Number(str):
    """A number as it was spelled, so that 1, 1.0 and 1e0 are different."""


def parsed(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def as_sent(value):
    """A value as it is after a way over the wire."""
    return parsed(json.dumps(value))


def differences(actual, expected, path=""):
    """One line for every place at which two values differ. A pattern stands for every text that it matches."""
    if isinstance(expected, re.Pattern):
        if not isinstance(actual, str) or not expected.fullmatch(actual):
            yield f"{path} is {shown(actual)}, expected something like {expected.pattern!r}"
    elif isinstance(actual, dict) and isinstance(expected, dict):
        for key in {**expected, **actual}:
            if key not in actual:
                yield f"{path}.{key} is missing, expected {shown(expected[key])}"
            elif key not in expected:
                yield f"{path}.{key} is {shown(actual[key])}, expected to be absent"
            else:
                yield from differences(actual[key], expected[key], f"{path}.{key}")
    elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        for i, pair in enumerate(zip(actual, expected)):
            yield from differences(*pair, f"{path}[{i}]")
    elif type(actual) is not type(expected) or actual != expected:
        yield f"{path} is {shown(actual)}, expected {shown(expected)}"


def shown(value):
    text = repr(value)
    return text if len(text) < 500 else f"{text[:400]}… of {len(text)} characters"


def expect_same(actual, expected, what):
    found = list(differences(actual, expected, what))
    if found:
        raise AssertionError("\n".join(found))


def expect(is_right, problem):
    if not is_right:
        raise AssertionError(problem)
