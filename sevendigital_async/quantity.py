"""Numbers with their nouns, for messages."""


def pluralize(number: int, noun: str = "play") -> str:
    """Return a number with its noun: ``1 play``, ``2,000 plays``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
