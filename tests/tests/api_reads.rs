//! Every read of the API: right answers, pages that fit together, filters that
//! leave out what is not wanted, past moments, tokens, health and reflection.
#![cfg(test)]

use e2e_tests::{
    Backend, Database, Ledger,
    billing::BOOK,
    client::{
        account, balance_of, balances, charge, credit, events, fresh_request, head, reason, rub,
    },
    eventually, http,
    ledger::Options,
    on_both_backends, raw,
};
use ledger_proto::v1::{
    AccountState, Annotations, AssetAmount, BatchGetBalancesRequest, BlockAccountRequest,
    CaptureHoldRequest, ChargeRequest, CheckAccessRequest, CreditRequest, Event, EventFilter,
    EventType, GetAccountRequest, GetAccountStatisticsRequest, GetBalanceRequest,
    GetBalanceResponse, GetEventRequest, ListAccountsRequest, ListAccountsResponse,
    ListEventsRequest, ListHoldsRequest, ListLotsRequest, MutationResult, PaidWith,
    PlaceHoldRequest, Reason, RefundRequest,
    capture_hold_request::Target,
    list_accounts_request::{Filter, Order},
    refund_request,
};
use prost_types::Timestamp;
use std::time::Duration;
use tonic::{Code, Request};

/// The first look at the database takes no longer.
const SERVING_DEADLINE: Duration = Duration::from_secs(10);

async fn start(backend: Backend) -> (Ledger, Database) {
    let database = backend.database().await;
    let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    (ledger, database)
}

async fn credited(ledger: &Ledger, request: CreditRequest) -> MutationResult {
    let answer = ledger.ledger().credit(request).await.unwrap();
    answer.into_inner().result.unwrap()
}

async fn charged(ledger: &Ledger, request: ChargeRequest) -> MutationResult {
    let answer = ledger.ledger().charge(request).await.unwrap();
    answer.into_inner().result.unwrap()
}

fn generate(name: &str) -> ChargeRequest {
    ChargeRequest {
        operation: "generate".to_owned(),
        explicit_price: None,
        ..charge(name, 0)
    }
}

fn hold(name: &str, price: i64) -> PlaceHoldRequest {
    PlaceHoldRequest {
        account: name.to_owned(),
        request_id: fresh_request(),
        operation: "merge".to_owned(),
        explicit_price: Some(rub(price)),
        ..Default::default()
    }
}

fn last_time(result: &MutationResult) -> Timestamp {
    result.events.last().unwrap().record_time.unwrap()
}

async fn balance_at(ledger: &Ledger, name: &str, as_of: Timestamp) -> GetBalanceResponse {
    let request = GetBalanceRequest {
        account: name.to_owned(),
        as_of: Some(as_of),
        ..Default::default()
    };
    let response = ledger.accounts().get_balance(request).await;
    response.unwrap().into_inner()
}

/// All pages of a list, two accounts each; the names.
async fn listed(ledger: &Ledger, filter: Option<Filter>, order: Order) -> Vec<String> {
    let mut request = ListAccountsRequest {
        book: BOOK.to_owned(),
        page_size: 2,
        filter,
        order: order.into(),
        ..Default::default()
    };
    if order == Order::SpentDesc {
        request.order_asset = "RUB".to_owned();
    }
    let mut names = Vec::new();
    loop {
        let page = ledger.accounts().list_accounts(request.clone()).await;
        let ListAccountsResponse {
            accounts,
            next_page_token,
        } = page.unwrap().into_inner();
        assert!(accounts.len() <= 2, "a page has two at most");
        names.extend(accounts.into_iter().map(|account| account.name));
        if next_page_token.is_empty() {
            return names;
        }
        request.page_token = next_page_token;
    }
}

/// All pages of a list of events, three each.
async fn paged(ledger: &Ledger, filter: &EventFilter, newest_first: bool) -> Vec<Event> {
    let mut request = ListEventsRequest {
        book: BOOK.to_owned(),
        filter: Some(filter.clone()),
        page_size: 3,
        newest_first,
        ..Default::default()
    };
    let mut events = Vec::new();
    loop {
        let page = ledger.events().list_events(request.clone()).await;
        let page = page.unwrap_or_else(|status| panic!("{request:?}: {status:?}"));
        let page = page.into_inner();
        assert!(page.events.len() <= 3, "a page has three at most");
        events.extend(page.events);
        if page.next_page_token.is_empty() {
            return events;
        }
        request.page_token = page.next_page_token;
    }
}

