"""Countries and the world regions that analysts segment by."""

from __future__ import annotations

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

See :func:`analytics.events.enrichment.enrich`, which also knows the full names of the commonest countries.
"""
