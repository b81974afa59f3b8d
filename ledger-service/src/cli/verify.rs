//! Re-reading everything: the chain, the copies beside the bodies, the states,
//! the requests, the ids of providers, the index, statistics.

mod multiset;
mod statistics;
mod tables;

use std::{collections::BTreeMap, process::ExitCode};

use ledger_core::{Account, Event, Name};
use thiserror::Error;

use super::{
    EXIT_USAGE,
    config::{DatabaseArgs, environment},
    derive::Requests,
    fail,
    scan::{Progress, chunks},
};
use crate::{
    engine::log,
    projections::{Counting, index_row},
    store::{
        ExternalId, Head, Mode, NewEvent, Progress as Reached, SchemaError, SharedStore,
        StoreError, StoredEvent, StoredRequest, claims_of, connect,
    },
};
use multiset::Multiset;
use statistics::Figures;

/// How many findings are printed for each book.
const FINDINGS_MAX: usize = 100;

#[derive(Debug, Error)]
enum VerifyError {
    #[error("the database cannot be used")]
    Database(#[from] SchemaError),
    #[error("the database failed")]
    Store(#[from] StoreError),
}

pub(super) async fn run(args: DatabaseArgs) -> ExitCode {
    let address = match args.address(&environment()) {
        Ok(address) => address,
        Err(errors) => return fail(&errors, EXIT_USAGE),
    };
    let result = async {
        let store = connect(&address, Mode::Read).await?;
        let mut is_clean = true;
        for book in store.books().await? {
            is_clean &= verify_book(&store, &book).await?;
        }
        store.close().await?;
        Ok::<bool, VerifyError>(is_clean)
    };
    match result.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error, 1),
    }
}

/// What is wrong with a book.
#[derive(Default)]
pub(super) struct Findings {
    lines: Vec<String>,
    left_out: usize,
}

impl Findings {
    pub(super) fn add(&mut self, finding: String) {
        if self.lines.len() < FINDINGS_MAX {
            self.lines.push(finding);
        } else {
            self.left_out += 1;
        }
    }
}

/// What the events say that everything else has to be.
struct Expected {
    head: Head,
    accounts: BTreeMap<Name, Account>,
    requests: Multiset,
    index: Multiset,
    external_ids: BTreeMap<ExternalId, u64>,
    /// The requests whose events are being read.
    open: Requests,
    /// The figures of the events that are being read.
    counting: Counting,
    figures: Figures,
}

async fn verify_book(store: &SharedStore, book: &str) -> Result<bool, VerifyError> {
    let mut findings = Findings::default();
    let head = store
        .head(book)
        .await?
        .map(|seen| seen.head)
        .unwrap_or_default();
    let reached = store.progress(book).await?;
    let reached = Reached {
        indexed: reached.indexed.min(head.position),
        counted: reached.counted,
    };
    let mut progress = Progress::new(format!("{book}: verifying"), head.position);
    let mut expected = Expected {
        head: Head::default(),
        accounts: BTreeMap::new(),
        requests: Multiset::default(),
        index: Multiset::default(),
        external_ids: BTreeMap::new(),
        open: Requests::default(),
        counting: Counting::default(),
        figures: Figures::default(),
    };
    let mut source = chunks(store.clone(), book.to_owned(), head.position);
    while let Some(rows) = source.recv().await {
        let rows = rows?;
        let from = expected.head.position;
        let limit = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let columns = store.read_columns_after(book, from, limit).await?;
        for (row, columns) in rows.iter().zip(&columns) {
            expected.take_in(book, row, columns, reached, &mut findings);
        }
        expected.figures.add(&expected.counting.take());
        progress.show(expected.head.position);
    }
    expected.close_requests();
    if expected.head != head {
        findings.add(format!(
            "the head says {}, the last event is {}",
            head.position, expected.head.position
        ));
    }
    let highest = [
        (
            "states",
            tables::accounts(store, book, &head, &expected.accounts, &mut findings).await?,
        ),
        (
            "requests",
            tables::requests(store, book, &head, &expected.requests, &mut findings).await?,
        ),
        (
            "ids of providers",
            tables::external_ids(store, book, &head, &expected.external_ids, &mut findings).await?,
        ),
        (
            "index rows",
            tables::index(store, book, reached.indexed, &expected.index, &mut findings).await?,
        ),
    ];
    let figures = &expected.figures;
    statistics::statistics(store, book, reached.counted, figures, &mut findings).await?;
    beyond_the_end(store, book, &highest, &mut findings).await?;
    Ok(report(
        book,
        &head,
        reached,
        &expected,
        &findings,
        &progress.summary(head.position),
    ))
}

