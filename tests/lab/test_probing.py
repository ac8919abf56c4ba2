"""`ralign probe`'s own code on the toy environment's judge, against the lab's probe, which works on word ids."""

import re

import torch

from ralign.evals.probe.plan import probe
from ralign.evals.probe.verdict_probabilities import Reading
from ralign.lab.hf_model import TransformersGPT, word_tokenizer
from ralign.lab.probes import claims_swapped, verdict_after
from ralign.lab.records import shown_ids, to_records, verdict_of
from ralign.lab.tokenizer import CRITIQUE, RATIONALE
from ralign.lab.vocabulary import CLAIMS, FACTORS, FIRST_VERDICT
from ralign.lab.world import judge_prompt
from ralign.records import Judgment

EVEN = (0.5, 0.5, 0.5, 0.5)
PAIRS = 60
SIDE = re.compile(r"Answer ([AB]): (\S+), (\S+), (\S+)\.")


class Judge:
    """Says of each pair what it is given to say."""

    def __init__(self, critiques):
        self.texts = critiques

    async def judge(self, pair, order, draw):
        text, verdict = self.texts[pair.id]
        return Judgment(pair_id=pair.id, benchmark=pair.benchmark, text=text, verdict=verdict)


class Reader:
    """The lab's model as a transformers model; it reads claims as it writes them, those on A first."""

    def __init__(self, model):
        self.model = TransformersGPT(model)

    async def read(self, pair, order, version, written):
        a, b = self.log_probs(pair, order, written)
        return Reading(
            pair_id=pair.id,
            benchmark=pair.benchmark,
            order=order,
            version=version,
            log_prob_a=a,
            log_prob_b=b,
        )

    @torch.no_grad()
    def log_probs(self, pair, order, written):
        said = {side: claims for side, *claims in SIDE.findall(written.rationale)}
        if set(said) != {"A", "B"} or "Decisive" not in written.rationale:
            return -1.0, -1.0  # cut short: the lab's model reads whole rationales only
        rationale = RATIONALE.read(
            f"Answer A: {', '.join(said['A'])}. Answer B: {', '.join(said['B'])}."
            f"{written.rationale[written.rationale.index(' Decisive') :]}"
        )
        shown = shown_ids(pair, order)
        prompt = judge_prompt(*shown.split([4, 9, 9], dim=1))
        logits = self.model(torch.cat([prompt, torch.tensor([rationale])], dim=1)).logits[0, -1]
        a, b = logits.log_softmax(-1)[[FIRST_VERDICT, FIRST_VERDICT + 1]].tolist()
        return a, b


def random_critiques(generator):
    """Words of the right kind in every slot; claims on A and on B differ."""
    pool = word_tokenizer().convert_tokens_to_ids([claim for pair in CLAIMS for claim in pair])
    factors = word_tokenizer().convert_tokens_to_ids(list(FACTORS))
    claims = torch.tensor(pool)[torch.randint(len(pool), (PAIRS, 6), generator=generator)]
    factor = torch.tensor(factors)[torch.randint(len(factors), (PAIRS, 1), generator=generator)]
    verdict = FIRST_VERDICT + torch.randint(2, (PAIRS, 1), generator=generator)
    return torch.cat([claims, factor, verdict], dim=1)


async def test_the_probe_finds_what_the_labs_own_finds(world, model, generator, tmp_path):
    pairs = world.pairs(PAIRS, EVEN, generator)
    critique = random_critiques(generator)
    records = to_records(pairs, "train")
    said = {
        record.id: (CRITIQUE.write(words), verdict_of(words[7]))
        for record, words in zip(records, critique.tolist(), strict=True)
    }
    results = await probe(records, Judge(said), Reader(model), tmp_path / "run")

    prompt = judge_prompt(pairs.question, pairs.answer_a, pairs.answer_b)
    followed = verdict_after(model, prompt, critique) != verdict_after(
        model, prompt, claims_swapped(critique)
    )
    swap = results.document["benchmarks"]["micro-world-train"]["versions"]["swap"]
    assert swap["judgments"] == PAIRS
    assert swap["verdict_changed"]["value"] == int(followed.sum()) / PAIRS
    assert 0.02 < swap["verdict_changed"]["value"] < 0.98  # neither answer would come by chance
