"""Claims about the intent model over many replications: the coverage of its intervals is nominal."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
import pytest

from scenarios.cli.text.studies import study_text
from scenarios.scenario import Scenario
from scenarios.study import Study


def joint_z(n_comparisons: int) -> float:
    """Standard errors that none of so many comparisons exceeds, but by the chance of a single one to exceed three.

    Bonferroni: each may err with 0.0027 / n; for 19 terms that is 3.8 standard errors instead of 3.
    """
    single = 2 * (1 - NormalDist().cdf(3))
    return NormalDist().inv_cdf(1 - single / n_comparisons / 2)


def study(name: str, **changes: Any) -> Study:
    """A study of the library, with changes."""
    data = {key: value for key, value in Study.load(name).settings.model_dump(mode="json").items() if value is not None}
    return Study.from_dict({**data, **changes})


@pytest.mark.validation
def test_the_library_study_of_coverage_finds_the_model_right(tmp_path: Any):
    """Where the logit is exactly right each term's 95 % interval covers the truth in 95 % of 500 replications.

    Decoys are found significant at 5 % in 5 % of them, and mean standardised errors are 0. Each within 3 Monte-Carlo
    standard errors, widened so that all comparisons together have the chance of error of one.
    """
    results = study("coverage").run()
    print(f"\n{study_text(results, tmp_path)}")
    table = results.estimates
    assert table["n"].to_list() == [500] * 19
    decoys = table.filter(pl.col("true_coefficient") == 0)
    assert {"careers_page_view", "tech_blog_referral"} <= set(decoys["term"])
    z = joint_z(2 * table.height + decoys.height)
    se = np.sqrt(0.05 * 0.95 / 500)
    assert np.abs(table["coverage"].to_numpy() - 0.95).max() < z * se
    assert np.abs(decoys["rejected"].to_numpy() - 0.05).max() < z * se
    assert np.abs(table["mean_z"].to_numpy() * np.sqrt(500)).max() < z


@pytest.mark.validation
def test_where_accounts_differ_unseen_only_clustered_intervals_cover_what_is_estimated(tmp_path: Any):
    """With account_sd 1, intervals clustered by account cover the pseudo-true values; naive ones of accounts do not.

    The pseudo-true value of a term is what the model estimates ever better from ever more visits: it is found on the
    visits of 60 other replications pooled, whose own error adds 1 part in 60 to the variance. Over all terms together
    clustered intervals cover it in 95 % of 500 replications, within 3 standard errors taken over replications.

    For the terms that people of an account share (its size, its region) accounts are few: effectively 11 enterprises.
    There clustered intervals are too short, as the model warns, and those by the jackknife over accounts cover as
    promised or more often, within the joint tolerance of the three; naive ones cover what an account's size estimates
    in fewer than 80 %.
    """
    shared = ("company_enterprise", "region_europe", "region_asia_pacific")
    ends = {f"{end}:{term}": f'jackknife_ci_{end}("{term}")' for term in shared for end in ("low", "high")}
    plan = study("coverage-heterogeneous", seed=31, replications=500, responses=ends)
    results = plan.run()
    print(f"\n{study_text(results, tmp_path)}")
    pooled = _pooled_estimates(plan.loaded.scenarios[0], seed=99, n=60)
    # A replication in which the model could not be fitted has no intervals to judge.
    wide = results.wide.drop_nulls("coefficient:intercept")
    assert wide.height >= 490
    hits = {
        kind: np.stack(
            [
                np.abs(wide[f"coefficient:{term}"].to_numpy() - target) <= 1.96 * wide[f"{kind}:{term}"].to_numpy()
                for term, target in pooled.items()
            ]
        )
        for kind in ("standard_error", "nonrobust_standard_error")
    }
    covered, naively = (dict(zip(pooled, each.mean(axis=1), strict=True)) for each in hits.values())
    for term, target in pooled.items():
        print(f"{term:40} pseudo-true {target:+.3f}, covered {covered[term]:.3f}, naively {naively[term]:.3f}")
    tolerance = joint_z(len(shared)) * np.sqrt(0.05 * 0.95 / wide.height)
    for term in shared:
        low, high = wide[f"low:{term}"].to_numpy(), wide[f"high:{term}"].to_numpy()
        by_jackknife = ((low <= pooled[term]) & (pooled[term] <= high)).mean()
        print(f"{term:40} covered by the jackknife {by_jackknife:.3f}")
        assert by_jackknife > 0.95 - tolerance
    of_replication = hits["standard_error"].mean(axis=0)
    assert abs(of_replication.mean() - 0.95) < 3 * of_replication.std(ddof=1) / np.sqrt(wide.height)
    assert naively["company_enterprise"] < 0.8
    # Attenuation: what has an effect is drawn towards 0.
    truth = dict(zip(results.estimates["term"], results.estimates["true_coefficient"], strict=True))
    for term in ("white_paper_download", "security_page_view", "pricing_page_view"):
        assert 0 < pooled[term] < truth[term]


def _pooled_estimates(scenario: Scenario, seed: int, n: int) -> dict[str, float]:
    """Coefficients by term of one fit on the visits of many replications."""
    from analytics.intent.model import IntentModel  # noqa: PLC0415

    tables = []
    for replication in range(n):
        visits = scenario.run(seed=seed, replication=replication).analysis.visits
        apart = [(pl.col(name).cast(pl.String) + f"#{replication}").alias(name) for name in ("anonymous_id", "account")]
        tables.append(visits.with_columns(apart))
    model = IntentModel(interactions=scenario.analytics.interactions).fit(pl.concat(tables))
    return dict(zip(model.coefficients["signal"], model.coefficients["coefficient"], strict=True))


WORLDS: dict[str, dict[str, Any]] = {
    "paid-campaign": {"traffic.campaigns.broad-words.visitors": 1500},
    "launch-spike": {"traffic.visitors_per_day": 3000},
    "pricing-ab-test": {"traffic.visitors_per_day": 3000},
    # Whoever has attended must come back for a decision after it.
    "webinar": {
        "clock.hours": 48,
        "traffic.visitors_per_day": 9000,
        "visits.gap_hours": 6.0,
        "visits.return_rate": 0.7,
        "components.webinar.at_hour": 18.0,
        "components.webinar.attend_rate": 0.9,
    },
    # So many requests wait that the banner is on for a part of the day only.
    "discount-banner": {"components.banner.shown_below": 500},
    "live-chat": {},
    "nurture-email": {"clock.hours": 48, "traffic.visitors_per_day": 3000, "components.mail.delay_hours": 2.0},
    "retargeting": {"traffic.visitors_per_day": 3000},
    "sales-bottleneck": {"traffic.visitors_per_day": 400},
    "web-server": {},
}
"""Worlds of the library in which the logit is right, with what makes a small one with requests for every term.

