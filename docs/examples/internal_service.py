#!/usr/bin/env python3
"""How an internal service charges through the ledger, in Python 3.9 or newer.

    pip install -r docs/examples/requirements.txt
    python3 docs/examples/internal_service.py --account tg:900000001

Takes an account that does not exist yet, in a book with media-lab's catalog
(4 free operations, then 10.00 RUB each), and goes through what a caller meets:

    1. the first charge opens the account;
    2. the same request again changes nothing, and says so;
    3. what is free is used up;
    4. the charge after that is refused, with the sum that is missing;
    5. balance and events say the same.

Ends with exit code 0 only if all of it went as described here.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

PROTO = Path(__file__).resolve().parents[2] / "proto"

# What media-lab's catalog says.
OPERATION = "generate"
FREE_ASSET = "FREE_OP"
FREE_OPERATIONS = 4
MONEY_ASSET = "RUB"
PRICE_KOPECKS = 1000

# A call that got no answer may have been applied. Repeating it is harmless,
# because its request_id stays the same; so let the channel do it.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "ledger.v1.LedgerService"}, {"service": "ledger.v1.AccountService"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
DEADLINE_SECONDS = 10


def request_id(kind, own_id, created_at_ms):
    """The id of a request, derived from what the caller stores anyway.

    `kind` names the step ("charge", "refund"), `own_id` is the caller's id of
    the thing, `created_at_ms` the time at which the caller stored it. So a
    retry after a crash makes the same id again, and ids made together are
    stored together. UUIDv8 (RFC 9562): 48 bits of time, then the start of
    SHA-256(kind, 0x00, own_id). proto/src/request_id.rs derives the same.
    """
    digest = hashlib.sha256(kind.encode() + b"\0" + own_id.encode()).digest()
    octets = bytearray(created_at_ms.to_bytes(6, "big") + digest[:10])
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(octets)))


def load_stubs(directory):
    """Imports the API's stubs from `directory`, and generates them if there are none."""
    directory = Path(directory)
    if not (directory / "ledger/v1/ledger_service_pb2.py").exists():
        import grpc_tools
        from grpc_tools import protoc

        directory.mkdir(parents=True, exist_ok=True)
        files = [str(file.relative_to(PROTO)) for file in sorted(PROTO.glob("ledger/v1/*.proto"))]
        arguments = ["protoc", f"-I{PROTO}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}"]
        arguments += [f"--python_out={directory}", f"--grpc_python_out={directory}"]
        if protoc.main(arguments + files) != 0:
            sys.exit(f"error: no stubs could be generated from {PROTO}")
    sys.path.insert(0, str(directory))

    from ledger.v1 import account_service_pb2 as accounts
    from ledger.v1 import account_service_pb2_grpc as accounts_grpc
    from ledger.v1 import common_pb2 as common
    from ledger.v1 import event_service_pb2 as events
    from ledger.v1 import event_service_pb2_grpc as events_grpc
    from ledger.v1 import ledger_service_pb2 as ledger
    from ledger.v1 import ledger_service_pb2_grpc as ledger_grpc

    return argparse.Namespace(
        accounts=accounts,
        accounts_grpc=accounts_grpc,
        common=common,
        events=events,
        events_grpc=events_grpc,
        ledger=ledger,
        ledger_grpc=ledger_grpc,
    )


