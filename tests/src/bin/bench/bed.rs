//! A test bed: a fresh database, and one or more service processes on it.

use crate::{
    callers::Aim,
    client::Client,
    ids::{Accounts, Ids},
};
use e2e_tests::{Backend, Database, Ledger, ledger::Options};
use sqlx::{Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    pin::pin,
    str::FromStr as _,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{interval, sleep};

/// How long the background index may take to catch up with 10 million events.
const SETTLE_DEADLINE: Duration = Duration::from_secs(1800);
const SETTLE_POLL_INTERVAL: Duration = Duration::from_millis(100);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// Service processes on one database of their own.
pub(crate) struct Bed {
    pub(crate) backend: Backend,
    ledgers: Vec<Ledger>,
    clients: Vec<Client>,
    database: Database,
}

/// How far a log has come, and how far its index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Positions {
    pub(crate) head: u64,
    pub(crate) indexed: u64,
}

impl Bed {
    /// Starts `processes` of them, with so many connections to each.
    pub(crate) async fn start(backend: Backend, processes: usize, connections: usize) -> Self {
        let database = backend.database().await;
        let mut ledgers = Vec::new();
        for _ in 0..processes {
            ledgers.push(Ledger::start(&Options::media_lab(&database.url)).await);
        }
        let clients = (0..connections)
            .flat_map(|_| ledgers.iter().map(|ledger| Client::new(ledger.grpc())))
            .collect();
        Self {
            backend,
            ledgers,
            clients,
            database,
        }
    }

    /// What caller number `caller` uses: callers are spread evenly over all
    /// connections, and so over all processes.
    pub(crate) fn aim(&self, caller: usize, ids: &Arc<Ids>, accounts: &Arc<Accounts>) -> Aim {
        Aim {
            client: self.clients[caller % self.clients.len()].clone(),
            ids: ids.clone(),
            accounts: accounts.clone(),
        }
    }

    /// Reads the positions, past the service.
    pub(crate) async fn positions(&self) -> Result<Positions, String> {
        let url = &self.database.url;
        let positions = match self.backend {
            Backend::Postgres => postgres_positions(url).await,
            Backend::Sqlite => sqlite_positions(url).await,
        };
        let (head, indexed) = positions.map_err(|error| format!("the positions: {error}"))?;
        let unsigned = |position| u64::try_from(position).unwrap_or_default();
        Ok(Positions {
            head: unsigned(head),
            indexed: unsigned(indexed),
        })
    }

    /// Waits until the background index has caught up: it gives way to charges,
    /// and would take time from whatever is measured next.
    pub(crate) async fn settle(&self) -> Result<(), String> {
        let began = Instant::now();
        let mut told = began;
        loop {
            let Positions { head, indexed } = self.positions().await?;
            if indexed >= head {
                return Ok(());
            }
            if began.elapsed() > SETTLE_DEADLINE {
                return Err(format!(
                    "the index is at {indexed} of {head} and gets nowhere"
                ));
            }
            if told.elapsed() > PROGRESS_INTERVAL {
                told = Instant::now();
                eprintln!("    waiting for the index: {indexed} of {head}");
            }
            sleep(SETTLE_POLL_INTERVAL).await;
        }
    }

    /// Does `work`, and watches the memory of the (first) process meanwhile: the
    /// largest resident size in MiB, if the system tells.
    pub(crate) async fn watching_memory<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> (T, Option<f64>) {
        let mut work = pin!(work);
        let mut ticks = interval(MEMORY_INTERVAL);
        let mut peak: Option<f64> = None;
        loop {
            tokio::select! {
                done = &mut work => return (done, peak),
                _ = ticks.tick() => {
                    if let Some(now) = self.memory_mib("VmRSS:") {
                        peak = Some(peak.map_or(now, |peak| peak.max(now)));
                    }
                }
            }
        }
    }

    /// The largest resident size since the (first) process started, in MiB.
    pub(crate) fn memory_peak_mib(&self) -> Option<f64> {
        self.memory_mib("VmHWM:")
    }

    fn memory_mib(&self, field: &str) -> Option<f64> {
        let pid = self.ledgers.first()?.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib / 1024.0)
    }

    /// The database's URL.
    pub(crate) fn url(&self) -> &str {
        &self.database.url
    }

    /// Stops the processes, so that the database is free for a command.
    pub(crate) async fn pause(&mut self) {
        for mut ledger in self.ledgers.drain(..) {
            ledger.terminate().await;
        }
    }

    /// Stops the processes; a database that is a file goes, too.
    pub(crate) async fn stop(mut self) {
        self.pause().await;
    }
}

async fn postgres_positions(url: &str) -> sqlx::Result<(i64, i64)> {
    let mut connection = PgConnection::connect(url).await?;
    let positions = sqlx::query_as(
        "SELECT (SELECT coalesce(max(position), 0) FROM ledger.logs),
                (SELECT coalesce(max(position), 0) FROM ledger.index_progress)",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(positions)
}

async fn sqlite_positions(url: &str) -> sqlx::Result<(i64, i64)> {
    // `Database` writes four slashes, of which the path keeps one.
    let options = SqliteConnectOptions::from_str(&url.replacen("sqlite:////", "sqlite:///", 1))?;
    let mut connection = SqliteConnection::connect_with(&options.read_only(true)).await?;
    let positions = sqlx::query_as(
        "SELECT (SELECT coalesce(max(position), 0) FROM logs),
                (SELECT coalesce(max(position), 0) FROM index_progress)",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(positions)
}
