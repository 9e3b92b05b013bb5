"""What is true when all is over."""

from collections import Counter

from ..clients import API_KEY
from ..comparing import expect, expect_same


def after_a_signal_a_gateway_ends_well_and_has_reported_each_call_once(stage):
    for gateway in stage.gateways:
        what = gateway.name
        code = gateway.stop()
        expect(code == 0, f"{what} ended with {code}")
        sessions = Counter(post.body["session"] for post in gateway.collector.reports)
        expect_same(dict(sessions), dict(Counter(gateway.expected_sessions)), f"{what}: the reports of each session")
        expect_same(len(gateway.collector.uploads), gateway.expected_uploads, f"{what}: the number of uploads")
        keys = [post.headers["idempotency-key"] for post in gateway.collector.posts]
        expect_same(len(set(keys)), len(keys), f"{what}: the number of different keys")
        lost = [line for line in gateway.lines if line.startswith("not delivered")]
        expect_same(lost, [], f"{what}: what it says it lost")
        expected = final_counts(gateway)
        expect_same(gateway.lines[-1][: len(expected)], expected, f"{what}: what it counted")
        expect_same(gateway.collector.problems, [], f"{what}: the problems of its collector")
    expect_same(stage.upstream.problems, [], "the problems of the upstream")


def final_counts(gateway):
    delivered, refused = len(gateway.expected_sessions), gateway.expected_refusals
    withheld = f"{refused} withheld (refused {refused})" if refused else "0 withheld"
    return (
        f"final counts: {delivered + refused} captured = {delivered} delivered + 0 rejected"
        f" + 0 dropped + {withheld} + 0 pending + 0 spooled; "
    )


def nobody_tells_the_key_of_the_caller(stage):
    for gateway in stage.gateways:
        told = [post.text for post in gateway.collector.posts] + gateway.lines
        expect(not any(API_KEY in text for text in told), f"{gateway.name} tells the key")


SCENARIOS = (
    after_a_signal_a_gateway_ends_well_and_has_reported_each_call_once,
    nobody_tells_the_key_of_the_caller,
)