/// Events of all kinds of callers on two accounts; the answer to a charge that
/// a person made for a task.
async fn written(ledger: &Ledger, a: &str, b: &str) -> MutationResult {
    credited(
        ledger,
        CreditRequest {
            source: "PACK".to_owned(),
            ..credit(a, 9_000)
        },
    )
    .await;
    let mut from_bot = Request::new(credit(b, 2_000));
    from_bot
        .metadata_mut()
        .insert("x-ledger-origin", "spin-bot".parse().unwrap());
    ledger.ledger().credit(from_bot).await.unwrap();
    let special = ChargeRequest {
        operation: "upscale".to_owned(),
        annotations: Some(Annotations {
            external_id: "task-77".to_owned(),
            person: "anna".to_owned(),
            reason: Some(Reason {
                code: "TEST".to_owned(),
                text: String::new(),
            }),
            ..Default::default()
        }),
        ..charge(a, 1_000)
    };
    let special = charged(ledger, special).await;
    for _ in 0..3 {
        charged(ledger, generate(a)).await;
    }
    let placed = ledger
        .ledger()
        .place_hold(hold(a, 800))
        .await
        .unwrap()
        .into_inner();
    let capture = CaptureHoldRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        target: Some(Target::Hold(placed.hold.unwrap().name)),
        ..Default::default()
    };
    ledger.ledger().capture_hold(capture).await.unwrap();
    special
}

