"""Declares the strategy; imports nothing but mgc."""

from collections.abc import Iterator

from mgc import StrategyInfo, hookimpl


@hookimpl
def mgc_strategies() -> Iterator[StrategyInfo]:
    """A product of the members, with learnt powers."""
    yield StrategyInfo(
        name="log-pool",
        summary="the product of the members' probabilities, each to a learnt power (cvxpy)",
        load="mgc_log_pool.pool:LogPool",
        learns="held-out",
        requires=("cvxpy", "clarabel"),
        install="pip install mgc-log-pool",
    )
