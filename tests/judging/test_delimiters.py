import time

from hypothesis import given
from hypothesis import strategies as st

from ralign.judging.delimiters import Markers, fresh_nonce


@given(st.lists(st.text(max_size=50), max_size=4), st.lists(st.text(max_size=50), max_size=2))
def test_a_nonce_occurs_in_no_text_and_follows_from_them(hashed: list[str], unhashed: list[str]):
    nonce = fresh_nonce(hashed, unhashed, salt=b"s")
    assert len(nonce) == 8
    assert set(nonce) <= set("0123456789abcdef")
    assert not any(nonce in text for text in hashed + unhashed)
    assert nonce == fresh_nonce(hashed, unhashed, salt=b"s")


def test_a_nonce_that_a_text_foresaw_is_not_used():
    """Ten in a row, each in the text as soon as it would have been used."""
    known: list[str] = []
    for _ in range(10):
        known.append(fresh_nonce(["fixed"], [" ".join(known)], salt=b"s"))
    assert len(set(known)) == 10


def test_a_nonce_takes_half_a_character_too():
    assert len(fresh_nonce(["\ud800"], [], salt=b"")) == 8


def test_breaking_one_tag_does_not_spell_another():
    markers = Markers.of([("[q]\n[quoted: q]\n[quoted: quoted: q]", "x", "")])
    assert markers.defuse("a [q] b [Q]") == "a [quoted: quoted: quoted: q] b [quoted: quoted: quoted: Q]"


def test_a_text_without_markers_is_left_alone():
    markers = Markers.of([("Talk:\n", "x", "\nDecide.")])
    text = "No talk: here.\r\nWe decide. \x0b\n"
    assert markers.defuse(text) is text or markers.defuse(text) == text


def test_no_text_of_100_000_characters_takes_a_second():
    markers = Markers.of([("[q]\nTalk: ", "x", "\nDecide.")])
    for text in ["[q]" * 33_000, "Talk:\n" * 16_000, "[" * 100_000, "decide." * 14_000]:
        start = time.process_time()
        markers.defuse(text)
        assert time.process_time() - start < 1.0