def error_info(error):
    """The google.rpc.ErrorInfo of an error: its stable reason and the figures."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            return info
    sys.exit(f"FAILED: the error carries no ErrorInfo: {error.code().name}: {error.details()}")


def expect(condition, claim):
    """Ends the program if a claim is not true."""
    if not condition:
        sys.exit(f"FAILED: expected that {claim}")


class Wallet:
    """One account, and the calls of this example on it."""

    def __init__(self, api, channel, book, account, created_at_ms):
        self.api = api
        self.book = f"books/{book}"
        self.name = f"{self.book}/accounts/{account}"
        self.created_at_ms = created_at_ms
        self.ledger = api.ledger_grpc.LedgerServiceStub(channel)
        self.accounts = api.accounts_grpc.AccountServiceStub(channel)
        self.events = api.events_grpc.EventServiceStub(channel)

    def charge(self, task):
        """Charges one operation for a task of ours."""
        request = self.api.ledger.ChargeRequest(
            account=self.name,
            request_id=request_id("charge", f"{self.name}/{task}", self.created_at_ms),
            operation=OPERATION,
            annotations=self.api.common.Annotations(external_id=task),
        )
        response = self.ledger.Charge(request, timeout=DEADLINE_SECONDS)
        paid_with = self.api.common.PaidWith.Name(response.paid_with)
        print(
            f"{task}: request {request.request_id}"
            f" price {response.price.asset} {response.price.amount} {paid_with}"
            f" opened={response.result.account_opened} replayed={response.result.replayed}"
        )
        return response

    def balances(self, consistency_token=""):
        """Balances by asset, in minor units."""
        request = self.api.accounts.GetBalanceRequest(account=self.name, consistency_token=consistency_token)
        response = self.accounts.GetBalance(request, timeout=DEADLINE_SECONDS)
        return {balance.asset: balance.available for balance in response.balances}

    def event_types(self, consistency_token=""):
        """What happened to the account, oldest first."""
        types, page_token = [], ""
        while True:
            request = self.api.events.ListEventsRequest(
                book=self.book,
                filter=self.api.events.EventFilter(account=self.name),
                page_token=page_token,
                consistency_token=consistency_token,
            )
            page = self.events.ListEvents(request, timeout=DEADLINE_SECONDS)
            types += [event.WhichOneof("payload") for event in page.events]
            page_token = page.next_page_token
            if not page_token:
                return types


def story(wallet):
    """What the top of this file promises."""
    api = wallet.api

    first = wallet.charge("task-1")
    expect(first.result.account_opened, "the first charge opens the account (is it a fresh one?)")
    expect(first.price == api.common.AssetAmount(asset=FREE_ASSET, amount=1), "a free operation pays for it")
    expect(first.paid_with == api.common.PAID_WITH_GRANTED, "it was paid with what was granted")

    again = wallet.charge("task-1")
    expect(again.result.replayed, "the repeat is marked as one")
    expect(again.result.events == first.result.events, "the repeat answers with the first one's events")
    expect(wallet.balances() == wallet.balances(first.result.consistency_token), "the repeat changed nothing")

    for number in range(2, FREE_OPERATIONS + 1):
        last = wallet.charge(f"task-{number}")
        expect(last.price.asset == FREE_ASSET, f"charge {number} is free")

    task = f"task-{FREE_OPERATIONS + 1}"
    try:
        wallet.charge(task)
    except grpc.RpcError as error:
        info = error_info(error)
        figures = dict(info.metadata)
        print(f"{task}: refused: {error.code().name} {info.reason} ({info.domain})")
        for key in sorted(figures):
            print(f"    {key}: {figures[key]}")
        expect(error.code() == grpc.StatusCode.FAILED_PRECONDITION, "the refusal is FAILED_PRECONDITION")
        expect(info.reason == "INSUFFICIENT_FUNDS", "the reason is INSUFFICIENT_FUNDS")
        expect(figures.get("asset") == MONEY_ASSET, f"what is missing is {MONEY_ASSET}")
        expect(figures.get("shortfall_amount") == str(PRICE_KOPECKS), f"{PRICE_KOPECKS} kopecks are missing")
    else:
        sys.exit(f"FAILED: expected that {task} is refused")

    token = last.result.consistency_token
    balances = wallet.balances(token)
    print("balances:", json.dumps(balances, sort_keys=True))
    expect(balances.get(FREE_ASSET, 0) == 0, "no free operation is left")

    types = wallet.event_types(token)
    print("events:", " ".join(types))
    expect(types[0] == "account_opened", "the account's first event is its opening")
    expect(types.count("debited") == FREE_OPERATIONS, f"there are {FREE_OPERATIONS} debits, none for the repeat")


def main():
    parser = argparse.ArgumentParser(description="Charges operations through the ledger.")
    parser.add_argument("--ledger", default="127.0.0.1:50051", help="gRPC address (default: 127.0.0.1:50051)")
    parser.add_argument("--book", default="media-lab", help="the book (default: media-lab)")
    parser.add_argument("--account", required=True, help="the id of an account that does not exist yet")
    parser.add_argument("--stubs", metavar="DIR", help="where generated stubs are kept (default: nowhere)")
    parser.add_argument(
        "--created-at-ms",
        type=int,
        default=time.time_ns() // 1_000_000,
        help="when the tasks were stored, Unix time in milliseconds (default: now)",
    )
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        api = load_stubs(arguments.stubs or scratch)
        options = [("grpc.service_config", json.dumps(SERVICE_CONFIG))]
        with grpc.insecure_channel(arguments.ledger, options=options) as channel:
            wallet = Wallet(api, channel, arguments.book, arguments.account, arguments.created_at_ms)
            try:
                story(wallet)
            except grpc.RpcError as error:
                sys.exit(f"FAILED: {error.code().name}: {error.details()}")
    print("all as expected")


if __name__ == "__main__":
    main()
