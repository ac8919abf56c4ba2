"""The English world: pairs in varied English with exact truth, for a judge that is a pretrained language model.

In reading order: `domains`, what notes may say; `world`, requests and answers, drawn and read back; `style`; `gold`,
judgments in words; `pairs`, presets and splits; `lexicon`, `reading`, `meta_judge`, a meta-judge that goes by rule;
`agreement`, how often it is right, on `paraphrases`. `python -m ralign.lab.english` writes the files that `train`,
`bench` and `policy` take.
"""

from ralign.lab.english.meta_judge import VERSION, meta_judge

__all__ = ["VERSION", "meta_judge"]
