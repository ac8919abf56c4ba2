"""`ralign train` that is killed for good when it opens a certain file: killed_train.py ENDING_OF_PATH ARGUMENT..."""

import os
import signal
import sys

from ralign.cli import main

ending, *arguments = sys.argv[1:]


def kill(event: str, given: tuple[object, ...]) -> None:
    if event == "open" and ending and str(given[0]).endswith(ending):
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(kill)
main(arguments)
