"""Countries by code, name or time zone, and the world regions that analysts segment by."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

REGIONS: Final = ("north_america", "europe", "asia_pacific", "latin_america", "middle_east_africa")
"""World regions, the usual sales territories of a software company."""

# Every code, uninhabited territories too: an address can be registered anywhere. Mexico is in Latin America, as in most
# sales territories. XK is Kosovo, for which the standard leaves a code to its users.
_COUNTRIES_OF_REGION: Final = {
    "north_america": "US CA BM GL PM UM",
    "europe": (
        "AD AL AM AT AX AZ BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GE GG GI GR HR HU IE IM IS IT JE LI LT LU "
        "LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK"
    ),
    "asia_pacific": (
        "AF AQ AS AU BD BN BT BV CC CK CN CX FJ FM GS GU HK HM ID IN IO JP KG KH KI KP KR KZ LA LK MH MM MN MO MP MV "
        "MY NC NF NP NR NU NZ PF PG PH PK PN PW SB SG TF TH TJ TK TL TM TO TV TW UZ VN VU WF WS"
    ),
    "latin_america": (
        "AG AI AR AW BB BL BO BQ BR BS BZ CL CO CR CU CW DM DO EC FK GD GF GP GT GY HN HT JM KN KY LC MF MQ MS MX NI "
        "PA PE PR PY SR SV SX TC TT UY VC VE VG VI"
    ),
    "middle_east_africa": (
        "AE AO BF BH BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IL IQ IR JO KE KM KW LB LR LS LY "
        "MA MG ML MR MU MW MZ NA NE NG OM PS QA RE RW SA SC SD SH SL SN SO SS ST SY SZ TD TG TN TR TZ UG YE YT ZA ZM ZW"
    ),
}

REGION_OF_COUNTRY: Final[dict[str, str]] = {
    country: region for region, countries in _COUNTRIES_OF_REGION.items() for country in countries.split()
}
"""World region of every ISO 3166-1 alpha-2 country code, in capitals; events may have other spellings.

See :func:`country_of`, which knows names and other codes.
"""

# Forms of government, without which the long name of a state is mostly its short one.
_FORMS: Final = frozenset(
    [
        "arab",
        "bolivarian",
        "commonwealth",
        "cooperative",
        "democratic",
        "duchy",
        "eastern",
        "federal",
        "federated",
        "federative",
        "grand",
        "hashemite",
        "independent",
        "islamic",
        "kingdom",
        "peoples",
        "plurinational",
        "principality",
        "province",
        "republic",
        "socialist",
        "state",
        "states",
        "sultanate",
        "union",
        "united",
    ]
)
# Codes that are not ISO's but stand in data; names as people and location services write them.
_MORE: Final = {
    "UK": "GB",
    "EL": "GR",
    "XKX": "XK",
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Northern Ireland": "GB",
    "Great Britain": "GB",
    "America": "US",
    "USA": "US",
    "U.S.": "US",
    "U.S.A.": "US",
    "Holland": "NL",
    "Burma": "MM",
    "Ivory Coast": "CI",
    "Cape Verde": "CV",
    "Swaziland": "SZ",
    "Macedonia": "MK",
    "Czech Republic": "CZ",
    "Slovak Republic": "SK",
    "Kyrgyz Republic": "KG",
    "Gabonese Republic": "GA",
    "Lebanese Republic": "LB",
    "Rwandese Republic": "RW",
    "Togolese Republic": "TG",
    "Argentine Republic": "AR",
    "French Republic": "FR",
    "Hellenic Republic": "GR",
    "Italian Republic": "IT",
    "Portuguese Republic": "PT",
    "Swiss Confederation": "CH",
    "Mexican States": "MX",
    "South Korea": "KR",
    "Korea": "KR",
    "Bosnia": "BA",
    "North Korea": "KP",
    "DR Congo": "CD",
    "DRC": "CD",
    "Congo Kinshasa": "CD",
    "Congo Brazzaville": "CG",
    "East Timor": "TL",
    "Turkey": "TR",
    "Palestine": "PS",
    "Macau": "MO",
    "Hong Kong": "HK",
    "Hong Kong Special Administrative Region of China": "HK",
    "Macao Special Administrative Region of China": "MO",
    "Vatican": "VA",
    "Holy See (Vatican City State)": "VA",
    "Virgin Islands of the United States": "VI",
    "US Virgin Islands": "VI",
    "UAE": "AE",
    "Hongkong": "HK",
    "Hong Kong SAR": "HK",
    "Macao SAR": "MO",
    "Macau SAR": "MO",
    "Republic of China": "TW",
    "中華民國": "TW",
    "香港": "HK",
    "澳門": "MO",
    "臺灣": "TW",
    "台湾": "TW",
    "한국": "KR",
    "Česká republika": "CZ",
    "Российская Федерация": "RU",
}
# ISO's numbers without their zeros that are dialling codes too, of other countries.
_DIALLING: Final = frozenset(
    map(
        str,
        [1, 7, 20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67), 81, 82, 84, 86],
    )
) | frozenset(map(str, range(90, 99)))
# A language with its country, as browsers write it: de-DE, zh_Hant_TW. DE-BE is a part of a country, Berlin.
_LOCALE: Final = re.compile(r"[a-z]{2,3}[-_](?:[A-Z][a-z]{3}[-_])?([A-Z]{2})")
# Names of hours that several countries keep, which the database gives to one of them.
_SHARED_ZONES: Final = frozenset(["cet", "eet", "est", "met", "wet"])


@lru_cache(10_000)
def country_of(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country.

    Args:
        text: Alpha-2 or alpha-3 code, numeric code, locale (``de-AT``), or name in one of ten larger languages or an
            official language of the country, in either case. A numeric code may lack its zeros, unless it is a
            dialling code too. Word order, accents and articles make no difference: ``Korea, Republic of``.

    Returns:
        The code in capitals; None for what is no country. Source of the names: Unicode CLDR, by Babel, which Google
        Analytics uses too, and ISO 3166.

    >>> country_of("at"), country_of("DEU"), country_of("Belgium"), country_of("Österreich"), country_of("Narnia")
    ('AT', 'DE', 'BE', 'AT', None)
    """
    locale = _LOCALE.fullmatch(text.strip())
    code = locale[1] if locale else text.strip().upper()
    # Most streams have codes, for which no list is loaded.
    if code in REGION_OF_COUNTRY:
        return code
    if code.isdecimal() and code not in _DIALLING:
        code = code.zfill(3)
    names, words = _names(), _words(text)
    return _codes().get(code) or names.get(words) or names.get(tuple(word for word in words if word not in _FORMS))


