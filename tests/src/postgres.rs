//! PostgreSQL for tests: one server that all share, and servers of one's own
//! that may be killed.

use crate::{eventually, fresh_id};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::{
    env, fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child as Guardian, ChildStdin, Command, Stdio},
    time::Duration,
};
use tokio::{process::Child, sync::OnceCell, time::timeout};

/// Recovery after a kill replays the log.
const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// A port found free may be taken by the time the server asks for it.
const START_ATTEMPTS_MAX: usize = 5;

/// Ends a cluster when its standard input closes, which happens with our
/// process, however that ends: so no server outlives its test. `$1` is the
/// cluster's directory.
const GUARDIAN: &str = r#"
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
    kill -QUIT "$pid" 2>/dev/null
    tries=0
    while [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1"
"#;

/// The shared server's URL: `TEST_POSTGRES_URL`, or a cluster that this process
/// starts at the first call and that ends with it.
pub async fn shared_url() -> String {
    static OWN: OnceCell<Cluster> = OnceCell::const_new();
    match env::var("TEST_POSTGRES_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => {
            // The value is never dropped; its guardian ends it.
            OWN.get_or_init(Cluster::start).await.url("postgres")
        }
    }
}

/// A fresh, empty database on the shared server; returns its URL. It is left
/// there, and goes with the server.
///
/// # Panics
/// If it can't be created.
pub async fn fresh_database() -> String {
    let server = shared_url().await;
    let name = format!("test_{}", fresh_id().simple());
    create_database(&server, &name).await;
    on_database(&server, &name)
}

/// Creates a database on the server of `url`.
///
/// # Panics
/// If it can't be created.
pub async fn create_database(url: &str, name: &str) {
    let mut connection = PgConnection::connect(url)
        .await
        .unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"));
    let statement = format!("CREATE DATABASE \"{name}\" TEMPLATE template0");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("cannot create the database {name}: {error}"));
    let _ = connection.close().await;
}

/// `url` with another database.
fn on_database(url: &str, name: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let (server, _) = base.rsplit_once('/').expect("a URL names a database");
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{server}/{name}{query}")
}

/// A throwaway cluster of one's own: on a free port of loopback, trusting
/// everybody, with PostgreSQL's safe durability defaults. It may be killed and
/// started again; dropped, it and its data are gone.
pub struct Cluster {
    directory: PathBuf,
    port: u16,
    server: Option<Child>,
    guardian: Guardian,
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// Makes and starts a cluster.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it doesn't start.
    pub async fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("ledger-pg.")
            .tempdir()
            .expect("a temporary directory can be made")
            // From here on the guardian removes it.
            .keep();
        fs::create_dir(directory.join("socket")).expect("the new directory can be written");
        if let Some((user, group)) = server_user() {
            for path in [directory.clone(), directory.join("socket")] {
                chown(path, Some(user), Some(group)).expect("root may give a directory away");
            }
        }
        let (guardian, lifeline) = guard(&directory);
        let mut cluster = Self {
            directory,
            port: 0,
            server: None,
            guardian,
            lifeline: Some(lifeline),
        };
        cluster.initialize();
        for _ in 0..START_ATTEMPTS_MAX {
            cluster.port = free_port();
            if cluster.try_run().await {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start:\n{}", cluster.log());
    }

    /// The URL of one of its databases; `postgres` is always there.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A fresh, empty database in it; returns its URL.
    ///
    /// # Panics
    /// If it can't be created.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{}", fresh_id().simple());
        create_database(&self.url("postgres"), &name).await;
        self.url(&name)
    }

    /// Kills the server and all its processes at once (SIGKILL), as the kernel
    /// does when memory is short, and waits until they are gone.
    ///
    /// # Panics
    /// If it doesn't run.
    pub async fn kill9(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        let postmaster = server.id().expect("it has not been waited for");
        // Stopped first, so that it starts nothing while its children are listed.
        signal(postmaster, Signal::STOP);
        let children = children_of(postmaster);
        signal(postmaster, Signal::KILL);
        for child in children {
            signal(child, Signal::KILL);
        }
        let _ = timeout(STOP_DEADLINE, server.wait())
            .await
            .expect("SIGKILL ends a process");
    }

