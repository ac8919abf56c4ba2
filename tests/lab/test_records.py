from dataclasses import replace

import torch

from ralign.files import PairsFile, read_pairs, write_pairs
from ralign.lab.records import shown_ids, to_records
from ralign.lab.tokenizer import CRITIQUE
from ralign.lab.vocabulary import DOMAINS, FIRST_VERDICT

EVEN = (0.5, 0.5, 0.5, 0.5)


def test_pairs_come_back_from_a_file_as_they_were_drawn(world, generator, tmp_path):
    pairs = world.pairs(50, EVEN, generator)
    records = to_records(pairs, "hard")
    write_pairs(tmp_path / "hard.jsonl", records)
    file = PairsFile(path=tmp_path / "hard.jsonl", name="hard.jsonl", benchmark="other")
    assert list(read_pairs([file])) == records
    shown = torch.cat([pairs.question, pairs.answer_a, pairs.answer_b], dim=1)
    assert torch.equal(torch.cat([shown_ids(record, "ab") for record in records]), shown)


def test_a_record_carries_label_domain_and_a_gold_rationale_in_words(world, generator):
    pairs = world.pairs(50, EVEN, generator)
    for record, gold, domain in zip(to_records(pairs, "train"), pairs.gold, pairs.domain, strict=True):
        assert record.benchmark == "micro-world-train"
        assert record.subset == DOMAINS[domain]
        assert record.label == "AB"[gold[7] - FIRST_VERDICT]
        assert record.gold_rationale == CRITIQUE.write(gold.tolist())


def test_order_ba_shows_what_the_mirrored_pair_shows(world, generator):
    record = to_records(world.pairs(1, EVEN, generator), "train")[0]
    mirrored = replace(record, response_a=record.response_b, response_b=record.response_a)
    assert torch.equal(shown_ids(record, "ba"), shown_ids(mirrored, "ab"))
