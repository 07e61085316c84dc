"""Claims about buying committees."""

from simulator.components.buying_committee import BuyingCommittee
from simulator.components.live_chat import LiveChat
from tests.helpers.component_runs import assert_truth_is_what_was_seen, requesters, run_with

COMPANIES = {"population": {"accounts": 20, "account_rate": 0.9}}


def test_one_vote_is_enough_for_one() -> None:
    """With a quorum of 1 everybody decides alone: nothing is different from a world without committees."""
    assert run_with(BuyingCommittee("committee", quorum=1), **COMPANIES).events.equals(run_with(**COMPANIES).events)


def test_nobody_of_a_company_requests_before_the_quorum() -> None:
    """Each company that wanted a demo has its votes; with the third vote it requests one, and not before."""
    model = run_with(BuyingCommittee("committee", quorum=3), **COMPANIES)
    votes = model.components["committee"].votes  # type: ignore[attr-defined]
    asked: dict[str, int] = {}
    for visitor in model.visitors:
        if visitor.has_requested and visitor.account:
            asked[visitor.account.account or ""] = asked.get(visitor.account.account or "", 0) + 1
    agreed = {account: len(voters) for account, voters in votes.items() if len(voters) >= 3}
    assert len(agreed) > 10
    # The first two voters may request later, in another visit, when their company is persuaded.
    assert agreed.keys() == asked.keys()
    assert all(asked[account] >= agreed[account] - 2 for account in agreed)
    assert_truth_is_what_was_seen(model)


def test_a_company_that_is_never_persuaded_requests_nothing() -> None:
    """With a quorum beyond all visitors, those without a recognised company request exactly as before; no one else."""
    alone, free = run_with(BuyingCommittee("committee", quorum=10_000), **COMPANIES), run_with(**COMPANIES)
    unrecognised = set(free.outcome.visits.filter(free.outcome.visits["account"].is_null())["anonymous_id"])
    assert requesters(alone) == requesters(free) & unrecognised
    assert 0 < len(requesters(alone)) < len(requesters(free))


def test_only_those_vote_who_want_a_demo_after_all_else() -> None:
    """A chat that dissuades comes before the vote, whichever of the two is named first."""
    chat = LiveChat("chat", agents=50, wants_rate=0.8, effect=-3.0)
    committee = BuyingCommittee("committee", quorum=2)
    one, other = run_with(committee, chat, **COMPANIES), run_with(chat, committee, **COMPANIES)
    assert one.events.equals(other.events)
    voters, undisturbed = (
        model.components["committee"].measures() for model in (one, run_with(committee, **COMPANIES))
    )
    assert voters == other.components["committee"].measures()
    assert 0 < voters["agreed"] < undisturbed["agreed"]


def test_the_truth_is_unknown_with_a_reason() -> None:
    """No signal shows the votes, so no coefficient can be held against an estimate."""
    (reason,) = run_with(BuyingCommittee("committee"), clock={"hours": 1}).truth.unknown
    assert "'committee'" in reason
