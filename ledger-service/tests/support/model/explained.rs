//! Explanations at random moments, against the balances of the naive ledger.

use std::collections::{HashMap, VecDeque};

use ledger_core::{
    Command, Context, Event, Name, Request, Timestamp,
    command::Sweep,
    decide::pending,
    event::{Annotations, Balance},
    explain::{LineKind, lines, sums},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    attempt::{Attempt, DAY_US},
    ledger::Ledger,
};
use crate::support::ask::BOOK;

/// How many events of an account are kept; explanations begin at any of them.
const EVENTS_KEPT: usize = 12;

/// What is explained: the last events of every account.
pub(crate) struct Explained {
    events: HashMap<Name, VecDeque<Event>>,
    random: StdRng,
    /// How many lines were added up.
    pub(crate) lines: u64,
}

impl Explained {
    pub(crate) fn new() -> Self {
        Self {
            events: HashMap::new(),
            random: StdRng::seed_from_u64(0),
            lines: 0,
        }
    }

    /// Explains the balances of whom these events are about, which the ledger has
    /// taken in: as of the last of them, and of a moment after it.
    ///
    /// # Errors
    /// What does not add up.
    pub(crate) fn take_in(&mut self, events: &[Event], ledger: &Ledger) -> Result<(), String> {
        for event in events {
            let kept = self.events.entry(event.account.clone()).or_default();
            kept.push_back(event.clone());
            if kept.len() > EVENTS_KEPT {
                kept.pop_front();
            }
        }
        let accounts: std::collections::BTreeSet<&Name> =
            events.iter().map(|event| &event.account).collect();
        accounts
            .into_iter()
            .try_for_each(|account| self.check(account, ledger))
    }

    fn check(&mut self, account: &Name, ledger: &Ledger) -> Result<(), String> {
        let kept = self.events.get_mut(account).map(VecDeque::make_contiguous);
        let kept = kept.unwrap_or_default();
        // All that there are, or some after one that says what was before.
        let is_whole = kept.first().is_some_and(|event| event.version == 1);
        let first = self
            .random
            .random_range(usize::from(!is_whole)..=kept.len());
        let (earlier, shown) = kept.split_at(first);
        let before = earlier.last().map_or(&[][..], |event| &event.balances);
        let wallet = ledger.wallet(account);
        let explained = lines(before, shown, None);
        self.lines += explained.len() as u64;
        if told(&sums(&explained)) != told(&wallet.balances()) {
            return Err(format!("{explained:#?} are not {:#?}", wallet.balances()));
        }
        if explained.iter().any(|line| line.kind == LineKind::Other) {
            return Err(format!("a line of no kind: {explained:#?}"));
        }
        let more_us = match self.random.random_range(0..4) {
            // Beyond periods of subscriptions.
            0 => self.random.random_range(0..4 * DAY_US),
            _ => self.random.random_range(0..4_000_000),
        };
        let now = ledger.recorded_at.plus_us(more_us);
        let context = Context {
            book: BOOK,
            now,
            catalog: &ledger.catalog,
            catalog_version: ledger.catalog_version,
            next_position: ledger.position + 1,
        };
        let unrecorded = pending(account, &wallet.account(), &context);
        let explained = sums(&lines(before, shown.iter().chain(&unrecorded), None));
        let own = shown_at(ledger, account, now);
        if told(&explained) != told(&own) {
            return Err(format!("at {now:?} {explained:#?} are not {own:#?}"));
        }
        Ok(())
    }
}

/// What reads of an account show at a moment.
fn shown_at(ledger: &Ledger, account: &Name, now: Timestamp) -> Vec<Balance> {
    let request = Request {
        account: account.clone(),
        request_id: None,
        origin: Name::default(),
        annotations: Annotations::default(),
        expires_at: None,
        command: Command::Sweep(Sweep {}),
    };
    let wallet = ledger.wallet(account).clone();
    Attempt::new(ledger, &request, now, 1, wallet, None).shown()
}

/// The balances that are not zero.
fn told(balances: &[Balance]) -> Vec<Balance> {
    let is_some = |balance: &&Balance| balance.balance != 0 || balance.held != 0;
    // What of it is owed, no line says.
    let bare = |balance: &Balance| Balance {
        deficit: 0,
        ..balance.clone()
    };
    balances.iter().filter(is_some).map(bare).collect()
}
