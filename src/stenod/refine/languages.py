"""English names of languages, in lower case, as transcription APIs write them out. A table and one function."""

from __future__ import annotations

from typing import Final

_NAMES: Final = (
    "af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, "
    "be belarusian, bg bulgarian, bn bengali, bo tibetan, br breton, bs bosnian, "
    "ca catalan, cs czech, cy welsh, da danish, de german, el greek, en english, "
    "eo esperanto, es spanish, et estonian, eu basque, fa persian, fi finnish, "
    "fo faroese, fr french, ga irish, gl galician, gu gujarati, ha hausa, haw hawaiian, "  # codespell:ignore fo
    "he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, hy armenian, "
    "id indonesian, is icelandic, it italian, ja japanese, jv javanese, jw javanese, "
    "ka georgian, kk kazakh, km khmer, kn kannada, ko korean, la latin, "
    "lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, "
    "mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, "
    "mt maltese, my myanmar, nb norwegian, ne nepali, nl dutch, nn nynorsk, "
    "no norwegian, oc occitan, pa punjabi, pl polish, ps pashto, pt portuguese, "
    "ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak, "
    "sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, "
    "sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai, tk turkmen, "  # codespell:ignore te
    "tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek, vi vietnamese, "
    "yi yiddish, yo yoruba, yue cantonese, zh chinese, zu zulu"
)

LANGUAGES: Final = {code: name for code, _, name in (entry.strip().partition(" ") for entry in _NAMES.split(","))}
"""ISO 639-1 code (639-2 where there is none) to name."""


def language_name(tag: str | None) -> str:
    """The name for a BCP-47 tag (`en-GB`: `english`); an unknown tag is its own name, and no tag is `unknown`."""
    if not tag:
        return "unknown"
    return LANGUAGES.get(tag.replace("_", "-").partition("-")[0].lower(), tag)