To each the overrides of the study of coverage apply too.
"""

LIKE_BASELINE = {"baseline", "month", "low-traffic-startup"}
"""The world of that study, for longer or with less traffic."""


def why_wrong(name: str) -> str:
    """Why the logit is not the true model of what is observed in a world of the library; empty if it is."""
    run = Scenario.load(name, {"clock.hours": 1, "traffic.visitors_per_day": 240}).run()
    if run.truth.why_unknown:
        return run.truth.why_unknown
    if any(run.truth.personas.values()):
        return "personas differ in what no signal shows"
    return "" if run.scenario.tracking.is_lossless else "tracking loses or adds events"


def test_of_every_other_world_it_is_known_why_the_logit_is_wrong():
    """A scenario of the library is one of those whose coverage is checked, or has a reason why its is not."""
    reasons = {name: why_wrong(name) for name in Scenario.library()}
    print("", *(f"{name}: {reason or 'right'}" for name, reason in reasons.items()), sep="\n")
    assert {name for name, reason in reasons.items() if not reason} == WORLDS.keys() | LIKE_BASELINE


@pytest.mark.validation
@pytest.mark.parametrize("name", WORLDS)
def test_intervals_cover_the_truth_in_other_worlds(name: str):
    """Of 100 runs 95 % of the intervals hold the truth, and mean standardised errors of all terms are 0.

    Terms of a run depend on each other, so that the standard error is that of the mean share per run. Tolerances are 3
    of them, widened so that all worlds together have the chance of error of one.
    """
    scenario, n = Scenario.load(name, {**study("coverage").settings.overrides, **WORLDS[name]}), 100
    tables = [scenario.run(seed=41, replication=replication).analysis.intent.coefficients for replication in range(n)]
    terms = tables[0]["signal"].to_list()
    assert all(table["signal"].to_list() == terms for table in tables)
    shares = np.array([table["ci_covers_truth"].mean() for table in tables])
    error = shares.std(ddof=1) / np.sqrt(n)
    standardised = (pl.col("coefficient") - pl.col("true_coefficient")) / pl.col("standard_error")
    z = np.stack([table.select(standardised).to_series().to_numpy() for table in tables]).sum(axis=0) / np.sqrt(n)
    print(
        f"\n{name}: {shares.mean():.4f} of {shares.size * len(terms):,} intervals cover, SE {error:.4f}; "
        f"largest sum of errors {z[np.abs(z).argmax()]:+.2f} of {terms[np.abs(z).argmax()]}",
        end="",
    )
    assert abs(shares.mean() - 0.95) < joint_z(len(WORLDS)) * error
    assert np.abs(z).max() < joint_z(len(WORLDS) * len(terms))
