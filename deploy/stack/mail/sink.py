"""Accepts every mail and appends it to a file, one JSON object a line: from, to, data (the raw mail)."""

import argparse
import asyncio
import json

from aiosmtpd.controller import UnthreadedController


class Sink:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode("utf-8", errors="replace"),
        }
        # Written before the reply, so that an accepted mail is in the file.
        self.file.write(json.dumps(mail) + "\n")
        self.file.flush()
        return "250 Message accepted for delivery"


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--file", required=True)
options = parser.parse_args()
loop = asyncio.new_event_loop()
sink = UnthreadedController(
    Sink(options.file),
    hostname="127.0.0.1",
    port=options.port,
    loop=loop,
    # The name in the greeting; without it the library would wait for a name server.
    server_hostname="localhost",
)
sink.begin()
loop.run_forever()