@lru_cache(10_000)
def country_of_zone(zone: str) -> str | None:
    """Return the country of an IANA time zone; of several, the one after whose city the zone is named.

    Args:
        zone: Name of the time zone, in either case; old names too.

    Returns:
        The code in capitals; None for UTC, offsets, and names such as ``CET`` that stand for several countries.
        Source: ``zone.tab`` of the time zone database and, for old names, Unicode CLDR, by Babel.

    >>> country_of_zone("Europe/Vienna"), country_of_zone("Asia/Calcutta"), country_of_zone("UTC")
    ('AT', 'IN', None)
    """
    return _zones().get(zone.strip().lower())


def _words(name: str) -> tuple[str, ...]:
    """Words of a name in order of the alphabet, without accents and articles."""
    plain = unicodedata.normalize("NFKD", name.casefold()).replace("&", " and ")
    plain = re.sub(r"[\u0300-\u036f'\u2019.]", "", plain)
    words = ("saint" if word == "st" else word for word in re.findall(r"[^\W_]+", plain))
    return tuple(sorted(word for word in words if word not in {"the", "of", "and"}))


@cache
def _codes() -> dict[str, str]:
    """Alpha-2 codes by alpha-3 and numeric ones."""
    from babel.core import get_global  # noqa: PLC0415 - only where countries are not alpha-2 codes

    aliases = get_global("territory_aliases")
    return {old: new[0] for old, new in aliases.items() if len(new) == 1 and new[0] in REGION_OF_COUNTRY}


@cache
def _names() -> dict[tuple[str, ...], str]:
    """Alpha-2 codes by the words of names; a name that several have is left out, unless it is the first's own."""
    import iso3166  # noqa: PLC0415 - only where countries are not alpha-2 codes
    from babel import Locale  # noqa: PLC0415 - likewise

    own = [(name, country.alpha2) for country in iso3166.countries for name in (country.name, country.apolitical_name)]
    for language in ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "ja", "zh", "zh_Hant"):
        own += [(name, code) for code, name in Locale(language).territories.items() if code in REGION_OF_COUNTRY]
    native = files("analytics.events").joinpath("data/native_names.txt").read_text("utf-8").splitlines()
    rows = (line.split(": ", 1) for line in native if not line.startswith("#"))
    own += [(name, code) for code, several in rows for name in several.split(" | ")]
    names: dict[tuple[str, ...], str] = {}
    for name, code in (*_MORE.items(), *own):
        names.setdefault(_words(name), code)
    short: dict[tuple[str, ...], set[str]] = {}
    for words, code in names.items():
        short.setdefault(tuple(word for word in words if word not in _FORMS), set()).add(code)
    return {words: next(iter(codes)) for words, codes in short.items() if words and len(codes) == 1} | names


@cache
def _zones() -> dict[str, str]:
    """Countries by the names of zones in small letters."""
    from babel.core import get_global  # noqa: PLC0415 - only where there are time zones

    table = files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8").splitlines()
    zones = {zone: country for country, _, zone, *_ in (line.split("\t") for line in table if line[0] != "#")}
    # Not the links of the time zone database: they lead to merged zones, from Iceland to Abidjan.
    current = {**get_global("zone_territories"), **zones}
    old = {name: current[zone] for name, zone in get_global("zone_aliases").items() if zone in current}
    found = {zone.lower(): country for zone, country in (old | current).items() if country in REGION_OF_COUNTRY}
    return {zone: country for zone, country in found.items() if zone not in _SHARED_ZONES}
