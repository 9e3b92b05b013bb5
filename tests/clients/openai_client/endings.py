"""What is true when all is over."""

from .comparing import expect_same


def after_a_signal_a_gateway_ends_well_and_has_reported_each_call_once(stage):
    for gateway in stage.gateways:
        gateway.expect_good_end()
    expect_same(stage.upstream.problems, [], "the problems of the upstream")


def nobody_tells_the_key_of_the_caller(stage):
    for gateway in stage.gateways:
        gateway.expect_no_key()


SCENARIOS = (
    after_a_signal_a_gateway_ends_well_and_has_reported_each_call_once,
    nobody_tells_the_key_of_the_caller,
)
