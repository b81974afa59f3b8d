//! Statistics: figures that add up, and checkpoints of their own.

use ledger_core::Name;
use ledger_service::store::{
    AccountDay, Counted, DayCount, IndexedEvent, Lease, OTHER_KEYS, Progress, SharedStore,
    Statistics, StatisticsQuery, TopAccount,
};

use crate::harness::{Place, at, on_both};

const CHARGED: u8 = 3;
const SPENT: u8 = 13;

fn count(day: i64, origin: &str, metric: u8, key: &str, value: i64) -> DayCount {
    DayCount {
        day,
        origin: origin.into(),
        metric,
        key: key.into(),
        value,
    }
}

fn account(day: i64, asset: &str, account: &str, origin: &str, values: [i64; 3]) -> AccountDay {
    let [active, operations, spent] = values;
    AccountDay {
        day,
        asset: asset.into(),
        account: account.into(),
        origin: origin.into(),
        active,
        operations,
        spent,
    }
}

fn row(position: u64) -> IndexedEvent {
    IndexedEvent {
        account: "x".into(),
        position,
        kind: 4,
        operation: None,
        operations_delta: 1,
        recorded_at: at(position),
        external_id: None,
    }
}

fn query(first_day: i64, last_day: i64) -> StatisticsQuery {
    StatisticsQuery {
        first_day,
        last_day,
        origin: None,
        keys_max: 10,
        origins_max: 10,
        top_max: 10,
        top_asset: None,
    }
}

async fn lease(store: &SharedStore) -> Lease {
    store.lease("index", "me").await.unwrap().unwrap()
}

/// Counts as the next chunk.
async fn add(store: &SharedStore, from: u64, days: Vec<DayCount>, accounts: Vec<AccountDay>) {
    let (from, to) = (Progress::both(from), Progress::both(from + 1));
    let counted = Counted { days, accounts };
    let lease = lease(store).await;
    assert!(
        store
            .index_events("a", from, to, &[], &counted, lease)
            .await
            .unwrap()
    );
}

/// `bot 3 generate 5`, a line each.
fn told(statistics: &Statistics, is_period: bool) -> Vec<String> {
    let figures = match is_period {
        true => &statistics.period,
        false => &statistics.all_time,
    };
    let told = figures.iter().map(|figure| {
        let origin = figure.origin.as_deref().unwrap_or("*");
        format!("{origin} {} {} {}", figure.metric, figure.key, figure.value)
    });
    told.collect()
}

