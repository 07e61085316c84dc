"""Guesses of what a page is, by well-known words in its path."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Guess(NamedTuple):
    """What a page may be.

    Args:
        category: Page group, by the names that the built-in signals read where there is one.
        stage: Funnel stage of its readers; None for pages that say nothing of them.
    """

    category: str
    stage: str | None


_COMPANY: Final = Guess("company", "top")

_TABLE: Final = """
demo bottom: demo demos book-demo request-demo contact-sales talk-to-sales book-a-meeting request-a-quote quote contact
  contact-us kontakt contacto contatto contato beratung anfrage vorfuehrung vorführung
pricing bottom: pricing price prices plans preise preis tarife kosten prix tarif tarifs precios precio planes prezzi
  prezzo precos preços prijzen prijs
security bottom: security trust trust-center legal compliance privacy gdpr dsgvo dpa soc2 soc-2 iso27001 iso-27001 terms
  imprint sicherheit datenschutz impressum agb vertrauen securite sécurité confidentialite confidentialité rgpd
  seguridad privacidad sicurezza seguranca segurança privacidade beveiliging avg mentions-legales
careers top: careers career jobs job join-us we-are-hiring hiring karriere stellen stellenangebote carriere carrières
  carrieres recrutement emploi empleo empleos carreras lavora-con-noi carreiras vagas vacatures werken-bij
customers middle: customers customer case-studies case-study casestudies success-stories customer-stories testimonials
  reviews kunden referenzen erfolgsgeschichten clients temoignages témoignages clientes casos-de-exito clienti klanten
webinars middle: webinar webinars events event veranstaltungen evenements eventos eventi
resources middle: white-paper white-papers whitepaper whitepapers ebook ebooks e-books resources resource library guides
  guide reports downloads download ressourcen leitfaden ressources recursos risorse bronnen
docs middle: docs doc documentation api api-reference developers developer dev help help-center support knowledge-base
  kb faq hilfe dokumentation handbuch aide ayuda aiuto ajuda academy
blog top: blog blogs news newsroom articles article magazine magazin insights stories journal podcast aktuelles
  actualites actualités noticias notizie nieuws changelog
product middle: product products features feature platform solutions solution integrations integration use-cases
  use-case industries tour compare vs produkt produkte funktionen loesungen lösungen plattform produit produits
  fonctionnalites fonctionnalités producto productos funciones soluciones prodotto soluzioni
company top: about about-us company team press partners investors ueber-uns über-uns unternehmen presse partner a-propos
  nosotros quienes-somos empresa chi-siamo sobre over-ons
account: login log-in signin sign-in logout account app dashboard settings anmelden connexion
signup bottom: signup sign-up register trial free-trial get-started start registrieren essai
"""
"""Category, stage and words, in English, German, French, Spanish, Italian, Portuguese and Dutch.

Several words stand as they are joined in paths. A word of two categories is that of the first.
"""


def _by_word() -> dict[str, Guess]:
    found: dict[str, Guess] = {}
    for line in _TABLE.replace("\n  ", " ").strip().split("\n"):
        head, _, words = line.partition(":")
        category, _, stage = head.partition(" ")
        for word in words.split():
            found.setdefault(word, Guess(category, stage or None))
    return found


_BY_WORD: Final = _by_word()

_LONGEST_PHRASE: Final = 3

HOME: Final = Guess("home", "top")
"""The front page, of the whole site or of a language."""

_CODES: Final = (
    "ar bg ca cs da de el en es et fi fr he hi hr hu id it ja ko lt lv ms nb nl no pl pt ro ru sk sl sr sv th tr uk vi "
    "zh at be br ch cn gb jp mx us"
)
_LANGUAGES: Final = frozenset(_CODES.split())
"""Languages, and countries that sites use in their place."""


def guess_page(path: str) -> tuple[str, Guess] | None:
    """Guess what a page is.

    The first folder with a known word decides: ``/blog/security-tips`` is a page of the blog. But ``/company`` and the
    like have pages of all kinds below them.

    Args:
        path: Its path, in small letters, without a language in front.

    Returns:
        The part of the path up to the folder that decides, and the guess; None where no word is known.

    >>> guess_page("/company/jobs/1")
    ('/company/jobs', Guess(category='careers', stage='top'))
    >>> guess_page("/xyz") is None
    True
    """
    if path == "/":
        return "/", HOME
    folders = path.strip("/").split("/")
    guesses = [(depth, folder, guess) for depth, folder in enumerate(folders, start=1) if (guess := guess_word(folder))]
    # Sorting is stable: the first, unless it is about the company in general and a later one is not.
    for depth, folder, guess in sorted(guesses, key=lambda each: each[2] == _COMPANY)[:1]:
        # Below other folders, "/products/a/security" and "/products/b/security" are one thing.
        before = folders[: depth - 1] if depth <= 2 else [folders[0], "*"]  # noqa: PLR2004 - a folder and one in it
        return "/" + "/".join([*before, folder]), guess
    return None


def guess_word(text: str) -> Guess | None:
    """Guess by the words of a folder, a file or a subdomain: the whole of it, then its phrases, the longest first.

    >>> guess_word("our-case-studies.html")
    Guess(category='customers', stage='middle')
    """
    words = [word for word in re.split(r"[-_.+\s]+", re.sub(r"\.(html?|php|aspx?)$", "", text.lower())) if word]
    for length in range(min(len(words), _LONGEST_PHRASE), 0, -1):
        for start in range(len(words) - length + 1):
            if guess := _BY_WORD.get("-".join(words[start : start + length])):
                return guess
    return None


def language_of(path: str) -> str:
    """Return the folder of a language at the beginning of a path, such as ``/de``; empty if there is none.

    >>> language_of("/de/preise"), language_of("/docs")
    ('/de', '')
    """
    first = path.strip("/").split("/")[0]
    language, _, country = first.replace("_", "-").partition("-")
    return f"/{first}" if language in _LANGUAGES and (not country or len(country) == 2) else ""  # noqa: PLR2004 - ISO
