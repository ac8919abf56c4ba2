from tests.data.gold.gardens import make_pair

from ralign.data.gold.comments import human_comments

PEOPLE = [
    {
        "score": -2,
        "reasoning": "@Response 1 gives a season, Response 2 gives none.",
        "feedback1": "Names late winter.",
        "feedback2": "response 2 is of no use.",
    },
    {"score": 1, "reasoning": "The second is shorter.", "feedback1": "", "feedback2": None},
    {"score": 0, "reasoning": "  "},
]


def test_responses_become_the_letters_of_the_pairs_file() -> None:
    """Response 1 was found better; label B means that it was placed as B."""
    pair = make_pair("rose", "B", unknown={"overall_preference": -1, "individual_preference": PEOPLE})
    assert human_comments(pair) == (
        "Person 1\nFound answer B better.\nReason: answer B gives a season, answer A gives none.\n"
        "On answer B: Names late winter.\nOn answer A: answer A is of no use.\n\n"
        "Person 2\nFound answer A slightly better.\nReason: The second is shorter."
    )


def test_the_same_comments_with_the_other_placement_swap_their_letters() -> None:
    placed = {
        label: human_comments(
            make_pair("rose", label, unknown={"overall_preference": -1, "individual_preference": PEOPLE})
        )
        for label in ("A", "B")
    }
    swapped = (
        placed["B"]
        .replace("answer B", "answer _")
        .replace("answer A", "answer B")
        .replace("answer _", "answer A")
    )
    assert placed["A"] == swapped


def test_without_an_overall_preference_nobody_knows_which_response_is_meant() -> None:
    assert human_comments(make_pair("rose", unknown={"individual_preference": PEOPLE})) == ""


def test_comments_of_ones_own_are_taken_as_they_are() -> None:
    pair = make_pair("rose", unknown={"human_comments": ["A names the season. ", "", "B is rude."]})
    assert human_comments(pair) == "A names the season.\n\nB is rude."
    assert human_comments(make_pair("rose", unknown={"human_comments": "A, clearly."})) == "A, clearly."


def test_a_pair_without_comments_has_none() -> None:
    assert (
        human_comments(make_pair("rose", unknown={"human_comments": 3, "individual_preference": "x"})) == ""
    )
