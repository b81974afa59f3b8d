//! What the figures were measured on: the machine, and the databases' settings of
//! durability.

use crate::load::as_f64;
use e2e_tests::{Backend, postgres};
use ledger_service::store::{Address, Mode, connect};
use serde_json::{Map, Value, json};
use sqlx::{Connection as _, PgConnection};
use std::{fs, thread, time::Duration};
use tokio::time::sleep;

/// What else of the server's settings counts for rates.
const SERVER_SETTINGS: [&str; 9] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "max_connections",
];

/// If others take more than this share of the cores before the benchmark
/// begins, it measures them, too. (Not the load average: our own build is in it.)
const BUSY_SHARE_MAX: f64 = 0.05;
const LOOK: Duration = Duration::from_secs(2);

/// The machine, and how busy others keep it. What the system doesn't tell is null.
pub(crate) async fn machine() -> Value {
    let before = cpu_ticks();
    sleep(LOOK).await;
    let share = before.zip(cpu_ticks()).map(|(before, after)| {
        as_f64(after.busy - before.busy) / as_f64((after.all - before.all).max(1))
    });
    json!({
        "busy_percent_before": share.map(|share| (share * 100.0).round()),
        "busy": share.map(|share| share > BUSY_SHARE_MAX),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": thread::available_parallelism().ok().map(usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
    })
}

/// What the cores have done since the system started.
struct Ticks {
    busy: u64,
    all: u64,
}

fn cpu_ticks() -> Option<Ticks> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let numbers = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace();
    // user nice system idle iowait irq softirq steal; guests are in user.
    let numbers: Vec<u64> = numbers
        .take(8)
        .map_while(|number| number.parse().ok())
        .collect();
    let all = numbers.iter().sum();
    let idle = numbers.get(3)? + numbers.get(4)?;
    Some(Ticks {
        busy: all - idle,
        all,
    })
}

/// The settings of a kind of database. `service` are those of the connections
/// that the service's own code opens, on a database of the same kind.
pub(crate) async fn settings(backend: Backend) -> Result<Value, String> {
    let database = backend.database().await;
    let address = Address::parse(&database.url).map_err(|error| error.to_string())?;
    let store = connect(&address, Mode::Serve)
        .await
        .map_err(|error| error.to_string())?;
    let service = store.settings().await.map_err(|error| error.to_string())?;
    let service: Map<_, _> = service
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    Ok(match backend {
        Backend::Sqlite => json!({"service": service}),
        Backend::Postgres => {
            let server = server_settings()
                .await
                .map_err(|error| format!("SHOW: {error}"))?;
            json!({"service": service, "server": server})
        }
    })
}

async fn server_settings() -> sqlx::Result<Map<String, Value>> {
    let mut connection = PgConnection::connect(&postgres::shared_url().await).await?;
    let mut settings = Map::new();
    for name in SERVER_SETTINGS {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        settings.insert(name.to_owned(), Value::String(value));
    }
    connection.close().await?;
    Ok(settings)
}

/// The first `name: value` of a file in /proc.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}
