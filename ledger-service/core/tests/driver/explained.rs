//! Explanations against what they explain: at whatever moment, with however many
//! lines.

use ledger_core::{
    Account, Context, Event,
    account::total,
    decide::{at_present, pending},
    event::Balance,
    explain::{LineKind, lines, moves, sums, upcoming},
};

use super::{Ledger, auditor};

/// The balances that are not zero.
fn told(balances: &[Balance]) -> Vec<Balance> {
    let mut told = balances.to_vec();
    told.retain(|balance| balance.balance != 0 || balance.held != 0);
    // What of it is owed, no line says.
    told.iter_mut().for_each(|balance| balance.deficit = 0);
    told
}

/// The line of an event says what the event says.
pub(crate) fn check_line(before: &Account, event: &Event) {
    let before = before.balances();
    let explained = lines(&before, [event], None);
    assert_eq!(told(&sums(&explained)), told(&event.balances), "{event:#?}");
    let own: Vec<_> = explained
        .iter()
        .filter(|line| line.kind != LineKind::Before)
        .collect();
    assert_eq!(moves(&before, event, None), !own.is_empty());
    let stated = auditor::sums(auditor::stated(&event.payload).into_iter());
    let found = own.iter().map(|line| (line.asset.as_str(), line.amount));
    assert_eq!(auditor::sums(found), stated, "{event:#?}");
    for line in own {
        assert_ne!(line.kind, LineKind::Other, "{event:#?}");
        let owed = auditor::owing(&event.payload).0.iter();
        let owed = owed.filter(|debt| debt.asset == line.asset);
        let lots = total(&line.lots) + owed.map(|debt| debt.amount).sum::<i64>();
        let moved = line.amount.abs().max(line.held_amount.abs());
        assert!(lots == line.amount.abs() || lots == moved, "{event:#?}");
    }
}

/// The last lines of an account, and what is due or given without being recorded,
/// add up to what reads show: now and later.
pub(crate) fn check_sums(ledger: &Ledger, id: &str) {
    let account = ledger.account(id);
    let events: Vec<&Event> = ledger
        .events
        .iter()
        .filter(|event| event.account == *id)
        .collect();
    let shown = events.len() % 7;
    let (earlier, last) = events.split_at(events.len() - shown);
    let before = earlier.last().map_or(&[][..], |event| &event.balances);
    for later_us in [0, super::SECOND, super::HOUR, 40 * super::DAY] {
        let context = Context {
            book: &ledger.book,
            now: ledger.now.plus_us(later_us),
            catalog: &ledger.catalog,
            catalog_version: ledger.catalog_version,
            next_position: ledger.next_position(),
        };
        let present = at_present(id, &account, &context);
        let unrecorded = pending(id, &account, &context);
        let all = || last.iter().copied().chain(&unrecorded);
        let explained = lines(before, all(), None);
        assert_eq!(told(&sums(&explained)), told(&present.balances()));
        for (asset, totals) in present.assets.iter() {
            let of_one = sums(&lines(before, all(), Some(asset)));
            let expected = Balance::new(asset, totals);
            assert_eq!(told(&of_one), told(&[expected]));
            let ends = upcoming(&present, Some(asset));
            assert!(ends.is_sorted_by_key(|end| end.expires_at));
            let lost: i64 = ends.iter().map(|end| end.amount).sum();
            let left = ends.last().map_or(totals.balance, |end| end.left_amount);
            assert_eq!(left + lost, totals.balance);
            let least = totals.held - totals.deficit;
            assert!(left >= least && ends.iter().all(|end| end.expires_at > context.now));
        }
    }
}
