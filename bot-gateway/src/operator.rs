//! `bot-gateway inbox …`: what a person does about parked rows. It works beside
//! a gateway that runs, on the same database.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use chrono::{DateTime, SecondsFormat};
use thiserror::Error;

use crate::{
    config::InboxVerb,
    inbox::{self, DatabaseUrl, Inbox, Parked, Retried},
    limits,
};

/// Why it didn't work, or not wholly.
#[derive(Debug, Error)]
pub enum Error {
    /// No such file. Opening it would make one, with nothing parked in it.
    #[error("there is no database {}: see GATEWAY_DATABASE_URL", .0.display())]
    NoDatabase(PathBuf),
    /// The inbox.
    #[error("the inbox can't be used")]
    Inbox(#[from] inbox::Error),
    /// Nobody listens.
    #[error("the answer can't be written")]
    Output(#[from] io::Error),
    /// Told line by line.
    #[error("not every row can be tried again")]
    NotAll,
}

/// Does what is wanted, and tells it.
///
/// # Errors
/// If it can't be done, or not wholly.
pub async fn inbox(
    database: &DatabaseUrl,
    verb: &InboxVerb,
    out: &mut impl Write,
) -> Result<(), Error> {
    if let DatabaseUrl::Sqlite(path) = database
        && !path.exists()
    {
        return Err(Error::NoDatabase(path.clone()));
    }
    let inbox = Inbox::open(database).await?;
    let told = match verb {
        InboxVerb::ListParked => list_parked(&inbox, out).await,
        InboxVerb::Retry { ids } => retry(&inbox, ids, out).await,
    };
    inbox.close().await;
    told
}

async fn list_parked(inbox: &Inbox, out: &mut impl Write) -> Result<(), Error> {
    writeln!(out, "ID\tDOOR\tRECEIVED\tATTEMPTS\tSOURCE\tREASON")?;
    let mut last_id = 0;
    loop {
        let rows = inbox.parked(last_id, limits::PARKED_PAGE_ROWS).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        last_id = last.id;
        for row in &rows {
            write_parked(row, out)?;
        }
    }
}

fn write_parked(row: &Parked, out: &mut impl Write) -> io::Result<()> {
    let received = DateTime::from_timestamp_millis(row.received_at_ms)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default();
    let body = if row.has_body { "" } else { " (no body)" };
    let (id, door, attempts) = (row.id, &row.door, row.attempts);
    let (source, reason) = (&row.source_key, &row.reason);
    writeln!(
        out,
        "{id}\t{door}\t{received}\t{attempts}\t{source}\t{reason}{body}"
    )
}

async fn retry(inbox: &Inbox, ids: &[i64], out: &mut impl Write) -> Result<(), Error> {
    let mut is_all = true;
    for id in ids {
        let retried = inbox.retry(*id).await?;
        is_all &= retried == Retried::Waits;
        match retried {
            Retried::Waits => writeln!(out, "{id}: will be tried again")?,
            Retried::NotParked(row) => writeln!(out, "{id}: is not parked but {}", row.state)?,
            Retried::NoBody => writeln!(out, "{id}: has no body to try again with")?,
            Retried::Unknown => writeln!(out, "{id}: there is no such row")?,
        }
    }
    if is_all { Ok(()) } else { Err(Error::NotAll) }
}