on_both_backends! {
    async fn balances_of_the_past_are_repeated_exactly(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let a = account("tg:a");
        let before = balances(&ledger, &a).await;
        let mut moments = vec![before];
        for amount in [1_000, 300, 20] {
            let result = credited(&ledger, credit(&a, amount)).await;
            let now = balances(&ledger, &a).await;
            let then = balance_at(&ledger, &a, last_time(&result)).await;
            assert_eq!((&then.balances, then.position), (&now.balances, now.position));
            moments.push(now);
        }
        let placed = ledger.ledger().place_hold(hold(&a, 500)).await.unwrap();
        let placed = placed.into_inner().result.unwrap();
        let held = balance_at(&ledger, &a, last_time(&placed)).await;
        let rub = held.balances.iter().find(|balance| balance.asset == "RUB").unwrap();
        assert_eq!((rub.balance, rub.held, rub.available), (1_320, 500, 820));
        for moment in &moments {
            let again = balance_at(&ledger, &a, moment.read_time.unwrap()).await;
            assert_eq!(again, *moment, "asked with its read_time");
        }
        assert!(moments[0].not_opened && !moments[1].not_opened);
        assert_eq!(moments.iter().map(|m| balance_of(m, "RUB")).collect::<Vec<_>>(), [0, 1_000, 1_300, 1_320]);
        let long_ago = balance_at(&ledger, &a, Timestamp { seconds: 0, nanos: 0 }).await;
        assert_eq!((long_ago.position, long_ago.not_opened), (0, true));
    }

    async fn accounts_are_shown_with_their_lots_and_holds(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let a = account("tg:a");
        for (amount, priority) in [(100, 5), (200, -5), (300, 0)] {
            credited(&ledger, CreditRequest { priority, ..credit(&a, amount) }).await;
        }
        let mut holds = Vec::new();
        for price in [10, 20, 30] {
            let placed = ledger.ledger().place_hold(hold(&a, price)).await.unwrap();
            holds.push(placed.into_inner().hold.unwrap());
        }
        let request = GetAccountRequest { account: a.clone(), ..Default::default() };
        let found = ledger.accounts().get_account(request).await.unwrap();
        let found = found.into_inner().account.unwrap();
        assert_eq!((found.name.as_str(), found.state()), (a.as_str(), AccountState::Open));
        let own = events(&ledger, Some(EventFilter { account: a.clone(), ..Default::default() })).await;
        assert_eq!(found.version, own.len() as i64);
        assert_eq!((found.open_time, found.last_activity_time), (own[0].record_time, own.last().unwrap().record_time));
        assert_eq!(found.balances, balances(&ledger, &a).await.balances);

        let mut request = ListLotsRequest { account: a.clone(), asset: "RUB".to_owned(), page_size: 2, ..Default::default() };
        let page = ledger.accounts().list_lots(request.clone()).await.unwrap().into_inner();
        request.page_token = page.next_page_token;
        let rest = ledger.accounts().list_lots(request).await.unwrap().into_inner();
        assert_eq!((page.lots.len(), rest.next_page_token.as_str()), (2, ""));
        let lots: Vec<_> = page.lots.iter().chain(&rest.lots).collect();
        let shown: Vec<_> = lots.iter().map(|lot| (lot.remaining_amount, lot.held_amount, lot.priority)).collect();
        assert_eq!(shown, [(200, 60, -5), (300, 0, 0), (100, 0, 5)], "in the order in which they are spent");
        let request = ListLotsRequest { account: a.clone(), ..Default::default() };
        let all = ledger.accounts().list_lots(request).await.unwrap().into_inner();
        assert_eq!(all.lots.iter().filter(|lot| lot.asset == "FREE_OP").count(), 1);
        assert_eq!(all.lots.len(), 4);

        let mut request = ListHoldsRequest { account: a, page_size: 2, ..Default::default() };
        let page = ledger.accounts().list_holds(request.clone()).await.unwrap().into_inner();
        request.page_token = page.next_page_token;
        let rest = ledger.accounts().list_holds(request).await.unwrap().into_inner();
        assert_eq!((page.holds.len(), rest.next_page_token.as_str()), (2, ""));
        assert_eq!([page.holds, rest.holds].concat(), holds);
    }

    async fn accounts_are_listed_by_id_activity_and_spending(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let names: Vec<String> = ["b", "d", "a", "c", "e"].map(|id| account(&format!("tg:{id}"))).into();
        let mut opened = Vec::new();
        for (name, amount) in names.iter().zip([500, 400, 300, 200, 100]) {
            let result = credited(&ledger, credit(name, amount)).await;
            opened.push(last_time(&result));
        }
        // c spends most, then d; d was last active.
        charged(&ledger, charge(&names[3], 200)).await;
        charged(&ledger, charge(&names[1], 150)).await;
        let reason = Some(Annotations {
            reason: Some(Reason { code: "TEST".to_owned(), text: String::new() }),
            ..Default::default()
        });
        let block = BlockAccountRequest { account: names[4].clone(), request_id: fresh_request(), annotations: reason, ..Default::default() };
        let blocked = ledger.ledger().block_account(block).await.unwrap().into_inner().result.unwrap();

        let of = |order: &[usize]| order.iter().map(|index| names[*index].clone()).collect::<Vec<_>>();
        assert_eq!(listed(&ledger, None, Order::Unspecified).await, of(&[2, 0, 3, 1, 4]));
        assert_eq!(listed(&ledger, None, Order::AccountId).await, of(&[2, 0, 3, 1, 4]));
        assert_eq!(listed(&ledger, None, Order::LastActivityDesc).await, of(&[4, 1, 3, 2, 0]));
        assert_eq!(listed(&ledger, None, Order::SpentDesc).await, of(&[3, 1, 2, 0, 4]));

        let filters: [(Filter, Vec<String>); 6] = [
            (Filter { state: AccountState::Blocked.into(), ..Default::default() }, of(&[4])),
            (Filter { state: AccountState::Open.into(), ..Default::default() }, of(&[2, 0, 3, 1])),
            (Filter { open_time_min: Some(opened[3]), ..Default::default() }, of(&[3, 4])),
            (Filter { open_time_max: Some(opened[2]), ..Default::default() }, of(&[0, 1])),
            (Filter { last_activity_time_min: Some(last_time(&blocked)), ..Default::default() }, of(&[4])),
            (Filter { balance_min: Some(rub(250)), ..Default::default() }, of(&[2, 0, 1])),
        ];
        for (filter, expected) in filters {
            assert_eq!(listed(&ledger, Some(filter.clone()), Order::AccountId).await, expected, "{filter:?}");
            let mut others = listed(&ledger, Some(filter), Order::LastActivityDesc).await;
            let mut expected = expected;
            others.sort();
            expected.sort();
            assert_eq!(others, expected);
        }
    }

    async fn events_are_listed_in_pages_by_every_filter(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let (a, b) = (account("tg:a"), account("tg:b"));
        let special = written(&ledger, &a, &b).await;
        let all = events(&ledger, None).await;
        let event = &special.events[0];
        let none = EventFilter::default;
        let filters = [
            (none(), 14),
            (EventFilter { account: b.clone(), ..none() }, 3),
            (EventFilter { record_time_min: event.record_time, ..none() }, 6),
            (EventFilter { record_time_max: event.record_time, ..none() }, 8),
            (EventFilter { types: vec![EventType::Debited.into(), EventType::HoldPlaced.into()], ..none() }, 5),
            (EventFilter { operation: "generate".to_owned(), ..none() }, 3),
            (EventFilter { asset: "FREE_OP".to_owned(), ..none() }, 5),
            (EventFilter { source: "PACK".to_owned(), ..none() }, 4),
            (EventFilter { request_id: event.request_id.clone(), ..none() }, 1),
            (EventFilter { person: "anna".to_owned(), ..none() }, 1),
            (EventFilter { external_id: "task-77".to_owned(), ..none() }, 1),
            (EventFilter { origin: "spin-bot".to_owned(), ..none() }, 3),
            (EventFilter { account: a.clone(), types: vec![EventType::Debited.into()], operation: "upscale".to_owned(), ..none() }, 1),
            (EventFilter { account: b.clone(), external_id: "task-77".to_owned(), ..none() }, 0),
            (EventFilter { account: b, request_id: event.request_id.clone(), ..none() }, 0),
        ];
        for (filter, count) in filters {
            let found = paged(&ledger, &filter, false).await;
            assert_eq!(found.len(), count, "{filter:?}: {found:#?}");
            assert!(found.iter().all(|event| all.contains(event)), "{filter:?}");
            assert!(found.is_sorted_by_key(|event| event.position), "{filter:?}");
            let mut newest_first = paged(&ledger, &filter, true).await;
            newest_first.reverse();
            assert_eq!(newest_first, found, "{filter:?}");
        }
        let request = GetEventRequest { name: event.name.clone(), ..Default::default() };
        let found = ledger.events().get_event(request).await.unwrap().into_inner();
        assert_eq!(found.event.as_ref(), Some(event));
        assert_eq!(event.position, all.iter().position(|other| other == event).unwrap() as i64 + 1);

        // A page token belongs to its request.
        let first = ListEventsRequest { book: BOOK.to_owned(), page_size: 1, ..Default::default() };
        let page = ledger.events().list_events(first.clone()).await.unwrap().into_inner();
        let other = ListEventsRequest { page_token: page.next_page_token, newest_first: true, ..first };
        let status = ledger.events().list_events(other).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }

    async fn access_and_statistics_are_told(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let a = account("tg:a");
        let access = async |operation: &str, quantity| {
            let request = CheckAccessRequest { account: a.clone(), operation: operation.to_owned(), quantity, ..Default::default() };
            ledger.accounts().check_access(request).await.unwrap().into_inner()
        };
        let free = access("generate", 0).await;
        assert!(free.allowed && free.not_opened && free.until_time.is_none(), "{free:?}");
        assert_eq!(free.paid_with(), PaidWith::Granted);
        let refused = access("generate", 5).await;
        assert_eq!((refused.allowed, refused.refusal_reason.as_str()), (false, "INSUFFICIENT_FUNDS"));
        assert_eq!(refused.price, Some(rub(5_000)));
        // What is not about the account is no "no", but a wrong question.
        let request = CheckAccessRequest { account: a.clone(), operation: "teleport".to_owned(), ..Default::default() };
        let status = ledger.accounts().check_access(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "UNKNOWN_OPERATION"));

        let special = written(&ledger, &a, &account("tg:b")).await;
        let statistics = async || {
            let request = GetAccountStatisticsRequest { account: a.clone(), ..Default::default() };
            ledger.accounts().get_account_statistics(request).await.unwrap().into_inner()
        };
        let counted = statistics().await;
        assert_eq!((counted.operations, counted.operations_last_30_days), (5, 5));
        let by_type: Vec<_> = counted.operations_by_type.iter().map(|c| (c.operation.as_str(), c.count, c.count_last_30_days)).collect();
        assert_eq!(by_type, [("generate", 3, 3), ("merge", 1, 1), ("upscale", 1, 1)]);
        let free_op = |amount| AssetAmount { asset: "FREE_OP".to_owned(), amount };
        let of = |amounts: &[AssetAmount], asset: &str| amounts.iter().find(|a| a.asset == asset).map_or(0, |a| a.amount);
        assert_eq!((of(&counted.spent, "RUB"), of(&counted.spent, "FREE_OP")), (1_800, 3));
        assert_eq!((of(&counted.bought, "RUB"), of(&counted.granted, "FREE_OP")), (9_000, free_op(4).amount));
        let refund = RefundRequest {
            account: a.clone(),
            request_id: fresh_request(),
            target: Some(refund_request::Target::Charge(special.events[0].name.clone())),
            ..Default::default()
        };
        ledger.ledger().refund(refund).await.unwrap();
        let counted = statistics().await;
        assert_eq!((counted.operations, counted.operations_last_30_days), (4, 4));
        assert_eq!((of(&counted.spent, "RUB"), of(&counted.refunded, "RUB")), (800, 1_000));
    }

    async fn many_balances_are_of_one_position_and_tokens_are_kept(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let names: Vec<String> = (0..100).map(|number| account(&format!("tg:{number}"))).collect();
        let mut token = String::new();
        for name in &names[..50] {
            token = credited(&ledger, credit(name, 7)).await.consistency_token;
        }
        assert!(!token.is_empty());
        let request = BatchGetBalancesRequest { book: BOOK.to_owned(), accounts: names.clone(), consistency_token: token.clone() };
        let found = ledger.accounts().batch_get_balances(request).await.unwrap().into_inner().balances;
        assert_eq!(found.iter().map(|balance| &balance.account).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
        let now = head(&ledger).await;
        for (number, balance) in found.iter().enumerate() {
            let rub = if number < 50 { 7 } else { 0 };
            assert_eq!((balance_of(balance, "RUB"), balance.position, balance.not_opened), (rub, now, number >= 50));
        }
        // A log that is behind the token is another log.
        let (other, _database) = start(backend).await;
        let request = GetBalanceRequest { account: names[0].clone(), consistency_token: token, ..Default::default() };
        let status = other.accounts().get_balance(request.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::DataLoss, "LOG_FORKED"));
        assert_eq!(balance_of(&ledger.accounts().get_balance(request).await.unwrap().into_inner(), "RUB"), 7);
    }

    async fn health_and_reflection_answer(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        // HealthCheckRequest: the service is field 1. SERVING is 1, and comes
        // with the first look at the database, which the ready line doesn't
        // wait for.
        for service in ["", "\n\x17ledger.v1.LedgerService"] {
            eventually("it serves", SERVING_DEADLINE, async || {
                let answer = raw::call(ledger.channel(), "/grpc.health.v1.Health/Check", service);
                (answer.await.unwrap() == [8, 1]).then_some(())
            })
            .await;
        }
        let unknown = raw::call(ledger.channel(), "/grpc.health.v1.Health/Check", "\n\x01x").await;
        assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
        let (status, body) = http::get(&format!("http://{}/readyz", ledger.http())).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(http::get(&format!("http://{}/healthz", ledger.http())).await.0, 200);

        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            // Field 7 asks for all services, field 4 for the file of a symbol.
            let answer = raw::call(ledger.channel(), &path, ":\0").await.unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            for service in [
                "LedgerService",
                "AccountService",
                "EventService",
                "PaymentService",
                "CatalogService",
                "FinanceService",
            ] {
                assert!(answer.contains(&format!("ledger.v1.{service}")), "{version}: {answer}");
            }
            let symbol = "\"\x1eledger.v1.LedgerService.Charge";
            let answer = raw::call(ledger.channel(), &path, symbol).await.unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.contains("ChargeRequest") && answer.contains("PlaceHold"), "{version}: {answer}");
        }
    }

    async fn what_is_no_message_or_no_method_is_refused(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let before = head(&ledger).await;
        // No field has the wire type 7.
        let status = raw::call(ledger.channel(), "/ledger.v1.LedgerService/Charge", "\x7f").await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MALFORMED_MESSAGE"));
        let status = raw::call(ledger.channel(), "/ledger.v1.LedgerService/Steal", "").await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(!reason(&status).is_empty(), "{status:?}");
        assert_eq!(head(&ledger).await, before);
    }
}
