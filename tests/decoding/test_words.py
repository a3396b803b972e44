import pytest

from stenod.decoding.words import Token, words
from stenod.transcript import Word, spell

VOCABULARY = [
    "<unk>", "▁hel", "lo", ",", "▁", "world", "▁world", ".", "▁,", "<0xC3>", "<0xA9>", "▁caf", "<|en|>", "<pad>",
    "▁今", "日", "は", "▁it", "'", "s", "▁¿", "Qu", "e", "?", "▁(", "a", ")", "▁—", '▁"', "▁。", "<blk>",
]  # fmt: skip
ID = {text: number for number, text in enumerate(VOCABULARY)}


def spelled(texts, step=0.1):
    return [
        Token(ID[text], index * step, (index + 1) * step, -0.1, 0.9 - 0.1 * index) for index, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ""),
        (["▁hel", "lo", "▁world"], "hello world"),
        (["▁hel", "lo", ",", "▁world", "."], "hello, world."),
        (["▁hel", "lo", "▁,", "▁world"], "hello, world"),
        (["▁", "world"], "world"),
        (["▁", "▁", "world", "▁"], "world"),
        (["world"], "world"),
        (["▁caf", "<0xC3>", "<0xA9>", "▁world"], "café world"),
        (["▁caf", "<0xC3>", "▁world"], "caf\ufffd world"),
        (["▁caf", "<0xA9>"], "caf\ufffd"),
        (["<0xC3>", "<0xA9>"], "é"),
        (["▁hel", "<unk>", "lo"], "hel ⁇ lo"),
        (["<|en|>", "▁world", "<pad>", "<blk>"], "world"),
        (["▁it", "'", "s"], "it's"),
        (["▁hel", "lo", "▁¿", "Qu", "e", "?"], "hello ¿Que?"),
        (["▁world", "▁(", "a", ")"], "world (a)"),
        (["▁hel", "lo", "▁—", "▁world"], "hello — world"),
        (["▁今", "日", "は"], "今日は"),
        (["▁今", "日", "▁。", "▁world"], "今日。 world"),
        (["▁今", "a", "日"], "今a日"),
        ([",", "▁world"], ", world"),
        ([","], ","),
    ],
)
def test_text_is_what_the_tokenizer_decodes(texts, expected):
    assert spell(words(spelled(texts), VOCABULARY)) == expected


def test_a_word_has_the_times_and_the_confidence_of_its_letters():
    found = words(spelled(["▁hel", "lo", ",", "▁", "world", "."]), VOCABULARY)
    assert found == [
        Word("hello,", 0.0, pytest.approx(0.2), pytest.approx(0.8)),
        Word("world.", pytest.approx(0.4), pytest.approx(0.5), pytest.approx(0.5)),
    ]


@pytest.mark.parametrize(("aggregation", "expected"), [("mean", 0.85), ("min", 0.8), ("prod", 0.72)])
def test_confidences_of_tokens_become_one(aggregation, expected):
    [word] = words(spelled(["▁hel", "lo"]), VOCABULARY, aggregation)
    assert word.confidence == pytest.approx(expected)


def test_without_confidences_there_is_none():
    [word] = words([Token(ID["▁world"], 0.0, 0.1, -0.1)], VOCABULARY)
    assert word.confidence is None


def test_scripts_without_spaces_have_a_word_a_token_and_no_space_between():
    found = words(spelled(["▁今", "日", "は", "▁world"]), VOCABULARY)
    assert [(word.text, word.glued) for word in found] == [("今", False), ("日", True), ("は", True), ("world", False)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0.0, 0.4), (0.3, 0.5)], [(0.0, 0.3), (0.3, 0.5)]),  # cut where the next begins
        ([(0.0, 0.1), (0.3, 0.5)], [(0.0, 0.1), (0.3, 0.5)]),
        ([(0.3, 0.5), (0.3, 0.5)], [(0.3, 0.3), (0.3, 0.5)]),  # two on one frame
        ([(0.4, 0.5), (0.3, 0.5)], [(0.4, 0.4), (0.3, 0.5)]),  # never ends before it begins
    ],
)
def test_a_word_ends_no_later_than_the_next_begins(spans, expected):
    tokens = [Token(ID["▁world"], start, end, -0.1) for start, end in spans]
    assert [(word.start, word.end) for word in words(tokens, VOCABULARY)] == expected


def test_a_comma_on_the_frame_of_the_next_word_does_not_cut_its_own():
    tokens = [
        Token(ID["▁hel"], 0.0, 0.1, -0.1),
        Token(ID[","], 0.5, 0.6, -0.1),
        Token(ID["▁world"], 0.5, 0.7, -0.1),
    ]
    assert [(word.text, word.start, word.end) for word in words(tokens, VOCABULARY)] == [
        ("hel,", 0.0, 0.1),
        ("world", 0.5, 0.7),
    ]
