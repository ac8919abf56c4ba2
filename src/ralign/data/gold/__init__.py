"""PreferencePair -> PreferencePair with a gold rationale; and other people's preference data -> PreferencePair.

writer        the model that writes a draft, the model that checks it, their prompts
told          whether a rationale gives away that its writer was told the label
review        from the drafts of a pair to its gold rationale, the next call, or giving it up   (pure)
run           the loop; results and judgment_log are its run directory
convert       rows of other schemas -> pairs, A and B placed by a seed; the schemas are in `schemas/`
"""
