"""Asks the installed gcloud what it says to many commands, in one process: each start of gcloud takes a second.

Reads a JSON list of argument lists, writes a JSON list of what gcloud printed to each. Its first argument is the folder
of the SDK. Every command runs in a fork, because gcloud leaves things behind.
"""

import json
import os
import sys

sdk = os.path.join(sys.argv[1], "lib")
sys.path[:0] = [sdk, os.path.join(sdk, "third_party")]
from googlecloudsdk import gcloud_main  # noqa: E402

cli = gcloud_main.CreateCLI([])


def said(args):
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(source)
        try:
            cli.Execute(args)
        except BaseException as error:
            os.write(2, f"\n{type(error).__name__}".encode())
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as output:
        text = output.read().decode(errors="replace")
    os.waitpid(child, 0)
    return text


json.dump([said(args) for args in json.load(sys.stdin)], sys.stdout)
