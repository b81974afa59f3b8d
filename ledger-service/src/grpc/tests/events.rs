//! Pages of the log.

use super::*;
use crate::store;

fn list(filter: v1::EventFilter) -> v1::ListEventsRequest {
    v1::ListEventsRequest {
        book: BOOK.to_owned(),
        filter: Some(filter),
        page_size: 3,
        ..Default::default()
    }
}

fn positions(events: &[v1::Event]) -> Vec<i64> {
    events.iter().map(|event| event.position).collect()
}

/// A few accounts with a few events each.
async fn busy(indexing: Indexing) -> Stand {
    let mut stand = Stand::start_with(CATALOG, indexing).await;
    for number in 0..4 {
        for account in ["a", "c"] {
            let message = v1::ChargeRequest {
                annotations: Some(v1::Annotations {
                    external_id: format!("task-{number}"),
                    ..Default::default()
                }),
                ..charge(account, "generate")
            };
            stand.charge(message).await.unwrap();
        }
    }
    stand
}

#[tokio::test]
async fn every_way_to_the_events_gives_what_a_look_at_all_of_them_gives() {
    for indexing in [Indexing::On, Indexing::Elsewhere] {
        let mut stand = busy(indexing).await;
        let all = stand.listed(list(v1::EventFilter::default())).await;
        let count = i64::try_from(all.len()).unwrap();
        assert_eq!(positions(&all), (1..=count).collect::<Vec<_>>());
        let mut filters = vec![
            v1::EventFilter {
                account: name("a"),
                ..Default::default()
            },
            v1::EventFilter {
                account: name("nobody"),
                ..Default::default()
            },
            v1::EventFilter {
                types: vec![4],
                ..Default::default()
            },
            v1::EventFilter {
                account: name("c"),
                types: vec![4],
                ..Default::default()
            },
            v1::EventFilter {
                operation: "generate".to_owned(),
                ..Default::default()
            },
            v1::EventFilter {
                source: "WELCOME".to_owned(),
                ..Default::default()
            },
            v1::EventFilter {
                asset: "RUB".to_owned(),
                ..Default::default()
            },
            v1::EventFilter {
                origin: "operator".to_owned(),
                ..Default::default()
            },
            v1::EventFilter {
                record_time_min: all[4].record_time,
                record_time_max: all[9].record_time,
                ..Default::default()
            },
            v1::EventFilter {
                account: name("a"),
                request_id: all[2].request_id.clone(),
                ..Default::default()
            },
            v1::EventFilter {
                request_id: all[2].request_id.clone(),
                ..Default::default()
            },
        ];
        if indexing == Indexing::On {
            let external_id = "task-2".to_owned();
            filters.push(v1::EventFilter {
                external_id,
                ..Default::default()
            });
        }
        for filter in filters {
            let expected: Vec<i64> = positions(
                &all.iter()
                    .filter(|e| wanted(&filter, e))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            let found = stand.listed(list(filter.clone())).await;
            assert_eq!(positions(&found), expected, "{filter:?}");
            let message = v1::ListEventsRequest {
                newest_first: true,
                ..list(filter.clone())
            };
            let mut found = positions(&stand.listed(message).await);
            found.reverse();
            assert_eq!(found, expected, "the newest first: {filter:?}");
        }
    }
}

/// What a filter says, read again by another.
fn wanted(filter: &v1::EventFilter, event: &v1::Event) -> bool {
    use v1::event::Payload;
    let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    let kind = match event.payload.as_ref().unwrap() {
        Payload::AccountOpened(_) => 1,
        Payload::Credited(_) => 3,
        Payload::Debited(_) => 4,
        Payload::CatalogApplied(_) => 18,
        other => panic!("{other:?}"),
    };
    let (operation, source, asset) = match event.payload.as_ref().unwrap() {
        Payload::Debited(debited) => (
            debited.operation.as_str(),
            debited.takes[0].source.as_str(),
            "FREE_OP",
        ),
        Payload::Credited(credited) => ("", credited.source.as_str(), "FREE_OP"),
        _ => ("", "", ""),
    };
    let time = |time: &Option<prost_types::Timestamp>| time.map(|time| (time.seconds, time.nanos));
    let recorded = time(&event.record_time);
    is(&filter.account, &event.account)
        && (filter.types.is_empty() || filter.types.contains(&kind))
        && is(&filter.operation, operation)
        && is(&filter.source, source)
        && is(&filter.asset, asset)
        && is(&filter.origin, &event.origin)
        && is(&filter.request_id, &event.request_id)
        && is(&filter.external_id, &event.external_id)
        && time(&filter.record_time_min).is_none_or(|min| recorded >= Some(min))
        && time(&filter.record_time_max).is_none_or(|max| recorded < Some(max))
}

#[tokio::test]
async fn what_anothers_request_sent_is_found_by_it() {
    let mut stand = Stand::start().await;
    stand.paid("a", 500).await;
    stand.charged("c", "generate").await;
    let request_id = id();
    let message = v1::TransferRequest {
        account: name("a"),
        request_id: request_id.clone(),
        destination_account: name("c"),
        amount: asset_amount("RUB", 500),
        ..Default::default()
    };
    stand.ledger.transfer(message).await.unwrap();
    for (account, expected) in [("a", "TransferSent"), ("c", "TransferReceived")] {
        let request_id = request_id.clone();
        let filter = v1::EventFilter {
            account: name(account),
            request_id,
            ..Default::default()
        };
        assert_eq!(kinds(&stand.listed(list(filter)).await), expected);
    }
}

#[tokio::test]
async fn a_long_way_back_is_left_to_the_index() {
    let mut stand = Stand::start_with(CATALOG, Indexing::Elsewhere).await;
    for _ in 0..2 {
        let credit = |_| v1::CreditRequest {
            account: name("a"),
            request_id: id(),
            amount: asset_amount("RUB", 1),
            ..Default::default()
        };
        let requests = (0..600).map(credit).collect();
        let message = v1::BatchCreditRequest {
            book: BOOK.to_owned(),
            requests,
            ..Default::default()
        };
        stand.ledger.batch_credit(message).await.unwrap();
    }
    let filter = v1::EventFilter {
        account: name("a"),
        ..Default::default()
    };
    let mut request = tonic::Request::new(list(filter.clone()));
    request.set_timeout(Duration::from_secs(4));
    let status = stand.events.list_events(request).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_CAUGHT_UP");
    // The index gets there, whoever builds it.
    let log = stand.engine.store();
    let lease = log.lease("index", "another").await.unwrap().unwrap();
    let stored = log.read_after("b", 0, 2_000).await.unwrap();
    let rows: Vec<_> = stored
        .iter()
        .map(|stored| crate::engine::log::decode(stored).unwrap().event)
        .map(|event| store::IndexedEvent {
            position: event.position,
            kind: event.payload.kind() as u8,
            operation: None,
            operations_delta: 0,
            recorded_at: event.recorded_at,
            account: event.account,
            external_id: None,
        })
        .collect();
    let last = rows.last().unwrap().position;
    assert!(
        log.index_events(
            "b",
            store::Progress::both(0),
            store::Progress::both(last),
            &rows,
            &store::Counted::default(),
            lease
        )
        .await
        .unwrap()
    );
    let message = v1::ListEventsRequest {
        page_size: 1_000,
        ..list(filter)
    };
    assert_eq!(stand.listed(message).await.len(), 1_202);
}

#[tokio::test]
async fn pages_end_at_the_head_of_the_first_one() {
    for newest_first in [false, true] {
        let mut stand = busy(Indexing::On).await;
        let message = v1::ListEventsRequest {
            newest_first,
            ..list(v1::EventFilter::default())
        };
        let first = stand
            .events
            .list_events(message.clone())
            .await
            .unwrap()
            .into_inner();
        let before = stand.listed(message.clone()).await;
        stand.charged("e", "generate").await;
        let rest = v1::ListEventsRequest {
            page_token: first.next_page_token,
            ..message
        };
        let mut pages = first.events;
        pages.extend(stand.listed(rest).await);
        assert_eq!(positions(&pages), positions(&before));
    }
}

#[tokio::test]
async fn a_last_page_that_is_full_is_the_last() {
    let mut stand = busy(Indexing::On).await;
    let all = stand.listed(list(v1::EventFilter::default())).await;
    let page_size = i32::try_from(all.len()).unwrap();
    let message = v1::ListEventsRequest {
        page_size,
        ..list(v1::EventFilter::default())
    };
    let page = stand
        .events
        .list_events(message)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.events.len(), page.next_page_token.as_str()),
        (all.len(), "")
    );
}