    /// Starts it again, on the same port and with the same data, and waits until
    /// it has recovered.
    ///
    /// # Panics
    /// If it runs, or doesn't start.
    pub async fn restart(&mut self) {
        assert!(
            self.server.is_none(),
            "the server runs: stop or kill it first"
        );
        // A backend that outlived its postmaster for a moment holds the shared
        // memory, and the server refuses to start until it is gone.
        for _ in 0..START_ATTEMPTS_MAX {
            if self.try_run().await {
                return;
            }
        }
        panic!("PostgreSQL does not start again:\n{}", self.log());
    }

    /// Stops it without waiting for its clients (a fast shutdown).
    ///
    /// # Panics
    /// If it doesn't stop in time.
    pub async fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            if let Some(pid) = server.id() {
                signal(pid, Signal::INT);
            }
            let _ = timeout(STOP_DEADLINE, server.wait())
                .await
                .expect("a fast shutdown is fast");
        }
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("server.log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn initialize(&self) {
        let output = server_command("initdb", &self.directory)
            .arg("-D")
            .arg(self.data())
            .args([
                "--auth=trust",
                "-U",
                "postgres",
                "--no-locale",
                "-E",
                "UTF8",
            ])
            .output()
            .expect("initdb starts");
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Starts the server; false if it ended instead of becoming ready.
    async fn try_run(&mut self) -> bool {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("server.log"))
            .expect("the log can be written");
        let mut command = server_command("postgres", &self.directory);
        command
            .arg("-D")
            .arg(self.data())
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
            ])
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                self.directory.join("socket").display()
            ))
            .args(["-c", "max_connections=200"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        let mut command = tokio::process::Command::from(command);
        let mut server = command.kill_on_drop(true).spawn().expect("postgres starts");
        let url = self.url("postgres");
        let server_ref = &mut server;
        let ready = eventually("PostgreSQL answers", START_DEADLINE, async || {
            if !matches!(server_ref.try_wait(), Ok(None)) {
                return Some(false);
            }
            let connection = PgConnection::connect(&url).await.ok()?;
            let _ = connection.close().await;
            Some(true)
        })
        .await;
        if ready {
            self.server = Some(server);
        }
        ready
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The guardian does the rest.
        drop(self.lifeline.take());
        let _ = self.guardian.wait();
    }
}

fn guard(directory: &Path) -> (Guardian, ChildStdin) {
    let mut guardian = Command::new("sh")
        .args(["-c", GUARDIAN, "guardian"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Whoever kills the test's process group must not kill this.
        .process_group(0)
        .spawn()
        .expect("sh starts");
    let lifeline = guardian.stdin.take().expect("it is piped");
    (guardian, lifeline)
}

/// A server program, to be run in `directory` as a user that PostgreSQL accepts.
fn server_command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(programs().join(program));
    command.current_dir(directory).env("LC_ALL", "C");
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command
}

/// PostgreSQL refuses to run as root: then as `postgres`, or `nobody`.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the list of users can be read");
    let id_of = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = id_of("postgres").or_else(|| id_of("nobody"));
    Some(found.expect("root needs a user `postgres` to run PostgreSQL as"))
}

/// The directory of PostgreSQL's programs: `TEST_POSTGRES_BIN`, or what
/// `scripts/install-postgres.sh` finds or installs.
fn programs() -> PathBuf {
    if let Some(directory) = env::var_os("TEST_POSTGRES_BIN") {
        return directory.into();
    }
    let output = Command::new(crate::in_workspace("scripts/install-postgres.sh"))
        .stderr(Stdio::inherit())
        .output()
        .expect("scripts/install-postgres.sh starts");
    assert!(
        output.status.success(),
        "scripts/install-postgres.sh found no PostgreSQL"
    );
    String::from_utf8_lossy(&output.stdout).trim().into()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The ids of a process's children; none if the system has no `ps`.
fn children_of(parent: u32) -> Vec<u32> {
    let listing = Command::new("ps")
        .args(["-A", "-o", "ppid=", "-o", "pid="])
        .output();
    let listing = listing.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listing)
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(ppid, _)| ppid.parse() == Ok(parent))
        .filter_map(|(_, pid)| pid.trim().parse().ok())
        .collect()
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        // A process that is gone already needs no signal.
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::on_database;

    #[test]
    fn changes_only_the_database() {
        assert_eq!(
            on_database("postgres://u@h:1/a?x=y/z", "b"),
            "postgres://u@h:1/b?x=y/z"
        );
        assert_eq!(on_database("postgres://u@h:1/a", "b"), "postgres://u@h:1/b");
    }
}
