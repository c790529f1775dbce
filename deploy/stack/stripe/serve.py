"""Serves localstripe, a Stripe-compatible server that is not ours, to many tests at once.

This file adds what Stripe does and localstripe does not:

* An API key is an account: webhooks go to the account whose request caused the event (localstripe
  sends every event to every webhook). Register a webhook with `POST /_config/webhooks/<secret key>`.
* Events that the core waits for: `payment_intent.amount_capturable_updated`,
  `payment_intent.requires_action`, `payment_intent.canceled`, `payment_intent.payment_failed` after a
  failed authentication, `charge.refunded`, `refund.created`.
* `Idempotency-Key`: the same key gives the first response again, even a 4xx; the same key with another
  body is a 400 `idempotency_error`.

It also listens on loopback only, keeps nothing on disk (localstripe writes its whole store to one file
in /tmp at every change) and sends webhooks after a few milliseconds instead of a second.
"""

import argparse
import asyncio
import contextvars
import hashlib
import json
import types

from aiohttp import web
from localstripe import resources, server, webhooks

WEBHOOK_DELAY_SECONDS = 0.02

account = contextvars.ContextVar("account", default=None)


class WebhooksOfTheAccount(dict):
    """The task that sends an event has the context of the request that caused it."""

    def values(self):
        return [hook for key, hook in self.items() if key == account.get()]


@web.middleware
async def set_account(request, handler):
    key = server.get_api_key(request) if "Authorization" in request.headers else None
    if key is None and request.method == "POST":
        # A browser has only the public key, which has the same name as the secret one.
        data = await server.get_post_data(request, remove_auth=False) or {}
        key = str(data.get("key", "")).replace("pk_", "sk_", 1)
    account.set(key)
    return await handler(request)


class IdempotencyKeys:
    def __init__(self):
        self.answers = {}
        self.locks = {}

    @web.middleware
    async def __call__(self, request, handler):
        name = request.headers.get("Idempotency-Key")
        if request.method != "POST" or name is None:
            return await handler(request)
        key = (account.get(), name)
        body = hashlib.sha256(request.path.encode() + b"\0" + await request.read()).digest()
        async with self.locks.setdefault(key, asyncio.Lock()):
            if key in self.answers:
                first_body, status, text = self.answers[key]
                if first_body != body:
                    error = {"type": "idempotency_error", "message": "The key was used before."}
                    return web.json_response({"error": error}, status=400)
                return web.json_response(
                    text=text, status=status, headers={"Idempotent-Replayed": "true"}
                )
            answer = await handler(request)
            self.answers[key] = (body, answer.status, answer.text)
            return answer


class MissingEvents:
    """Compares each payment intent in a response with its last state, and sends the event."""

    BY_STATUS = {
        "requires_action": "payment_intent.requires_action",
        "requires_capture": "payment_intent.amount_capturable_updated",
        "canceled": "payment_intent.canceled",
    }

    def __init__(self):
        self.seen = {}

    @web.middleware
    async def __call__(self, request, handler):
        answer = await handler(request)
        if request.method == "POST" and answer.status == 200 and answer.text:
            self.compare(json.loads(answer.text))
        return answer

    def compare(self, answered):
        kind, id = answered.get("object"), answered.get("id")
        if kind == "payment_intent":
            before, now = self.seen.get(id), answered["status"]
            self.seen[id] = now
            if now != before and now in self.BY_STATUS:
                self.send(self.BY_STATUS[now], resources.PaymentIntent, id)
            elif before == "requires_action" and now == "requires_payment_method":
                self.send("payment_intent.payment_failed", resources.PaymentIntent, id)
        elif kind == "refund":
            self.send("refund.created", resources.Refund, id)
            self.send("charge.refunded", resources.Charge, answered["charge"])

    def send(self, event, kind, id):
        webhooks.schedule_webhook(resources.Event(event, kind._api_retrieve(id)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port

    resources.store.dump_to_disk = lambda: None
    webhooks._webhooks = WebhooksOfTheAccount()
    webhooks.asyncio = types.SimpleNamespace(
        sleep=lambda _: asyncio.sleep(WEBHOOK_DELAY_SECONDS), ensure_future=asyncio.ensure_future
    )
    # The first is the outermost: all three see the responses that localstripe makes of errors.
    server.app.middlewares[0:0] = [set_account, IdempotencyKeys().__call__, MissingEvents().__call__]
    web.run_app(server.app, host="127.0.0.1", port=port, print=None)


main()
