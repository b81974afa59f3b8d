//! Comparing the tables beside the events with what the events say.

use std::collections::BTreeMap;

use ledger_core::{Account, Name, account::FOLD_VERSION, command::encode};

use super::{Findings, multiset::Multiset};
use crate::store::{
    ExternalId, Head, IndexedEvent, SharedStore, StoreError, StoredAccount, StoredRequest,
};

/// How many rows are read at once.
const CHUNK_ROWS: u32 = 2_000;

/// The states: each account's row against its events. Rows that have gone on
/// since the head that is verified are left to the next time. Answers which
/// event the latest of them is of, as each of these does.
pub(super) async fn accounts(
    store: &SharedStore,
    book: &str,
    head: &Head,
    expected: &BTreeMap<Name, Account>,
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let mut after = Name::default();
    let (mut found, mut highest) = (0_usize, 0);
    loop {
        let rows = store.accounts_after(book, &after, CHUNK_ROWS).await?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.account);
        for row in rows {
            found += usize::from(expected.contains_key(&row.account));
            match position_of(&row, expected.get(&row.account), head) {
                Ok(position) => highest = highest.max(position),
                Err(what) => findings.add(format!("account {}: {what}", row.account)),
            }
        }
    }
    if found < expected.len() {
        findings.add(format!(
            "{} accounts have no stored state",
            expected.len() - found
        ));
    }
    Ok(highest)
}

/// The last event of a state, if the state is right as far as can be said.
fn position_of(
    row: &StoredAccount,
    expected: Option<&Account>,
    head: &Head,
) -> Result<u64, String> {
    if row.fold_version != FOLD_VERSION {
        return Err(format!(
            "its state is of fold {}; run `ledger-service rebuild`",
            row.fold_version
        ));
    }
    let Ok(stored) = minicbor::decode::<Account>(&row.state) else {
        return Err("its state cannot be read".to_owned());
    };
    if stored.position > head.position {
        return Ok(stored.position);
    }
    let Some(expected) = expected else {
        return Err("it has a state and no events".to_owned());
    };
    if row.state != encode(expected) || row.version != expected.version {
        return Err("its state is not what its events make".to_owned());
    }
    let is_late = match (row.due_at, expected.next_due()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(stored), Some(next)) => stored > next,
    };
    if is_late {
        return Err("its due time is later than what is due".to_owned());
    }
    Ok(stored.position)
}

/// The requests and atomic calls: every row against the events, as multisets.
pub(super) async fn requests(
    store: &SharedStore,
    book: &str,
    head: &Head,
    expected: &Multiset,
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let mut stored = Multiset::default();
    let (mut after, mut highest) = (None, 0);
    loop {
        let rows = store
            .requests_after(book, after.as_ref(), CHUNK_ROWS)
            .await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        for row in rows {
            highest = highest.max(row.position);
            if row.position <= head.position {
                stored.add(&request_key(&row));
            }
        }
    }
    if stored != *expected {
        findings.add(format!(
            "the {} stored requests are not the {} that the events answer",
            stored.count, expected.count
        ));
    }
    Ok(highest)
}

/// The ids of providers.
pub(super) async fn external_ids(
    store: &SharedStore,
    book: &str,
    head: &Head,
    expected: &BTreeMap<ExternalId, u64>,
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let rows = store.external_ids_of(book).await?;
    let highest = rows.iter().map(|row| row.position).max().unwrap_or(0);
    let stored: BTreeMap<ExternalId, u64> = rows
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
    Ok(highest)
}

/// The index of events by account, as far as it has come.
pub(super) async fn index(
    store: &SharedStore,
    book: &str,
    indexed: u64,
    expected: &Multiset,
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let mut stored = Multiset::default();
    let (mut account, mut position, mut highest) = (Name::default(), 0, 0);
    loop {
        let rows = store
            .index_rows_after(book, &account, position, CHUNK_ROWS)
            .await?;
        let Some(last) = rows.last() else { break };
        account.clone_from(&last.account);
        position = last.position;
        for row in rows {
            highest = highest.max(row.position);
            if row.position <= indexed {
                stored.add(&index_key(&row));
            }
        }
    }
    if stored != *expected {
        findings.add(format!(
            "the index has {} rows up to event {indexed}, which are not the {} that the events \
             make; run `ledger-service rebuild`",
            stored.count, expected.count
        ));
    }
    Ok(highest)
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

/// An index row as bytes. Texts come with their lengths, so that no two rows
/// have the same bytes.
pub(super) fn index_key(row: &IndexedEvent) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend(row.position.to_be_bytes());
    bytes.push(row.kind);
    bytes.extend(row.operations_delta.to_be_bytes());
    bytes.extend(row.recorded_at.0.to_be_bytes());
    let texts = [
        Some(row.account.as_str()),
        row.operation.as_deref(),
        row.external_id.as_deref(),
    ];
    for text in texts {
        // No text is so long that it stands for none.
        let length = text.map_or(usize::MAX, str::len);
        bytes.extend(length.to_be_bytes());
        bytes.extend(text.unwrap_or_default().as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use ledger_core::Timestamp;

    use super::{IndexedEvent, index_key};

    #[test]
    fn every_column_of_an_index_row_counts() {
        let row = IndexedEvent {
            account: "tg:1".into(),
            position: 7,
            kind: 4,
            operation: None,
            operations_delta: 1,
            recorded_at: Timestamp(9),
            external_id: Some("task".into()),
        };
        let text = |text: &str| Some(text.into());
        let others = [
            IndexedEvent {
                account: "tg:2".into(),
                ..row.clone()
            },
            IndexedEvent {
                position: 8,
                ..row.clone()
            },
            IndexedEvent {
                kind: 5,
                ..row.clone()
            },
            IndexedEvent {
                operation: text(""),
                ..row.clone()
            },
            IndexedEvent {
                operation: text("task"),
                external_id: None,
                ..row.clone()
            },
            IndexedEvent {
                operations_delta: 2,
                ..row.clone()
            },
            IndexedEvent {
                recorded_at: Timestamp(8),
                ..row.clone()
            },
            IndexedEvent {
                external_id: None,
                ..row.clone()
            },
            IndexedEvent {
                external_id: text("tasks"),
                ..row.clone()
            },
        ];
        for other in others {
            assert_ne!(index_key(&other), index_key(&row), "{other:?}");
        }
        assert_eq!(index_key(&row.clone()), index_key(&row));
    }
}
