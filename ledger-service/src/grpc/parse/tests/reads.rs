//! Questions, pages and filters.

use ledger_core::{Event, Payload, event::FORMAT};

use super::*;
use crate::grpc::tokens;

fn told(read: impl FnOnce(&mut Fields)) -> Vec<String> {
    let mut fields = Fields::default();
    read(&mut fields);
    violations(fields.finish())
}

#[test]
fn page_sizes_have_a_default_and_a_maximum() {
    let owner = [1; 8];
    let page = |size, token: &str| {
        let mut fields = Fields::default();
        let page = fields.page::<u64>(PageFields { size, token, owner });
        (page, violations(fields.finish()))
    };
    for (size, expected) in [(0, 100), (1, 1), (1_000, 1_000), (i32::MAX, 1_000)] {
        let (page, told) = page(size, "");
        assert_eq!((page.size, page.cursor, told), (expected, None, Vec::new()));
    }
    assert_eq!(page(-1, "").1, ["page_size: must be 0 or more"]);
    assert_eq!(
        page(0, "?").1,
        ["page_token: is not a token of this service"]
    );
    let others = tokens::page([2; 8], &7_u64);
    let rule = "page_token: belongs to a request with other fields than this one";
    assert_eq!(page(0, &others).1, [rule]);
    assert_eq!(page(0, &tokens::page(owner, &7_u64)).0.cursor, Some(7));
}

#[test]
fn reads_take_the_house_and_refuse_bad_tokens() {
    let deadline = std::time::Instant::now();
    let house = "books/b/accounts/@house".to_owned();
    assert!(Reading::parse(house, "", deadline).is_ok());
    let told = violations(Reading::parse("a".to_owned(), "?", deadline));
    let account = format!("account: {}", crate::grpc::names::ACCOUNT_RULE);
    assert_eq!(
        told,
        [
            account.as_str(),
            "consistency_token: is not a token of this service"
        ]
    );
}

#[test]
fn batch_reads_stay_in_their_book() {
    let names = [ACCOUNT, "books/c/accounts/a", "a"]
        .map(str::to_owned)
        .to_vec();
    let told_of = told(|fields| {
        fields.accounts_of("b", names, 1_000);
    });
    let shape = format!("accounts[2]: {}", crate::grpc::names::ACCOUNT_RULE);
    assert_eq!(
        told_of,
        [
            "accounts[1]: must be an account of the call's book",
            shape.as_str()
        ]
    );
    let none = told(|fields| {
        fields.accounts_of("b", Vec::new(), 1_000);
    });
    assert_eq!(none, ["accounts: must be 1 to 1000 accounts"]);
}

