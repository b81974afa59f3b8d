//! A decision in the making: the accounts as the events so far left them, and
//! those events.

use std::borrow::Cow;

use super::{Accounts, Context, Decided, Party, Priced, prepare};
use crate::{
    account::{Account, Funding, Lot},
    catalog::Buyer,
    command::Request,
    event::{Annotations, Event, FORMAT, Payload, WindowUse},
    limits::{
        AMOUNT_MAX, BALANCE_MAX, PARTS_BEFORE_PURCHASED_MERGE, PARTS_MAX,
        STATE_BYTES_FOR_NEW_PARTS, STATE_BYTES_FOR_WINDOWS, WINDOW_USE_BYTES_MAX,
    },
    name::Name,
    record::Record,
    rejection::Rejection,
};

/// One account in a decision. It is copied only if events of time or first use
/// have to be applied before the command can be looked at.
pub(super) struct Side<'a> {
    pub(super) account: Cow<'a, Account>,
    /// The ids of lots that are given out so far.
    lots_created: u64,
}

impl<'a> Side<'a> {
    pub(super) fn new(account: &'a Account) -> Self {
        Self {
            account: Cow::Borrowed(account),
            lots_created: account.lots_created,
        }
    }

    /// The lot that `new` becomes: an equal one that it enlarges, or one of
    /// its own.
    pub(super) fn place(&mut self, mut new: Lot) -> Lot {
        let may_merge =
            new.funding == Funding::Granted || self.account.parts() >= PARTS_BEFORE_PURCHASED_MERGE;
        let equal = self
            .account
            .lots
            .iter()
            .find(|lot| may_merge && lot.merges_with(&new));
        if let Some(lot) = equal {
            new.id = lot.id;
        } else {
            self.lots_created = self.lots_created.saturating_add(1);
            new.id = self.lots_created;
        }
        new
    }

    /// The lot that `new` becomes in a wallet that is full: it enlarges a lot of
    /// its asset, funding and currency, or one of those `before` it in the same
    /// decision, whatever else they differ in, if there is one. There are no more
    /// of those than a catalog has assets and prices, so the wallet stays bounded.
    pub(super) fn squeeze_in(&mut self, mut new: Lot, before: &[Lot]) -> Lot {
        let lots = before.iter().chain(&self.account.lots);
        let alike = lots.rev().find(|lot| {
            lot.asset == new.asset && lot.funding == new.funding && lot.currency == new.currency
        });
        match alike {
            Some(lot) => {
                new.id = lot.id;
                new
            }
            None => self.place(new),
        }
    }

    /// Whether `amount` more of `asset` stays within the bounds of a balance.
    pub(super) fn check_balance(&self, asset: &str, amount: i64) -> Result<(), Rejection> {
        if amount > AMOUNT_MAX {
            return Err(Rejection::AmountTooLarge {
                amount,
                maximum: AMOUNT_MAX,
            });
        }
        let balance = self.account.totals(asset).balance;
        if balance.saturating_add(amount) > BALANCE_MAX {
            return Err(Rejection::BalanceTooLarge {
                asset: asset.to_owned(),
                maximum: BALANCE_MAX,
            });
        }
        Ok(())
    }

    /// Whether uses can be counted in these windows within the bounds of a state.
    pub(super) fn check_counting(&self, counted_in: &[WindowUse]) -> Result<(), Rejection> {
        let bytes = counted_in.iter().fold(0_usize, |sum, used| {
            sum.saturating_add(used.limit.len())
                .saturating_add(WINDOW_USE_BYTES_MAX)
        });
        if bytes == 0 || self.has_bytes_for(bytes) {
            return Ok(());
        }
        Err(self.full())
    }

    /// Whether a hold stays within the bounds of a state, besides its parts.
    pub(super) fn check_hold(&self, priced: &Priced) -> Result<(), Rejection> {
        let names = priced.counted_in.iter().fold(0_usize, |sum, used| {
            sum.saturating_add(used.limit.len()).saturating_add(2)
        });
        let bytes = minicbor::len(&priced.attributes).saturating_add(names);
        self.check_counting(&priced.counted_in)?;
        if self.has_bytes_for(bytes.saturating_mul(2)) {
            return Ok(());
        }
        Err(self.full())
    }

    fn has_bytes_for(&self, bytes: usize) -> bool {
        let size = self.account.size_bytes();
        size.saturating_add(bytes) <= STATE_BYTES_FOR_WINDOWS
    }