/// What stands beyond the last event. The service may have gone on since the
/// events were read, so the ends are read again: they are at least as far as
/// any row that was seen. What lies between is left to the next time.
async fn beyond_the_end(
    store: &SharedStore,
    book: &str,
    highest: &[(&str, u64)],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let Reached { indexed, counted } = store.progress(book).await?;
    let seen = store.head(book).await?;
    let head = seen.map_or(0, |seen| seen.head.position);
    let checkpoints = [("index checkpoints", indexed), ("statistics", counted)];
    for (what, position) in highest.iter().chain(&checkpoints) {
        if *position > head {
            findings.add(format!(
                "{what} go on to event {position}, beyond the last event, {head}: events are \
                 missing, or only a part of the tables was restored"
            ));
        }
    }
    if let Some((_, position)) = highest.last()
        && (indexed + 1..=head).contains(position)
    {
        findings.add(format!(
            "the index has rows up to event {position}, beyond {indexed}, where it says it is"
        ));
    }
    Ok(())
}

impl Expected {
    fn take_in(
        &mut self,
        book: &str,
        row: &StoredEvent,
        columns: &NewEvent,
        reached: Reached,
        findings: &mut Findings,
    ) {
        let position = row.position;
        if position != self.head.position.saturating_add(1) {
            findings.add(format!(
                "event {} is missing",
                self.head.position.saturating_add(1)
            ));
        }
        if row.hash != log::event_hash(&self.head.hash, &row.body) {
            findings.add(format!(
                "event {position}: its hash is not the one that its body and predecessor give"
            ));
        }
        let before = std::mem::replace(
            &mut self.head,
            Head {
                position,
                hash: row.hash,
                recorded_at: columns.recorded_at,
            },
        );
        let event = match log::decode(row) {
            Ok(recorded) => recorded.event,
            Err(what) => return findings.add(what),
        };
        if event.book != book {
            findings.add(format!("event {position}: it is of book {}", event.book));
        }
        if event.recorded_at < before.recorded_at {
            findings.add(format!(
                "event {position}: it was recorded before its predecessor"
            ));
        }
        compare_columns(&event, columns, findings);
        self.evolve(&event, findings);
        let mut ended = Vec::new();
        if let Err(what) = self.open.take_in(&event, &mut ended) {
            findings.add(what);
        }
        self.add_requests(&ended);
        self.external_ids.extend(claims_of(&event));
        if position <= reached.counted
            && let Err(what) = self.counting.take_in(&event)
        {
            findings.add(what);
        }
        if position <= reached.indexed {
            self.index.add(&tables::index_key(&index_row(event)));
        }
    }

    fn evolve(&mut self, event: &Event, findings: &mut Findings) {
        let position = event.position;
        let account = self.accounts.entry(event.account.clone()).or_default();
        if let Err(error) = account.evolve(event) {
            return findings.add(format!("account {}: {error}", event.account));
        }
        if account.balances() != event.balances {
            findings.add(format!(
                "event {position}: its balances are not what the events make"
            ));
        }
        if let Err(what) = account.check() {
            findings.add(format!(
                "event {position}: account {}: {what}",
                event.account
            ));
        }
    }

    fn close_requests(&mut self) {
        let mut ended = Vec::new();
        self.open.finish(&mut ended);
        self.add_requests(&ended);
    }

    fn add_requests(&mut self, ended: &[StoredRequest]) {
        for request in ended {
            self.requests.add(&tables::request_key(request));
        }
    }
}

fn compare_columns(event: &Event, columns: &NewEvent, findings: &mut Findings) {
    let copies = [
        ("account", columns.account == event.account),
        ("version", columns.version == event.version),
        ("kind", columns.kind == event.payload.kind() as u8),
        ("refers_to", columns.refers_to == event.payload.refers_to()),
        ("recorded_at", columns.recorded_at == event.recorded_at),
    ];
    for (column, is_equal) in copies {
        if !is_equal {
            findings.add(format!(
                "event {}: the column {column} is not what the body says",
                event.position
            ));
        }
    }
}

/// Prints what was found; answers whether nothing was.
#[expect(clippy::print_stdout, reason = "the report is the program's output")]
fn report(
    book: &str,
    head: &Head,
    reached: Reached,
    expected: &Expected,
    findings: &Findings,
    took: &str,
) -> bool {
    for line in &findings.lines {
        println!("{book}: {line}");
    }
    if findings.left_out > 0 {
        println!("{book}: … and {} findings more", findings.left_out);
    }
    if !findings.lines.is_empty() {
        return false;
    }
    println!(
        "{book}: clean: {} events, {} accounts, head {}; {took}",
        head.position,
        expected.accounts.len(),
        hex(&head.hash)
    );
    println!(
        "{book}: index: caught up to {} of {} events; what is behind, a running service builds",
        reached.indexed, head.position
    );
    println!(
        "{book}: statistics: caught up to {} of {} events",
        reached.counted.min(head.position),
        head.position
    );
    println!(
        "{book}: without a published checkpoint it cannot be seen whether events are missing at the end"
    );
    true
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