#[test]
fn filters_are_checked() {
    let filter = v1::EventFilter {
        account: "books/c/accounts/a".to_owned(),
        types: vec![1, 0, 99],
        operation: "?".to_owned(),
        asset: "rub".to_owned(),
        source: "x".to_owned(),
        request_id: "x".to_owned(),
        person: "\0".to_owned(),
        external_id: "\0".to_owned(),
        origin: "?".to_owned(),
        record_time_min: Some(prost_types::Timestamp {
            seconds: 0,
            nanos: -1,
        }),
        ..Default::default()
    };
    let fields: Vec<String> = told(|fields| {
        fields.event_query(Some(filter), "b");
    })
    .into_iter()
    .filter_map(|violation| violation.split(':').next().map(str::to_owned))
    .collect();
    let expected = [
        "filter.request_id",
        "filter.account",
        "filter.record_time_min",
        "filter.types[1]",
        "filter.types[2]",
        "filter.operation",
        "filter.asset",
        "filter.source",
        "filter.person",
        "filter.external_id",
        "filter.origin",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn streams_take_no_times_and_no_requests() {
    let filter = v1::EventFilter {
        request_id: ID.to_owned(),
        record_time_max: Some(prost_types::Timestamp::default()),
        ..Default::default()
    };
    let told = told(|fields| {
        let query = fields.event_query(Some(filter), "b");
        fields.check_stream_query(&query);
    });
    let rule = "must not be set for a stream";
    let expected = ["filter.request_id", "filter.record_time_max"].map(|f| format!("{f}: {rule}"));
    assert_eq!(told, expected);
}

#[test]
fn a_filters_times_are_whole_microseconds_that_hold_as_much() {
    let mut fields = Fields::default();
    let time = |nanos| Some(prost_types::Timestamp { seconds: 1, nanos });
    assert_eq!(
        fields.filter_time("f", time(1_000)),
        Some(Timestamp(1_000_001))
    );
    assert_eq!(
        fields.filter_time("f", time(1_001)),
        Some(Timestamp(1_000_002))
    );
}

fn event(payload: Payload) -> Event {
    Event {
        format: FORMAT,
        book: "b".into(),
        position: 1,
        account: "a".into(),
        version: 1,
        previous_position: 0,
        origin: "bot".into(),
        request_id: None,
        annotations: ledger_core::event::Annotations::default(),
        recorded_at: NOW,
        catalog_version: 1,
        request: None,
        call_id: None,
        call_hash: None,
        balances: Vec::new(),
        payload,
    }
}

#[test]
fn filters_match_what_they_say() {
    let event = event(Payload::AccountOpened);
    let filter = |change: fn(&mut v1::EventFilter)| {
        let mut filter = v1::EventFilter::default();
        change(&mut filter);
        Fields::default().event_query(Some(filter), "b")
    };
    let matching = [
        filter(|_| {}),
        filter(|f| f.account = ACCOUNT.to_owned()),
        filter(|f| f.types = vec![18, 1]),
        filter(|f| f.origin = "bot".to_owned()),
    ];
    for query in matching {
        assert!(query.matches(&event), "{query:?}");
    }
    let others = [
        filter(|f| f.account = "books/b/accounts/c".to_owned()),
        filter(|f| f.types = vec![2]),
        filter(|f| f.origin = "other".to_owned()),
        filter(|f| f.operation = "generate".to_owned()),
        filter(|f| f.asset = "RUB".to_owned()),
        filter(|f| f.source = "WELCOME".to_owned()),
        filter(|f| f.person = "anna".to_owned()),
        filter(|f| f.external_id = "7".to_owned()),
        filter(|f| f.request_id = ID.to_owned()),
    ];
    for query in others {
        assert!(!query.matches(&event), "{query:?}");
    }
}

#[test]
fn what_time_made_is_nobodys() {
    let lot = ledger_core::account::Lot {
        id: 1,
        asset: "RUB".into(),
        amount: 1,
        funding: ledger_core::account::Funding::Granted,
        source: "GIFT".into(),
        priority: 0,
        expires_at: Some(NOW),
        scope: Vec::new(),
        basis: 0,
        currency: None,
        created_at: Timestamp(0),
        ..ledger_core::account::Lot::default()
    };
    let written_along = Event {
        request_id: Some(ledger_core::RequestId([7; 16])),
        annotations: ledger_core::event::Annotations {
            external_id: Some("7".into()),
            person: Some("anna".into()),
            ..Default::default()
        },
        ..event(Payload::LotExpired(ledger_core::event::LotExpired {
            lot: lot.clone(),
        }))
    };
    let credited = ledger_core::event::Credited {
        lot,
        payment: None,
        ..ledger_core::event::Credited::default()
    };
    let done = Event {
        payload: Payload::Credited(credited),
        ..written_along.clone()
    };
    let id = uuid::Uuid::from_bytes([7; 16]).to_string();
    let filters = [
        v1::EventFilter {
            person: "anna".to_owned(),
            ..Default::default()
        },
        v1::EventFilter {
            external_id: "7".to_owned(),
            ..Default::default()
        },
        v1::EventFilter {
            origin: "bot".to_owned(),
            ..Default::default()
        },
        v1::EventFilter {
            request_id: id,
            ..Default::default()
        },
    ];
    for filter in filters {
        let query = Fields::default().event_query(Some(filter), "b");
        assert!(query.matches(&done), "{query:?}");
        assert!(!query.matches(&written_along), "{query:?}");
    }
    assert!(EventQuery::default().matches(&written_along));
}
