"""Serves localstripe, a Stripe-compatible server that is not ours, to many tests at once.

This file adds what Stripe does and localstripe does not:

* An API key is an account: webhooks go to the account whose request caused the event (localstripe
  sends every event to every webhook). Register a webhook with `POST /_config/webhooks/<secret key>`.
* Events that the core waits for: `payment_intent.amount_capturable_updated`,
  `payment_intent.requires_action`, `payment_intent.canceled`, `payment_intent.payment_failed` after a
  failed authentication, `charge.refunded`, `refund.created`.
* `Idempotency-Key`: the same key gives the first response again, even a 4xx; the same key with another
  body is a 400 `idempotency_error`.

* `amount_received` of intents, and another card after a declined one.
* What people and banks do at Stripe, as `POST /_config/…`: `rolled/<secret key>` (`rolled=1`: every
  request of the account is a 401), `busy/<secret key>` (`refunds=2`: every second request for a refund
  is a 429), `returned/<refund>` (the guest's bank sends it back), `disputed/<intent>` and
  `disputed/<intent>/<status>` (the card's bank takes the money, and decides).

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


class Office:
    """What people and banks do at the provider."""

    def __init__(self, events):
        self.rolled, self.busy, self.asked = set(), {}, {}
        self.disputes, self.events = {}, events

    @web.middleware
    async def __call__(self, request, handler):
        key = account.get()
        if request.path.startswith("/v1/") and key in self.rolled:
            return refuse(401, "api_key_expired")
        if request.method == "POST" and request.path == "/v1/refunds" and key in self.busy:
            self.asked[key] = self.asked.get(key, 0) + 1
            if self.asked[key] % self.busy[key] == 0:
                return refuse(429, "rate_limit")
        return await handler(request)

    async def roll(self, request):
        form = await request.post()
        change = self.rolled.add if form["rolled"] == "1" else self.rolled.discard
        change(request.match_info["key"])
        return web.Response()

    async def be_busy(self, request):
        form = await request.post()
        every = int(form["refunds"])
        self.busy.pop(request.match_info["key"], None)
        if every:
            self.busy[request.match_info["key"]] = every
        return web.Response()

    async def send_back(self, request):
        refund = resources.Refund._api_retrieve(request.match_info["id"])
        refund.status = "failed"
        self.events.send("refund.failed", resources.Refund, refund.id)
        return web.Response()

    async def dispute(self, request):
        intent = resources.PaymentIntent._api_retrieve(request.match_info["id"])
        status = request.match_info.get("status", "needs_response")
        dispute = self.disputes.setdefault(intent.id, Dispute(intent))
        dispute.status = status
        kind = "created" if status == "needs_response" else "closed"
        webhooks.schedule_webhook(resources.Event("charge.dispute." + kind, dispute))
        return web.Response()

    def add_routes(self, router):
        router.add_post("/_config/rolled/{key}", self.roll)
        router.add_post("/_config/busy/{key}", self.be_busy)
        router.add_post("/_config/returned/{id}", self.send_back)
        router.add_post("/_config/disputed/{id}", self.dispute)
        router.add_post("/_config/disputed/{id}/{status}", self.dispute)


class Dispute(resources.StripeObject):
    object = "dispute"
    _id_prefix = "dp_"

    def __init__(self, intent):
        super().__init__()
        self.amount, self.currency = intent.amount, intent.currency
        self.payment_intent = intent.id
        self.status, self.reason = "needs_response", "fraudulent"


def refuse(status, code):
    error = {"type": "invalid_request_error", "code": code, "message": "Refused on demand."}
    return web.json_response({"error": error}, status=status)


def complete_intents():
    """`amount_received`, and another card after a declined one."""
    intents, charges = resources.PaymentIntent, resources.Charge
    capture, update = charges._capture, intents._update

    def remember_and_capture(self, amount, on_success=None):
        if self.payment_intent:
            intent = intents._api_retrieve(self.payment_intent)
            intent._received = int(amount or self.amount)
        capture(self, amount, on_success=on_success)

    def update_and_begin_anew(self, **data):
        update(self, **data)
        charge = self.latest_charge
        if "payment_method" in data and charge is not None and charge.status == "failed":
            self.latest_charge = None

    def received(self):
        return self._received if self.status == "succeeded" else 0

    intents._received = 0
    intents._update = update_and_begin_anew
    intents.amount_received = property(received)
    charges._capture = remember_and_capture


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
    complete_intents()
    webhooks._webhooks = WebhooksOfTheAccount()
    webhooks.asyncio = types.SimpleNamespace(
        sleep=lambda _: asyncio.sleep(WEBHOOK_DELAY_SECONDS), ensure_future=asyncio.ensure_future
    )
    events = MissingEvents()
    office = Office(events)
    office.add_routes(server.app.router)
    # The first is the outermost: all see the responses that localstripe makes of errors.
    server.app.middlewares[0:0] = [
        set_account,
        office.__call__,
        IdempotencyKeys().__call__,
        events.__call__,
    ]
    web.run_app(server.app, host="127.0.0.1", port=port, print=None)


main()