    fn full(&self) -> Rejection {
        Rejection::WalletFull {
            parts: self.account.parts(),
            maximum: PARTS_MAX,
        }
    }

    /// Whether `parts` more parts of lots stay within the bounds of a state.
    pub(super) fn check_room(&self, parts: usize) -> Result<(), Rejection> {
        let wanted = self.account.parts().saturating_add(parts);
        let crowded = self.account.size_bytes() > STATE_BYTES_FOR_NEW_PARTS;
        if wanted > PARTS_MAX || crowded {
            return Err(self.full());
        }
        Ok(())
    }
}

pub(super) struct Work<'a> {
    pub(super) own: Side<'a>,
    pub(super) other: Option<Side<'a>>,
    pub(super) request: &'a Request,
    pub(super) context: &'a Context<'a>,
    before: &'a Account,
    events: Vec<Decided>,
    /// What time and first use did to the account that the request names.
    prepared: Vec<Event>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        accounts: Accounts<'a>,
        request: &'a Request,
        context: &'a Context<'a>,
    ) -> Self {
        Self {
            own: Side::new(accounts.own),
            other: accounts.other.map(Side::new),
            request,
            context,
            before: accounts.own,
            events: Vec::new(),
            prepared: Vec::new(),
        }
    }

    /// Who would be told what to buy.
    pub(super) fn buyer<'o>(&'o self, operation: Option<&'o str>) -> Buyer<'o> {
        Buyer {
            origin: &self.request.origin,
            operation,
        }
    }

    /// The account that the request names, as it stands.
    pub(super) fn account(&self) -> &Account {
        &self.own.account
    }

    /// The account that the request names, as it was before time was looked at.
    pub(super) const fn before(&self) -> &'a Account {
        self.before
    }

    /// Adds an event, without applying it: nothing more is asked of the state.
    pub(super) fn push(&mut self, party: Party, payload: Payload) {
        self.events.push(Decided { party, payload });
    }

    /// Adds an event that time or first use asks for, and applies it.
    pub(super) fn prepare(&mut self, party: Party, payload: Payload) {
        let event = self.envelope(party, payload);
        let side = match party {
            Party::Own => &mut self.own,
            Party::Other => match &mut self.other {
                Some(side) => side,
                None => return,
            },
        };
        prepare::apply(side.account.to_mut(), &event);
        side.lots_created = side.lots_created.max(side.account.lots_created);
        self.events.push(Decided {
            party,
            payload: event.payload.clone(),
        });
        if party == Party::Own {
            self.prepared.push(event);
        }
    }

    /// What is known of the target, with what time has just done to it.
    pub(super) fn followed(&self, record: Option<&Record>) -> Option<Record> {
        let mut record = record?.clone();
        for event in &self.prepared {
            record.follow(event);
        }
        Some(record)
    }

    /// The position that the next event of the account will get that the request
    /// names: its events come first.
    pub(super) fn next_position(&self) -> u64 {
        let own = self
            .events
            .iter()
            .filter(|decided| decided.party == Party::Own);
        let made = u64::try_from(own.count()).unwrap_or(u64::MAX);
        self.context.next_position.saturating_add(made)
    }

    /// The events, those of the account that the request names first: the first
    /// of all carries the request, and it is that account's.
    pub(super) fn finish(mut self) -> Vec<Decided> {
        self.events
            .sort_by_key(|decided| decided.party == Party::Other);
        self.events
    }

    fn envelope(&self, party: Party, payload: Payload) -> Event {
        let account = match (party, &self.other) {
            (Party::Other, Some(side)) => &side.account,
            _ => &self.own.account,
        };
        bare_event(
            account,
            self.context,
            &self.request.origin,
            self.next_position(),
            payload,
        )
    }
}

/// An envelope that is good enough to apply a payload; the engine makes the
/// real one.
pub(super) fn bare_event(
    account: &Account,
    context: &Context<'_>,
    origin: &Name,
    position: u64,
    payload: Payload,
) -> Event {
    Event {
        format: FORMAT,
        book: Name::default(),
        position,
        account: Name::default(),
        version: account.version.saturating_add(1),
        previous_position: account.position,
        origin: origin.clone(),
        request_id: None,
        annotations: Annotations::default(),
        recorded_at: context.now,
        catalog_version: context.catalog_version,
        request: None,
        call_id: None,
        call_hash: None,
        balances: Vec::new(),
        payload,
    }
}
