"""Names in zips that say no encoding: UTF-8, as many programs write it, or a code page of DOS, as Windows still does.

The format's own is 437, of the USA; Windows takes 850 in Portuguese and other languages of western Europe, and does not
say so. Read in 437 such names have signs that no name has (`S╞o Bernardo`), or Greek letters within words (`LeΣes`).
One code page is taken for all of an archive, by its names alone: so the same archive always has the same names.
"""

from collections.abc import Iterable

CODE_PAGE, OTHER = "cp437", "cp850"
FRAMES = frozenset("⌐⌠⌡≡∩∙■" + "".join(map(chr, range(0x2500, 0x25A0))))  # and the like
NOT_IN_WORDS = frozenset("αΓπΣστΦΘΩδφε¢¥₧")


def code_page_of(names: Iterable[bytes]) -> str:
    """The code page of an archive with these names. UTF-8 is in none."""
    return OTHER if any(_is_other(name) for name in names if not _is_utf_8(name)) else CODE_PAGE


def decoded(name: bytes, code_page: str) -> str:
    """A name as text."""
    return name.decode("utf-8" if _is_utf_8(name) else code_page)


def is_unclear(name: bytes) -> bool:
    """Whether a name is neither UTF-8 nor in one of the two code pages, by which it has signs that no name has."""
    return not _is_utf_8(name) and _is_strange(name.decode(CODE_PAGE)) and not _is_other(name)


def _is_utf_8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeError:
        return False
    return True


def _is_other(name: bytes) -> bool:
    """Whether a name is strange in one code page, and has letters in their places in the other."""
    one, other = name.decode(CODE_PAGE), name.decode(OTHER)
    differing = (at for at, sign in enumerate(one) if sign != other[at])
    return _is_strange(one) and FRAMES.isdisjoint(other) and all(_fits(other, at) for at in differing)


def _is_strange(name: str) -> bool:
    in_words = (
        sign in NOT_IN_WORDS and (_is_latin(name[at - 1 : at]) or _is_latin(name[at + 1 : at + 2]))
        for at, sign in enumerate(name)
    )
    return not FRAMES.isdisjoint(name) or any(in_words)


def _fits(name: str, at: int) -> bool:
    """Whether a letter stands there, and no capital within a word of small ones, as where it is another code page."""
    before, sign, after = name[at - 1 : at], name[at], name[at + 1 : at + 2]
    may_be_capital = not before.isalpha() or (before.isupper() and not after.islower())
    return sign.isalpha() and (may_be_capital or not sign.isupper())


def _is_latin(sign: str) -> bool:
    return sign.isascii() and sign.isalpha()
