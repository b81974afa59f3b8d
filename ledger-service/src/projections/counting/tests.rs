//! What single events add, and on which day.

use ledger_core::{
    Event, Money, Payload, Timestamp,
    account::Lot,
    event::{
        Annotations, CatalogApplied, Credited, Debited, EndReason, FORMAT, HOUSE, HoldCaptured,
        HoldEnded, LotExpired, PaidWith, PaymentRefunded, PaymentSucceeded, ProviderIds,
        SubscriptionEnded,
    },
    payment::RefundVia,
};

use super::{Counting, Metric};
use crate::store::{AccountDay, Counted};

/// 2026-11-25T20:30:00Z: 23:30 in Moscow.
const EVENING: Timestamp = Timestamp(1_795_638_600_000_000);
const HOUR_US: i64 = 3_600 * 1_000_000;
/// The number of 2026-11-25.
const TODAY: i64 = 20_782;

fn event(account: &str, catalog_version: u64, recorded_at: Timestamp, payload: Payload) -> Event {
    Event {
        format: FORMAT,
        book: "b".into(),
        position: 7,
        account: account.into(),
        version: 1,
        previous_position: 0,
        origin: "bot".into(),
        request_id: None,
        annotations: Annotations::default(),
        recorded_at,
        catalog_version,
        request: None,
        balances: Vec::new(),
        payload,
        call_id: None,
        call_hash: None,
    }
}

fn catalog(version: u64, time_zone: &str) -> Event {
    let text = format!("schema = 1\nbook = \"b\"\ntime_zone = \"{time_zone}\"\n");
    let applied = Payload::CatalogApplied(CatalogApplied {
        catalog_version: version,
        text,
        overrides: std::collections::BTreeMap::new(),
    });
    event(HOUSE, version - 1, EVENING, applied)
}

fn opened(version: u64, at: Timestamp) -> Event {
    event("tg:1", version, at, Payload::AccountOpened)
}

fn lot(asset: &str, amount: i64, source: &str) -> Lot {
    Lot {
        id: 1,
        asset: asset.into(),
        amount,
        source: source.into(),
        ..Lot::default()
    }
}

fn count(events: &[Event]) -> Counted {
    let mut counting = Counting::default();
    events
        .iter()
        .for_each(|event| counting.take_in(event).unwrap());
    counting.take()
}

/// What one payload adds: `day origin metric key value`.
fn told(payload: Payload) -> Vec<String> {
    let counted = count(&[event("tg:1", 0, EVENING, payload)]);
    let told = counted.days.iter().map(|count| {
        let metric = Metric::of_number(count.metric).unwrap();
        format!("{} {metric:?} {} {}", count.origin, count.key, count.value)
    });
    told.collect()
}

#[test]
fn a_day_is_cut_in_the_zone_of_the_event_s_catalog() {
    let later = EVENING.plus_us(HOUR_US);
    let events = [
        opened(0, EVENING),
        opened(0, later),
        catalog(1, "Europe/Moscow"),
        opened(1, EVENING),
        opened(1, later),
        catalog(2, "UTC"),
        opened(2, later),
    ];
    let days: Vec<(i64, i64)> = count(&events)
        .days
        .iter()
        .map(|count| (count.day, count.value))
        .collect();
    assert_eq!(days, [(TODAY, 4), (TODAY + 1, 1)]);
}

#[test]
fn a_catalog_has_to_be_known() {
    let mut counting = Counting::default();
    let late = opened(5, EVENING);
    assert!(!counting.knows(&late) && counting.take_in(&late).is_err());
    counting.take_in(&catalog(5, "UTC")).unwrap_err();
    counting.learn(&catalog(4, "UTC")).unwrap();
    counting.take_in(&catalog(5, "UTC")).unwrap();
    assert!(counting.knows(&late));
    counting.take_in(&late).unwrap();
    assert!(!counting.knows(&opened(4, EVENING)), "forgotten");
}

#[test]
fn the_book_s_own_accounts_are_not_counted() {
    let own = event(HOUSE, 0, EVENING, Payload::AccountOpened);
    assert_eq!(count(&[own]), Counted::default());
}

