"""Labels of other rationales: a sensitivity analysis, for the meta-judge that was calibrated and no other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ralign.errors import InputError
from ralign.evals.bench.elsewhere import ElsewhereLabels, meta_judge_identity
from ralign.metrics.outcomes import ALIGNED, MISALIGNED, VERDICT_A, Outcomes

IDENTITY = {"meta_judge": "meta", "meta_judge_prompt_digest": "aa", "meta_votes": "1"}


def write_calibration(folder: Path, **changes: Any) -> Path:
    """Of 200 labels: Se 84/114 and Sp 75/86 for misaligned, as in the worked value."""
    meta_judge = {
        "name": "meta",
        "fingerprint": {**IDENTITY, "judges": ["careful"], "labels_digest": "bb"},
        "true_positives": 75,
        "false_positives": 30,
        "false_negatives": 11,
        "true_negatives": 84,
    }
    document = {
        "reference": "people's labels (aligned)",
        "unit": "judgment",
        "meta_judges": [{**meta_judge, **changes.pop("meta_judge", {})}],
        **changes,
    }
    (folder / "results.json").write_text(json.dumps(document))
    return folder


def outcomes(misaligned: int, of: int) -> Outcomes:
    aligned = np.full((of, 1, 1), ALIGNED, dtype=np.int8)
    aligned[:misaligned] = MISALIGNED
    label = np.full(of, VERDICT_A, dtype=np.int8)
    return Outcomes(label, np.arange(of), label[:, None, None].copy(), aligned)


def test_it_says_what_the_share_would_be_and_whose_labels_say_so(tmp_path: Path) -> None:
    found = ElsewhereLabels.read(write_calibration(tmp_path), IDENTITY, "hasty").measure(
        outcomes(476, 1000), ("ab",)
    )
    would_be = found["spurious_correctness"]
    assert [would_be[end] for end in ("value", "low", "high")] == pytest.approx(
        [0.5716, 0.4664, 0.6788], abs=1e-4
    )
    assert found["note"] == "labels of rationales by careful, carried over to hasty's"
    assert found["refused"] is None


def test_too_few_labels_are_refused_in_the_figure(tmp_path: Path) -> None:
    path = write_calibration(tmp_path, meta_judge={"true_negatives": 1, "false_positives": 2})
    found = ElsewhereLabels.read(path, IDENTITY, None).measure(outcomes(10, 40), ("ab",))
    assert found["spurious_correctness"] is None
    assert "people call 3 misaligned" in found["refused"]


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (
            {**IDENTITY, "meta_judge": "other"},
            "another meta-judge: meta_judge is meta there and other in this run",
        ),
        (
            {**IDENTITY, "meta_judge_prompt_digest": "cc"},
            "meta_judge_prompt_digest is aa there and cc in this run",
        ),
        ({**IDENTITY, "meta_votes": "3"}, "meta_votes is 1 there and 3 in this run"),
        ({}, "meta_judge is meta there and not known in this run"),
    ],
)
def test_the_calibration_of_another_meta_judge_is_refused(
    tmp_path: Path, identity: dict[str, str], says: str
) -> None:
    with pytest.raises(InputError) as error:
        ElsewhereLabels.read(write_calibration(tmp_path), identity, None)
    assert says in str(error.value)


def test_recorded_meta_judges_cannot_be_told_apart_and_it_says_so(tmp_path: Path) -> None:
    path = write_calibration(tmp_path, meta_judge={"fingerprint": {"judges": [], "labels_digest": "bb"}})
    assert "nothing says that they are the same" in ElsewhereLabels.read(path, {}, "hasty").note


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reference": "runs/strong"}, "is not against people's labels"),
        ({"unit": "gold point"}, "is not against people's labels"),
        ({"meta_judges": None}, "is not what `ralign calibrate` wrote"),
    ],
)
def test_what_is_no_calibration_by_people_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        ElsewhereLabels.read(write_calibration(tmp_path, **changes), IDENTITY, None)
    with pytest.raises(InputError, match="is not what `ralign calibrate` wrote"):
        ElsewhereLabels.read(tmp_path / "nowhere", IDENTITY, None)


def test_a_meta_judge_is_its_model_words_and_votes_and_not_its_address() -> None:
    asked = {"meta_judge": "meta", "meta_temperature": 0.4, "meta_max_tokens": None, "judge": "hasty"}
    found = meta_judge_identity(asked, 3)
    assert found == {
        "meta_judge": "meta",
        "meta_temperature": "0.4",
        "meta_max_tokens": "",
        "meta_votes": "3",
    }
    assert meta_judge_identity({"meta_judge": None, "meta_temperature": 0.4}, 1) == {}
