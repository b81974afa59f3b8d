//! What the figures were measured on: the machine, and the databases' settings of
//! durability.

use e2e_tests::{Backend, postgres};
use ledger_service::store::{Address, Mode, connect};
use serde_json::{Map, Value, json};
use sqlx::{Connection as _, PgConnection};
use std::{fs, thread};

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

/// The machine. What the system doesn't tell is null.
pub(crate) fn machine() -> Value {
    json!({
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": thread::available_parallelism().ok().map(usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
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
