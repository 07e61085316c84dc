"""Claims about the chain by which readers walk through the site."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulator.engine.streams import Streams
from simulator.settings.site import SiteSettings
from simulator.world.navigation import Navigation


def page(exit_rate: float, **links: float) -> dict[str, Any]:
    """Settings of a page that matter to the chain."""
    words = {"path": "/", "title": "t", "category": "c", "stage": "top"}
    return {**words, "exit_rate": exit_rate, "links": links}


def chain(**pages: dict[str, Any]) -> Navigation:
    """Chain over these pages."""
    return Navigation(SiteSettings.model_validate({"pages": pages}))


@pytest.fixture(scope="module")
def site() -> Navigation:
    """The default site."""
    return Navigation(SiteSettings())


def test_expected_views_of_two_pages_are_those_worked_out_by_hand():
    """A ↔ B with exit rates ½ and ¼, landing on A: 8/5 views of A and 4/5 of B; a page that is all there is: 1 / p."""
    two = chain(a=page(0.5, b=1.0), b=page(0.25, a=1.0))
    np.testing.assert_allclose(two.expected_views(np.array([1.0, 0.0])), [8 / 5, 4 / 5], rtol=1e-12)
    assert chain(a=page(0.2, a=1.0)).expected_views(np.array([1.0]))[0] == pytest.approx(5.0, rel=1e-12)


def test_expected_views_are_the_sum_of_the_powers_of_the_chain(site: Navigation):
    """Landing · (I − P)⁻¹ equals landing · Σ Pᵏ, summed until no visitor is left."""
    landing = site.mix({"home": 2.0, "docs": 1.0, "engineering_blog": 1.0})
    total, here = np.zeros(len(landing)), landing
    while here.sum() > 1e-15:
        total, here = total + here, here @ site.transition
    np.testing.assert_allclose(site.expected_views(landing), total, rtol=1e-12)


def test_rows_of_the_chain_leave_the_exit_rate(site: Navigation):
    """What a row lacks to 1 is the page's exit rate; links share the rest by their weights, landings the whole."""
    np.testing.assert_allclose(1 - site.transition.sum(axis=1), [page.exit_rate for page in site.pages], rtol=1e-12)
    home, product = site.names.index("home"), site.names.index("product")
    assert site.transition[home, product] == pytest.approx(0.68 * 0.40)
    mix = site.mix({"home": 2.0, "docs": 6.0})
    assert (mix[home], mix[site.names.index("docs")], mix.sum()) == (0.25, 0.75, 1.0)


def test_readers_go_on_as_the_chain_says(site: Navigation):
    """From each page, the next pages and the exits of 50,000 readers fit the row of the chain (chi-square)."""
    n = 50_000
    p_values = []
    for here in range(len(site.names)):
        following = site.next_pages(np.full(n, here), Streams(4).uniforms("test", here).at(np.arange(n)))
        row = np.append(site.transition[here], 1 - site.transition[here].sum())
        found = np.bincount(following, minlength=len(row))
        assert not found[row == 0].any()
        p_values.append(stats.chisquare(found[row > 0], n * row[row > 0]).pvalue)
    # Bonferroni: by chance the smallest of 13 falls below this in one of a thousand seeds.
    assert min(p_values) > 1e-3 / len(p_values)


def test_the_edges_of_the_uniform_numbers_stay_on_the_row():
    """The smallest number leads to the first link, the largest out of the site, from whatever page."""
    two = chain(a=page(0.5, b=1.0), b=page(0.25, a=1.0))
    np.testing.assert_array_equal(two.next_pages(np.array([0, 1]), np.full(2, 2.0**-54)), [1, 0])
    np.testing.assert_array_equal(two.next_pages(np.array([0, 1]), np.full(2, 1 - 2.0**-53)), [2, 2])
