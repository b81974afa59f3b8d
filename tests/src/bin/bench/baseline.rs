//! Baseline I: `pgbench`, inserting one bare row a transaction.
//!
//! The row has two columns, one of them a unique uuid, made by the server
//! (`gen_random_uuid`). pgbench connects over TCP, as the service does, and the
//! table is emptied before each run.

use crate::options::Plan;
use e2e_tests::{in_workspace, postgres, process::Program};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::{env, io::Write as _, path::PathBuf, time::Duration};
use tempfile::NamedTempFile;

const CLIENTS: [u32; 3] = [8, 32, 64];
const TABLE: &str = "CREATE TABLE bare (id uuid PRIMARY KEY, value bigint NOT NULL)";
const SCRIPT: &str = "INSERT INTO bare VALUES (gen_random_uuid(), 1);\n";
/// What a run may take beyond its time.
const SLACK: Duration = Duration::from_secs(60);
const INSTALL_DEADLINE: Duration = Duration::from_secs(600);

/// The baseline, with the number of clients that is best here.
pub(crate) struct Baseline {
    url: String,
    pgbench: PathBuf,
    script: NamedTempFile,
    round_seconds: u64,
    /// What the numbers of clients reached at first.
    tried: Vec<(u32, f64)>,
    clients: u32,
    rate_per_s: f64,
    /// What it reached beside the measures.
    rounds: Vec<f64>,
}

impl Baseline {
    /// Makes the table and finds the best number of clients.
    pub(crate) async fn find(plan: &Plan) -> Result<Self, String> {
        let mut script = NamedTempFile::new().map_err(|error| format!("a script: {error}"))?;
        script
            .write_all(SCRIPT.as_bytes())
            .map_err(|error| format!("a script: {error}"))?;
        let mut baseline = Self {
            url: postgres::fresh_database().await,
            pgbench: programs().await?.join("pgbench"),
            script,
            round_seconds: plan.baseline_round_seconds,
            tried: Vec::new(),
            clients: CLIENTS[0],
            rate_per_s: 0.0,
            rounds: Vec::new(),
        };
        baseline.statement(TABLE).await?;
        for clients in CLIENTS {
            let rate = baseline.run(clients, plan.baseline_seconds).await?;
            eprintln!("  {clients} clients: {rate:.0} rows a second");
            baseline.tried.push((clients, rate));
            if rate > baseline.rate_per_s {
                (baseline.clients, baseline.rate_per_s) = (clients, rate);
            }
        }
        Ok(baseline)
    }

    /// Measures it again, with the best number of clients.
    pub(crate) async fn again(&mut self) -> Result<f64, String> {
        let rate = self.run(self.clients, self.round_seconds).await?;
        self.rounds.push(rate);
        Ok(rate)
    }

    /// For the report.
    pub(crate) fn report(&self) -> Value {
        let tried = self.tried.iter();
        let tried: Vec<_> = tried
            .map(|(clients, rate)| json!({"clients": clients, "rate_per_s": rate.round()}))
            .collect();
        let rounds: Vec<_> = self.rounds.iter().map(|rate| rate.round()).collect();
        json!({
            "rate_per_s": self.rate_per_s.round(),
            "clients": self.clients,
            "tried": tried,
            "rounds": rounds,
            "round_seconds": self.round_seconds,
            "table": TABLE,
            "script": SCRIPT.trim(),
        })
    }

    async fn run(&self, clients: u32, seconds: u64) -> Result<f64, String> {
        self.statement("TRUNCATE bare").await?;
        let finished = Program::new("pgbench", &self.pgbench)
            .argument("-n")
            .argument("-M")
            .argument("prepared")
            .argument("-T")
            .argument(seconds.to_string())
            .argument("-c")
            .argument(clients.to_string())
            .argument("-f")
            .argument(self.script.path())
            .argument(&self.url)
            .run(Duration::from_secs(seconds) + SLACK)
            .await;
        if !finished.status.success() {
            return Err(format!("pgbench failed:\n{}", finished.output()));
        }
        rate_of(&finished.stdout)
            .ok_or_else(|| format!("pgbench says no rate:\n{}", finished.output()))
    }

    async fn statement(&self, statement: &str) -> Result<(), String> {
        let done = async {
            let mut connection = PgConnection::connect(&self.url).await?;
            sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
                .execute(&mut connection)
                .await?;
            connection.close().await
        };
        done.await
            .map_err(|error: sqlx::Error| format!("{statement}: {error}"))
    }
}

/// The rate in what pgbench prints: `tps = 24310.6 (without initial connection time)`.
fn rate_of(output: &str) -> Option<f64> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("tps = "))?;
    line.split(' ').next()?.parse().ok()
}

/// Where PostgreSQL's programs are.
async fn programs() -> Result<PathBuf, String> {
    if let Some(directory) = env::var_os("TEST_POSTGRES_BIN") {
        return Ok(directory.into());
    }
    let script = Program::new(
        "install-postgres.sh",
        in_workspace("scripts/install-postgres.sh"),
    );
    let finished = script.run(INSTALL_DEADLINE).await;
    if !finished.status.success() {
        return Err(format!("no PostgreSQL: {}", finished.output()));
    }
    Ok(finished.stdout.trim().into())
}

#[cfg(test)]
mod tests {
    use super::rate_of;

    #[test]
    fn the_rate_is_found() {
        let output = "latency average = 0.3 ms\ntps = 24310.65 (without initial connection time)\n";
        assert_eq!(rate_of(output), Some(24_310.65));
        assert_eq!(rate_of("pgbench: error"), None);
    }
}
