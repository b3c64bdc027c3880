from veneer.core.cors import CorsRules
from veneer.core.fields import Fields
from veneer.pipeline.cors import MAX_ORIGIN_CHARS, CorsMemory

RULES = CorsRules()


def said(origin: str) -> Fields:
    return Fields([("Access-Control-Allow-Origin", origin)])


def test_the_oldest_words_go_first() -> None:
    memory = CorsMemory(3)
    for number in range(5):
        memory.note("r", f"https://{number}", said(f"https://{number}"))
    assert len(memory) == 3
    assert not memory.lines("r", RULES, "https://1")
    assert memory.lines("r", RULES, "https://4")


def test_a_word_is_for_its_route_and_origin() -> None:
    memory = CorsMemory()
    memory.note("r", "https://a", said("https://a"))
    memory.note("r", "https://c", said("https://a"))
    assert not memory.lines("other", RULES, "https://a")
    assert not memory.lines("r", RULES, "https://c")


def test_a_long_origin_is_not_kept() -> None:
    memory = CorsMemory()
    long = "https://" + "a" * MAX_ORIGIN_CHARS
    memory.note("r", long, said(long))
    assert len(memory) == 0


def test_a_page_that_is_refused_ends_what_all_were_allowed() -> None:
    memory = CorsMemory()
    memory.note("r", None, said("*"))
    memory.note("r", "https://a", Fields())
    assert not memory.lines("r", RULES, "https://a")
    assert not memory.lines("r", RULES, "https://b")
