//! Pages of the log.

use super::*;

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
    let store = stand.engine.store();
    let lease = store.lease("index", "another").await.unwrap().unwrap();
    let stored = store.read_after("b", 0, 2_000).await.unwrap();
    let rows: Vec<_> = stored
        .iter()
        .map(|stored| crate::engine::log::decode(stored).unwrap().event)
        .map(|event| crate::store::IndexedEvent {
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
        store
            .index_events("b", 0, last, &rows, lease)
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
            .get_event(v1::GetEventRequest { name })
            .await
            .unwrap_err();
        assert_eq!(reason(&status), expected);
    }
}
