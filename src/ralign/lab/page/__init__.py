"""The lab's report: one HTML page about a run, from what the run left on disk.

`report` puts the page together, `styles` gives each judge its color, `tables` and `figures` show the measurements;
`examples` finds telling judgments, `annotated_pair` says what is true in them, `cards` draws them.
"""