#[tokio::test]
async fn one_event_is_found_by_its_name() {
    let mut stand = busy(Indexing::On).await;
    let all = stand.listed(list(v1::EventFilter::default())).await;
    for event in &all {
        let message = v1::GetEventRequest {
            name: event.name.clone(),
            ..Default::default()
        };
        let found = stand.events.get_event(message).await.unwrap().into_inner();
        assert_eq!(found.event.as_ref(), Some(event));
    }
    for (name, expected) in [
        (
            format!("{BOOK}/events/{}", all.len() + 1),
            "EVENT_NOT_FOUND",
        ),
        ("books/nobody/events/1".to_owned(), "BOOK_NOT_FOUND"),
        (format!("{BOOK}/events/0"), "INVALID_REQUEST"),
    ] {
        let status = stand
            .events
            .get_event(v1::GetEventRequest {
                name,
                ..Default::default()
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&status), expected);
    }
}

/// Waits until a lot that ends soon has ended. Nobody writes that down.
async fn until_expired(stand: &mut Stand, account: &str, left: i64) {
    loop {
        let balances = stand.balance(get_balance(account)).await.balances;
        let rub = balances.iter().find(|balance| balance.asset == "RUB");
        if rub.map_or(0, |balance| balance.balance) == left {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_time_made_has_no_cause() {
    let mut stand = Stand::start().await;
    stand.paid("a", 500).await;
    let end = stand.engine.now().plus_us(300_000);
    for account in ["a", "c"] {
        let message = v1::CreditRequest {
            account: name(account),
            request_id: id(),
            amount: asset_amount("RUB", 7),
            lot_expire_time: Some(super::super::render::timestamp(end)),
            ..Default::default()
        };
        stand.ledger.credit(message).await.unwrap();
    }
    until_expired(&mut stand, "a", 500).await;
    until_expired(&mut stand, "c", 0).await;
    let said = v1::Annotations {
        external_id: "task-9".to_owned(),
        metadata: [("model".to_owned(), "m".to_owned())].into(),
        occur_time: Some(super::super::render::timestamp(end)),
        person: "anna".to_owned(),
        reason: Some(v1::Reason {
            code: "GIFT".to_owned(),
            text: String::new(),
        }),
    };
    let message = v1::TransferRequest {
        account: name("a"),
        request_id: id(),
        destination_account: name("c"),
        amount: asset_amount("RUB", 500),
        annotations: Some(said),
        ..Default::default()
    };
    let first = stand.ledger.transfer(message.clone()).await.unwrap();
    let first = first.into_inner().result.unwrap();
    assert_eq!(
        kinds(&first.events),
        "LotExpired TransferSent LotExpired TransferReceived"
    );
    for event in [&first.events[0], &first.events[2]] {
        let v1::Event {
            origin,
            request_id,
            atomic_request_id,
            external_id,
            ..
        } = event;
        let texts = [origin, request_id, atomic_request_id, external_id];
        assert!(texts.iter().all(|text| text.is_empty()), "{event:?}");
        assert_eq!((&event.actor, &event.reason), (&None, &None));
        assert!(event.metadata.is_empty() && event.occur_time.is_none());
    }
    for event in [&first.events[1], &first.events[3]] {
        assert_eq!(event.request_id, message.request_id);
        assert_eq!(event.actor.as_ref().unwrap().person, "anna");
    }
    // Who looks for what was asked finds it, and not what time did meanwhile.
    let filters = [
        v1::EventFilter {
            external_id: "task-9".to_owned(),
            ..Default::default()
        },
        v1::EventFilter {
            person: "anna".to_owned(),
            ..Default::default()
        },
        v1::EventFilter {
            request_id: message.request_id.clone(),
            ..Default::default()
        },
    ];
    for filter in filters {
        let found = stand.listed(list(filter.clone())).await;
        assert_eq!(kinds(&found), "TransferSent TransferReceived", "{filter:?}");
    }
    let by_index = stand.engine.store().indexed_positions_by_external_id(
        "b",
        "task-9",
        store::PositionRange {
            from: 1,
            to: 1_000,
            newest_first: false,
            limit: 10,
        },
    );
    assert_eq!(by_index.await.unwrap().len(), 2);
    // The stored first event still tells a repeat, and a reuse of the id.
    let again = stand.ledger.transfer(message.clone()).await.unwrap();
    let again = again.into_inner().result.unwrap();
    assert!(again.replayed);
    assert_eq!(again.events, first.events);
    let otherwise = v1::TransferRequest {
        annotations: None,
        ..message
    };
    let status = stand.ledger.transfer(otherwise).await.unwrap_err();
    assert_eq!(reason(&status), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn where_parts_went_is_told() {
    let mut stand = Stand::start().await;
    let place = v1::PlaceHoldRequest {
        account: name("a"),
        request_id: id(),
        operation: "generate".to_owned(),
        quantity: 3,
        ..Default::default()
    };
    let placed = stand.ledger.place_hold(place.clone()).await.unwrap();
    let hold = placed.into_inner().hold.unwrap();
    let release = v1::ReleaseHoldRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::release_hold_request::Target::Hold(hold.name)),
        ..Default::default()
    };
    stand.ledger.release_hold(release).await.unwrap();
    let place = v1::PlaceHoldRequest {
        request_id: id(),
        ..place
    };
    let placed = stand.ledger.place_hold(place).await.unwrap();
    let hold = placed.into_inner().hold.unwrap();
    let capture = v1::CaptureHoldRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::capture_hold_request::Target::Hold(hold.name)),
        amount: Some(1),
        ..Default::default()
    };
    stand.ledger.capture_hold(capture).await.unwrap();
    let filter = v1::EventFilter {
        operation: "generate".to_owned(),
        ..Default::default()
    };
    let events = stand.listed(list(filter)).await;
    assert_eq!(
        kinds(&events),
        "HoldPlaced HoldReleased HoldPlaced HoldCaptured"
    );
    let returned = |event: &v1::Event| match event.payload.clone().unwrap() {
        v1::event::Payload::HoldReleased(released) => {
            assert_eq!(released.operation, "generate");
            released.returns
        }
        v1::event::Payload::HoldCaptured(captured) => captured.returns,
        other => panic!("{other:?}"),
    };
    for (event, amount) in [(&events[1], 3), (&events[3], 2)] {
        let returns = returned(event);
        let parts: Vec<_> = returns.iter().map(|part| (part.lot, part.amount)).collect();
        assert_eq!(parts, [(1, amount)]);
        assert_eq!(returns[0].source, "WELCOME");
    }
    let adjust = v1::AdjustRequest {
        account: name("a"),
        request_id: id(),
        annotations: Some(v1::Annotations {
            person: "anna".to_owned(),
            reason: Some(v1::Reason {
                code: "FIX".to_owned(),
                text: String::new(),
            }),
            ..Default::default()
        }),
        asset: "RUB".to_owned(),
        change: Some(v1::adjust_request::Change::Delta(5)),
        ..Default::default()
    };
    let adjusted = stand.ledger.adjust(adjust).await.unwrap().into_inner();
    let events = adjusted.result.unwrap().events;
    let Some(v1::event::Payload::Adjusted(adjusted)) = events[0].payload.clone() else {
        panic!("{events:?}")
    };
    let added = adjusted.added.unwrap();
    assert_eq!((added.lot, added.amount), (2, 5));
    assert_eq!((added.source.as_str(), added.priority), ("ADJUSTMENT", 0));
}