on_both! {
    async fn figures_are_summed_by_day_and_origin(place: Place) {
        let store = place.store().await;
        add(&store, 0, vec![
            count(10, "bot", CHARGED, "generate", 2),
            count(11, "bot", CHARGED, "generate", 1),
            count(11, "bot", SPENT, "RUB", 1_500_000_000),
        ], Vec::new()).await;
        add(&store, 1, vec![
            count(11, "bot", CHARGED, "generate", 4),
            count(11, "quiz", CHARGED, "edit", 1),
            count(11, "quiz", SPENT, "RUB", -2_500_000_000),
            count(12, "quiz", CHARGED, "edit", 8),
        ], Vec::new()).await;
        let found = store.statistics("a", &query(11, 11)).await.unwrap();
        assert_eq!(found.position, 2);
        assert_eq!(told(&found, false), [
            "* 3 edit 9",
            "* 3 generate 7",
            "* 13 RUB -1000000000",
            "bot 3 generate 7",
            "bot 13 RUB 1500000000",
            "quiz 3 edit 9",
            "quiz 13 RUB -2500000000",
        ]);
        assert_eq!(told(&found, true), [
            "* 3 edit 1",
            "* 3 generate 5",
            "* 13 RUB -1000000000",
            "bot 3 generate 5",
            "bot 13 RUB 1500000000",
            "quiz 3 edit 1",
            "quiz 13 RUB -2500000000",
        ]);
        let of_one = StatisticsQuery { origin: Some("quiz".into()), ..query(10, 12) };
        let found = store.statistics("a", &of_one).await.unwrap();
        assert_eq!(told(&found, true), [
            "* 3 edit 9",
            "* 13 RUB -2500000000",
            "quiz 3 edit 9",
            "quiz 13 RUB -2500000000",
        ]);
        let first = StatisticsQuery { origins_max: 1, ..query(11, 11) };
        let found = store.statistics("a", &first).await.unwrap();
        assert_eq!(told(&found, true).len(), 5);
        let nothing = store.statistics("b", &query(0, 99)).await.unwrap();
        let none = Statistics { active: vec![(None, 0)], ..Statistics::default() };
        assert_eq!(nothing, none);
    }

    async fn the_smallest_keys_stand_together(place: Place) {
        let store = place.store().await;
        let days = (1..=30).map(|n| count(10, "bot", CHARGED, &format!("op{n:02}"), n));
        add(&store, 0, days.collect(), Vec::new()).await;
        let few = StatisticsQuery { keys_max: 2, ..query(10, 10) };
        let found = store.statistics("a", &few).await.unwrap();
        let rest: i64 = (1..=28).sum();
        let other = format!("{OTHER_KEYS} {rest}");
        assert_eq!(told(&found, true), [
            "* 3 op29 29",
            "* 3 op30 30",
            &format!("* 3 {other}"),
            "bot 3 op29 29",
            "bot 3 op30 30",
            &format!("bot 3 {other}"),
        ]);
    }

    async fn accounts_are_counted_once_and_ordered(place: Place) {
        let store = place.store().await;
        add(&store, 0, Vec::new(), vec![
            account(10, "RUB", "x", "bot", [1, 1, 900]),
            account(10, "RUB", "y", "bot", [2, 2, 500]),
            account(10, "RUB", "y", "quiz", [1, 0, 600]),
            account(10, "XP", "x", "quiz", [1, 9, 1]),
            account(10, "RUB", "z", "bot", [0, 0, -100]),
            account(9, "RUB", "old", "bot", [1, 5, 5_000]),
        ]).await;
        add(&store, 1, Vec::new(), vec![account(10, "RUB", "x", "bot", [1, 1, 50])]).await;
        let found = store.statistics("a", &query(10, 10)).await.unwrap();
        let origin = |origin: &str| Some(Name::from(origin));
        assert_eq!(found.active, [(None, 2), (origin("bot"), 2), (origin("quiz"), 2)]);
        let top = |account: &str, operations, spent| TopAccount { account: account.into(), operations, spent };
        assert_eq!(found.top, [top("x", 11, 0), top("y", 2, 0)]);
        let by_spent = StatisticsQuery { top_asset: Some("RUB".into()), ..query(10, 10) };
        let found = store.statistics("a", &by_spent).await.unwrap();
        assert_eq!(found.top, [top("y", 2, 1_100), top("x", 2, 950)]);
        let one = StatisticsQuery { top_max: 1, origin: origin("bot"), ..by_spent };
        let found = store.statistics("a", &one).await.unwrap();
        assert_eq!(found.top, [top("x", 2, 950)]);
        assert_eq!(found.active, [(None, 2), (origin("bot"), 2)]);
    }

    async fn sums_stay_within_their_bounds(place: Place) {
        let store = place.store().await;
        for (from, value) in [(0, i64::MAX), (1, i64::MAX), (2, 5)] {
            add(&store, from, vec![
                count(10, "bot", SPENT, "RUB", value),
                count(11, "bot", SPENT, "RUB", value),
                count(11, "bot", SPENT, "XP", -value),
            ], vec![account(10, "RUB", "x", "bot", [1, 1, value])]).await;
        }
        let found = store.statistics("a", &query(10, 10)).await.unwrap();
        assert_eq!(told(&found, true)[0], format!("* 13 RUB {}", i64::MAX));
        // Of two days, too.
        assert_eq!(told(&found, false)[0], format!("* 13 RUB {}", i64::MAX));
        assert_eq!(told(&found, false)[1], format!("* 13 XP {}", i64::MIN));
        let by_spent = StatisticsQuery { top_asset: Some("RUB".into()), ..query(10, 10) };
        let found = store.statistics("a", &by_spent).await.unwrap();
        assert_eq!(found.top[0].spent, i64::MAX);
    }

    /// As after an upgrade, when the index is ahead; and the other way round.
    async fn what_is_behind_catches_up_alone(place: Place) {
        let store = place.store().await;
        let lease = lease(&store).await;
        let counted = |value| Counted {
            days: vec![count(10, "bot", CHARGED, "generate", value)],
            accounts: Vec::new(),
        };
        add(&store, 0, counted(1).days, Vec::new()).await;
        let ahead = Progress { indexed: 5, counted: 1 };
        let rows: Vec<_> = (2..=5).map(row).collect();
        let none = Counted::default();
        assert!(store.index_events("a", Progress::both(1), ahead, &rows, &none, lease).await.unwrap());
        assert_eq!(store.progress("a").await.unwrap(), ahead);
        assert_eq!(store.indexed_position("a").await.unwrap(), 5);
        // Whoever believes something else about either does nothing.
        for wrong in [Progress::both(1), Progress::both(5), Progress { indexed: 5, counted: 2 }] {
            let to = Progress::both(9);
            assert!(!store.index_events("a", wrong, to, &[], &counted(100), lease).await.unwrap());
        }
        let both = Progress::both(5);
        assert!(store.index_events("a", ahead, both, &[], &counted(7), lease).await.unwrap());
        let found = store.statistics("a", &query(10, 10)).await.unwrap();
        assert_eq!((found.position, told(&found, true)[0].as_str()), (5, "* 3 generate 8"));
        // From the beginning on, they begin empty, whatever is there.
        place.sql("UPDATE ledger.index_progress SET counted = 0").await.unwrap();
        let from = Progress { indexed: 5, counted: 0 };
        assert!(store.index_events("a", from, both, &[], &counted(8), lease).await.unwrap());
        let found = store.statistics("a", &query(10, 10)).await.unwrap();
        assert_eq!(told(&found, true)[0], "* 3 generate 8");
        // An index that was emptied leaves them as they are.
        place.sql("UPDATE ledger.index_progress SET position = 0").await.unwrap();
        let from = Progress { indexed: 0, counted: 5 };
        assert!(store.index_events("a", from, both, &rows, &none, lease).await.unwrap());
        let found = store.statistics("a", &query(10, 10)).await.unwrap();
        assert_eq!(told(&found, true)[0], "* 3 generate 8");
    }

    async fn figures_are_read_in_the_order_of_their_keys(place: Place) {
        let store = place.store().await;
        let days = vec![
            count(-1, "", CHARGED, "", 1),
            count(10, "", SPENT, "RUB", 2),
            count(10, "bot", CHARGED, "", 3),
            count(10, "bot", CHARGED, "a", -4),
        ];
        let accounts = vec![
            account(-1, "", "x", "", [1, 0, 0]),
            account(10, "", "x", "bot", [1, 0, 0]),
            account(10, "RUB", "x", "bot", [1, 1, 1]),
            account(10, "RUB", "x", "quiz", [1, 1, -1]),
        ];
        add(&store, 0, days.clone(), accounts.clone()).await;
        for size in [1, 3, 9] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.day_counts_after("a", after.as_ref(), size).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                found.extend(page);
            }
            assert_eq!(found, days);
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.account_days_after("a", after.as_ref(), size).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                found.extend(page);
            }
            assert_eq!(found, accounts);
        }
    }
}
