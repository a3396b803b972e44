import pytest

from stenod.decoding.scripts import allowed, script
from stenod.models.languages import EUROPEAN

VOCABULARY = [
    "▁the", "ß", "ő", "▁да", "Ї", "▁και", "ώ", "▁", ".", "7", "<0xD0>", "<unk>", "<|ru|>", "\u0301", "ª", "aд", "<blk>",
]  # fmt: skip
COMMON = {"▁", ".", "7", "<0xD0>", "<unk>", "<|ru|>", "\u0301", "ª", "<blk>"}
LATIN, CYRILLIC, GREEK = {"▁the", "ß", "ő"}, {"▁да", "Ї"}, {"▁και", "ώ"}

OTHERS = {"bg": "CYRILLIC", "ru": "CYRILLIC", "uk": "CYRILLIC", "el": "GREEK"}


@pytest.mark.parametrize("language", EUROPEAN)
def test_the_languages_of_parakeet_v3_have_a_script(language):
    assert script(language) == OTHERS.get(language, "LATIN")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", LATIN),
        ("en-GB", LATIN),
        ("DE_at", LATIN),
        ("ru", CYRILLIC),
        ("uk", CYRILLIC),
        ("el", GREEK),
        ("sr", CYRILLIC),
        ("sr-Latn", LATIN),
        ("sr-Cyrl-RS", CYRILLIC),
    ],
)
def test_only_tokens_of_the_script_and_those_of_none_may_be_written(language, expected):
    mask = allowed(VOCABULARY, language)
    assert mask is not None
    assert {text for text, may in zip(VOCABULARY, mask, strict=True) if may} == expected | COMMON


@pytest.mark.parametrize(
    ("vocabulary", "language"),
    [
        (VOCABULARY, None),  # the recogniser decides
        (VOCABULARY, "ja"),  # of no script that is constrained
        (["▁the", "a", ".", "<blk>"], "en"),  # nothing to take away
        (["▁the", "a", ".", "<blk>"], "ru"),  # nothing would be left
    ],
)
def test_where_nothing_is_to_be_constrained_there_is_no_mask(vocabulary, language):
    assert allowed(vocabulary, language) is None
