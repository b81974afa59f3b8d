//! Comparing the tables beside the events with what the events say.

use std::collections::BTreeMap;

use ledger_core::{Account, account::FOLD_VERSION, command::encode, event::HOUSE};

use super::{Findings, multiset::Multiset};
use crate::store::{
    ExternalId, Head, IndexedEvent, SharedStore, StoreError, StoredAccount, StoredRequest,
};

/// How many rows are read at once.
const CHUNK_ROWS: u32 = 2_000;

/// The states: each account's row against its events. Rows that have gone on
/// since the head that is verified are left to the next time.
pub(super) async fn accounts(
    store: &SharedStore,
    book: &str,
    head: &Head,
    expected: &BTreeMap<String, Account>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut after = String::new();
    let mut found = 0_usize;
    loop {
        let rows = store.accounts_after(book, &after, CHUNK_ROWS).await?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.account);
        for row in rows {
            found += usize::from(expected.contains_key(&row.account));
            if let Some(what) = wrong_state(&row, expected.get(&row.account), head) {
                findings.add(format!("account {}: {what}", row.account));
            }
        }
    }
    if found < expected.len() {
        findings.add(format!(
            "{} accounts have no stored state",
            expected.len() - found
        ));
    }
    Ok(())
}

fn wrong_state(row: &StoredAccount, expected: Option<&Account>, head: &Head) -> Option<String> {
    if row.fold_version != FOLD_VERSION {
        return Some(format!(
            "its state is of fold {}; run `ledger-service rebuild`",
            row.fold_version
        ));
    }
    let Ok(stored) = minicbor::decode::<Account>(&row.state) else {
        return Some("its state cannot be read".to_owned());
    };
    if stored.position > head.position {
        return None;
    }
    let Some(expected) = expected else {
        return Some("it has a state and no events".to_owned());
    };
    if row.state != encode(expected) || row.version != expected.version {
        return Some("its state is not what its events make".to_owned());
    }
    let is_late = match (row.due_at, expected.next_due()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(stored), Some(next)) => stored > next,
    };
    is_late.then(|| "its due time is later than what is due".to_owned())
}

/// The requests: every row against the events, as multisets; then the rows of
/// atomic calls, which have no event of their own.
pub(super) async fn requests(
    store: &SharedStore,
    book: &str,
    head: &Head,
    expected: &Multiset,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut stored = Multiset::default();
    let mut after = None;
    loop {
        let rows = store
            .requests_after(book, after.as_ref(), CHUNK_ROWS)
            .await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        for row in rows.iter().filter(|row| row.position <= head.position) {
            if row.key.account == HOUSE && is_atomic_call(store, book, row).await? {
                continue;
            }
            stored.add(&request_key(row));
        }
    }
    if stored != *expected {
        findings.add(format!(
            "the {} stored requests are not the {} that the events answer",
            stored.count, expected.count
        ));
    }
    Ok(())
}

/// Whether the row is of an atomic call: no event of the house begins there.
async fn is_atomic_call(
    store: &SharedStore,
    book: &str,
    row: &StoredRequest,
) -> Result<bool, StoreError> {
    let events = store.read_at(book, &[row.position]).await?;
    let event = events
        .first()
        .and_then(|stored| crate::engine::log::decode(stored).ok());
    Ok(event.is_some_and(|recorded| recorded.event.request_id != Some(row.key.request_id)))
}

/// The ids of providers.
pub(super) async fn external_ids(
    store: &SharedStore,
    book: &str,
    head: &Head,
    expected: &BTreeMap<ExternalId, u64>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let stored: BTreeMap<ExternalId, u64> = store
        .external_ids_of(book)
        .await?
        .into_iter()
        .filter(|row| row.position <= head.position)
        .map(|row| (row.external_id, row.position))
        .collect();
    for (id, position) in expected {
        if stored.get(id) != Some(position) {
            findings.add(format!(
                "event {position}: its {} id of {} is not stored as claimed",
                id.kind, id.provider
            ));
        }
    }
    for (id, position) in &stored {
        if !expected.contains_key(id) {
            findings.add(format!(
                "a {} id of {} is stored as claimed by event {position}, which does not",
                id.kind, id.provider
            ));
        }
    }
    Ok(())
}

/// The index of events by account, as far as it has come.
pub(super) async fn index(
    store: &SharedStore,
    book: &str,
    indexed: u64,
    expected: &Multiset,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut stored = Multiset::default();
    let (mut account, mut position) = (String::new(), 0);
    loop {
        let rows = store
            .index_rows_after(book, &account, position, CHUNK_ROWS)
            .await?;
        let Some(last) = rows.last() else { break };
        account.clone_from(&last.account);
        position = last.position;
        for row in rows.iter().filter(|row| row.position <= indexed) {
            stored.add(&index_key(row));
        }
    }
    if stored != *expected {
        findings.add(format!(
            "the index has {} rows up to event {indexed}, which are not the {} that the events \
             make; run `ledger-service rebuild`",
            stored.count, expected.count
        ));
    }
    Ok(())
}

/// A request's row as bytes.
pub(super) fn request_key(request: &StoredRequest) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    bytes.extend(request.key.request_id.0);
    bytes.extend(request.position.to_be_bytes());
    bytes.extend(request.count.to_be_bytes());
    bytes.extend(request.hash);
    bytes.extend(request.key.account.as_bytes());
    bytes
}

/// An index row as bytes.
pub(super) fn index_key(row: &IndexedEvent) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    bytes.extend(row.position.to_be_bytes());
    bytes.push(row.kind);
    bytes.extend(row.operations_delta.to_be_bytes());
    bytes.extend(row.recorded_at.0.to_be_bytes());
    bytes.extend(row.account.as_bytes());
    bytes.push(0);
    bytes.extend(row.operation.as_deref().unwrap_or_default().as_bytes());
    bytes
}
