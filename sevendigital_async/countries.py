"""Country codes: ISO 3166-1 alpha-2, in either case."""

from __future__ import annotations

from iso3166 import countries_by_alpha2, countries_by_alpha3, countries_by_name, countries_by_numeric

ALPHA_2: tuple[str, ...] = tuple(sorted(countries_by_alpha2))
"""All codes, in upper case."""

COUNTRY_CODES: frozenset[str] = frozenset(ALPHA_2) | frozenset(map(str.lower, ALPHA_2))
"""All codes, in upper and in lower case."""

NON_ISO_CODES = {"UK": "GB", "EL": "GR"}
"""Codes that other standards have and this one does not."""

MIN_NAME_LENGTH = 4
MAX_QUOTED_LENGTH = 60


def country_problem(code: object) -> str | None:
    """Return what is wrong with a country code, as the end of a sentence about it; None if nothing is."""
    if isinstance(code, str) and code in COUNTRY_CODES:
        return None
    rule = "must be an ISO 3166-1 alpha-2 code such as GB"
    if not isinstance(code, str) or len(code) > MAX_QUOTED_LENGTH:
        return rule
    meant = _intended_code(code.strip().upper())
    return f"{rule}, not {code!r}" + (f": did you mean {meant}?" if meant else "")


def _intended_code(code: str) -> str | None:
    """Return the code of a country that another code, or a name, stands for."""
    if code in countries_by_alpha2:
        return code
    if code in NON_ISO_CODES:
        return NON_ISO_CODES[code]
    country = countries_by_alpha3.get(code) or countries_by_numeric.get(code)
    if country is None and len(code) >= MIN_NAME_LENGTH:
        named = [each for name, each in countries_by_name.items() if name.startswith(code)]
        country = countries_by_name.get(code) or (named[0] if len(named) == 1 else None)
    return country.alpha2 if country else None