#[test]
fn events_add_what_they_say() {
    let free = Debited {
        operation: Some("train".into()),
        quantity: 2,
        asset: "FREE".into(),
        amount: 2,
        paid_with: PaidWith::Granted,
        parts: vec![lot("FREE", 1, "CHANNEL"), lot("FREE", 1, "PROMOCODE")],
        attributes: [("model".into(), "dall-e-3".into())].into(),
        ..Debited::default()
    };
    assert_eq!(
        told(Payload::Debited(free)),
        [
            "bot Charged train 1",
            "bot ByAttribute model=dall-e-3 1",
            "bot ByPaidWith granted 1",
            "bot FreeBySource CHANNEL 1",
            "bot Spent FREE 2",
        ]
    );
    let late = HoldCaptured {
        operation: Some("train".into()),
        asset: "RUB".into(),
        amount: 500,
        paid_with: PaidWith::Purchased,
        is_final: true,
        late: true,
        counted: true,
        ..HoldCaptured::default()
    };
    assert_eq!(
        told(Payload::HoldCaptured(late.clone())),
        [
            "bot HoldsCaptured train 1",
            "bot ByPaidWith purchased 1",
            "bot Spent RUB 500",
        ]
    );
    let part = HoldCaptured {
        late: false,
        counted: false,
        is_final: false,
        ..late
    };
    assert_eq!(told(Payload::HoldCaptured(part)), ["bot Spent RUB 500"]);
    let given = Credited {
        lot: lot("FREE", 3, "ADMIN"),
        ..Credited::default()
    };
    assert_eq!(
        told(Payload::Credited(given)),
        ["bot Granted FREE 3", "bot GrantsBySource ADMIN 1"]
    );
    let paid = PaymentSucceeded {
        provider: "yookassa".into(),
        merchant_account: "1".into(),
        provider_ids: Vec::new(),
        amount: Money {
            currency: "RUB".into(),
            amount: 9_900,
        },
        income: None,
        test: false,
        payment: None,
        purpose: None,
        refund: ledger_core::catalog::PaymentRefundPolicy::default(),
        is_limited: false,
    };
    let test = PaymentSucceeded {
        test: true,
        ..paid.clone()
    };
    assert_eq!(
        told(Payload::PaymentSucceeded(paid)),
        ["bot Received RUB 9900", "bot Payments RUB 1"]
    );
    assert_eq!(
        told(Payload::PaymentSucceeded(test)),
        ["bot TestReceived RUB 9900"]
    );
}

#[test]
fn money_that_goes_back_and_subscriptions_are_counted() {
    let refunded = PaymentRefunded {
        payment: 3,
        refund: None,
        amount: Money {
            currency: "RUB".into(),
            amount: 900,
        },
        via: RefundVia::Provider,
        provider_ids: ProviderIds::default(),
        document_number: None,
        reserved: Vec::new(),
        parts: Vec::new(),
        debts: Vec::new(),
        test: false,
        gives: Vec::new(),
    };
    let test = PaymentRefunded {
        test: true,
        ..refunded.clone()
    };
    assert_eq!(
        told(Payload::PaymentRefunded(refunded)),
        ["bot PaidBack RUB 900"]
    );
    assert!(told(Payload::PaymentRefunded(test)).is_empty());
    let ended = SubscriptionEnded {
        subscription: 3,
        plan: "month".into(),
        reason: EndReason::Upgraded,
        ended: Vec::new(),
    };
    assert_eq!(
        told(Payload::SubscriptionEnded(ended)),
        ["bot SubscriptionsEnded month 1"]
    );
}

#[test]
fn what_time_alone_ended_is_of_no_origin_and_nobody_s_doing() {
    let expired = Payload::LotExpired(LotExpired {
        lot: lot("FREE", 3, "WELCOME"),
    });
    assert_eq!(told(expired), [" Expired FREE 3"]);
    let ended = HoldEnded {
        hold: 3,
        asset: "RUB".into(),
        amount: 500,
        parts: Vec::new(),
        graced: Vec::new(),
        operation: Some("train".into()),
        settled: Vec::new(),
    };
    let expired = Payload::HoldExpired(ended.clone());
    assert_eq!(
        told(expired),
        [" HoldsExpired train 1", " HoldsEnded train 1"]
    );
    let released = Payload::HoldReleased(ended);
    let expected = ["bot HoldsReleased train 1", "bot HoldsEnded train 1"];
    assert_eq!(told(released.clone()), expected);
    let counted = count(&[event("tg:1", 0, EVENING, released)]);
    assert_eq!(counted.accounts, []);
}

#[test]
fn figures_are_summed_and_then_begin_at_zero() {
    let charge = |amount| {
        let debited = Debited {
            operation: Some("train".into()),
            asset: "RUB".into(),
            amount,
            ..Debited::default()
        };
        event("tg:1", 0, EVENING, Payload::Debited(debited))
    };
    let mut counting = Counting::default();
    counting.take_in(&charge(700)).unwrap();
    counting.take_in(&charge(300)).unwrap();
    let expected = AccountDay {
        day: TODAY,
        asset: "RUB".into(),
        account: "tg:1".into(),
        origin: "bot".into(),
        active: 2,
        operations: 2,
        spent: 1_000,
    };
    assert_eq!(counting.len(), 4);
    assert_eq!(counting.take().accounts, [expected]);
    assert!(counting.is_empty() && counting.take() == Counted::default());
}

#[test]
fn numbers_of_metrics_are_their_own() {
    for (metric, number) in Metric::ALL.into_iter().zip(1..) {
        assert_eq!(metric as u8, number);
        assert_eq!(Metric::of_number(number), Some(metric));
    }
    assert_eq!((Metric::of_number(0), Metric::of_number(26)), (None, None));
}
