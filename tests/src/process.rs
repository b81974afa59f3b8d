//! Programs under test: started, watched, stopped, killed, frozen.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// A first start migrates a database, on a machine that may be busy.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// A graceful stop drains what is running.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// The newest lines of output that are kept for a failure's message.
const OUTPUT_LINES_MAX: usize = 400;
/// The environment of whoever runs the tests must not reach what they test.
const FOREIGN_VARIABLES: [&str; 8] = [
    "ADMIN_IDS",
    "BOT_TOKEN",
    "DATABASE_URL",
    "GATEWAY_",
    "LEDGER_",
    "REDIS_URL",
    "TELEGRAM_",
    "YOOKASSA_",
];

/// What to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// The word that its ready line begins with, and its name in messages.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables beside the inherited ones, of which those of our programs are
    /// removed.
    pub environment: Vec<(String, String)>,
    /// Whether it leads a process group of its own, as it does when a shell
    /// starts it for somebody at a terminal.
    pub leads_group: bool,
}

impl Program {
    /// A program anywhere.
    #[must_use]
    pub fn new(name: &str, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            leads_group: false,
        }
    }

    /// A binary of this workspace.
    #[must_use]
    pub fn ours(name: &str) -> Self {
        Self::new(name, binary(name))
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it a process group of its own.
    #[must_use]
    pub fn in_own_group(mut self) -> Self {
        self.leads_group = true;
        self
    }

    /// Runs it to its end and returns what it printed.
    ///
    /// # Panics
    /// If it can't be started, or runs for longer than `deadline`.
    pub async fn run(&self, deadline: Duration) -> Finished {
        let output = self
            .command()
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(deadline, output)
            .await
            .unwrap_or_else(|_| panic!("{} still runs after {deadline:?}", self.name))
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.path.display()));
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (name, _) in env::vars_os() {
            let foreign = name.to_str().is_some_and(|name| {
                FOREIGN_VARIABLES
                    .iter()
                    .any(|foreign| name.starts_with(foreign))
            });
            if foreign {
                command.env_remove(name);
            }
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().cloned());
        if self.leads_group {
            command.process_group(0);
        }
        command
    }
}

/// A program that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it wrote to its standard output.
    pub stdout: String,
    /// Everything it wrote to its standard error.
    pub stderr: String,
}

impl Finished {
    /// Both outputs, for messages and for looking for a word.
    #[must_use]
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// The newest lines that a process wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<VecDeque<String>>>);

impl Lines {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == OUTPUT_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A running program that has said it is ready. Dropped, it is killed; if the
/// test is failing, its output is printed first.
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    ready: String,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    /// Starts a program and waits for its line `{name} ready …` on stdout.
    ///
    /// # Panics
    /// If it can't be started, ends, or isn't ready in time.
    pub async fn start(program: &Program) -> Self {
        let prefix = format!("{} ready ", program.name);
        Self::start_until(program, move |line| line.starts_with(&prefix)).await
    }

    /// Starts a program and waits for a line on stdout that tells that it is
    /// ready.
    ///
    /// # Panics
    /// If it can't be started, ends, or isn't ready in time.
    pub async fn start_until(
        program: &Program,
        is_ready: impl Fn(&str) -> bool + Send + 'static,
    ) -> Self {
        let name = program.name.clone();
        let mut child = program
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.path.display()));
        let pid = child
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
            .expect("it runs");

        let (stdout, stderr) = (Lines::default(), Lines::default());
        let (found, mut ready) = watch::channel(None);
        let keep = stdout.clone();
        read_lines(child.stdout.take().expect("it is piped"), move |line| {
            let ready = is_ready(&line).then(|| line.clone());
            keep.push(line);
            if ready.is_some() {
                found.send_replace(ready);
            }
        });
        let keep = stderr.clone();
        read_lines(child.stderr.take().expect("it is piped"), move |line| {
            keep.push(line);
        });

        // Ends with an error when stdout closes, which is when the program ends.
        let line = match timeout(READY_DEADLINE, ready.wait_for(Option::is_some)).await {
            Ok(Ok(line)) => line.clone().unwrap_or_default(),
            Ok(Err(_)) => {
                let status = timeout(STOP_DEADLINE, child.wait()).await;
                let (out, err) = (stdout.text(), stderr.text());
                panic!("{name} ended before it was ready: {status:?}\n{out}{err}");
            }
            Err(_) => {
                let (out, err) = (stdout.text(), stderr.text());
                panic!("{name} was not ready within {READY_DEADLINE:?}\n{out}{err}");
            }
        };
        Self {
            name,
            child,
            pid,
            ready: line,
            stdout,
            stderr,
        }
    }

    /// The address that the ready line gives as `{key}=…`.
    ///
    /// # Panics
    /// If it gives none.
    #[must_use]
    pub fn address(&self, key: &str) -> SocketAddr {
        self.ready
            .split(' ')
            .filter_map(|word| word.split_once('='))
            .find_map(|(name, value)| (name == key).then(|| value.parse().ok())?)
            .unwrap_or_else(|| panic!("no address {key} in the line: {}", self.ready))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The newest lines of its standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// The newest lines of its standard error: its log.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Panics
    /// If it doesn't stop in time.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait("stop").await
    }

    /// Interrupts its process group (SIGINT), as Ctrl-C at a terminal does.
    /// It must lead one.
    pub fn interrupt_group(&self) {
        if self.child.id().is_some() {
            // It may end by itself just now, which is what `wait` finds out.
            let _ = kill_process_group(self.pid, Signal::INT);
        }
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// If it can't be waited for.
    pub async fn kill9(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait("die").await
    }

    /// Stops it where it is (SIGSTOP), as a machine does that swaps or is moved.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it doesn't in time.
    pub async fn wait(&mut self, what: &str) -> ExitStatus {
        timeout(STOP_DEADLINE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("{} did not {what} within {STOP_DEADLINE:?}", self.name))
            .unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.name))
    }

    fn signal(&self, signal: Signal) {
        // Once it has been waited for, its id may be somebody else's.
        if self.child.id().is_some() {
            // It may end by itself just now, which is what `wait` finds out.
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "--- {} wrote:\n{}{}---",
                self.name,
                self.stdout(),
                self.stderr()
            );
        }
        // A frozen process dies of SIGKILL too; `kill_on_drop` sends it.
    }
}

/// Gives each line of a stream to `keep`, until the stream ends.
fn read_lines(
    stream: impl AsyncRead + Unpin + Send + 'static,
    keep: impl Fn(String) + Send + 'static,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            keep(String::from_utf8_lossy(&line).into_owned());
        }
    });
}

/// Where the binaries of this workspace are: in `E2E_BINARIES` if that is set
/// (`scripts/test.sh` has built them), else beside the test's own executable,
/// after `cargo build` has brought them up to date, once a process.
///
/// # Panics
/// If they can't be built.
#[must_use]
pub fn binaries() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    match env::var_os("E2E_BINARIES") {
        Some(directory) => PathBuf::from(directory),
        None => BUILT.get_or_init(build).clone(),
    }
}

/// The path of a binary of this workspace.
fn binary(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(
        path.exists(),
        "there is no {}: run `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// Builds the binaries and returns their directory.
fn build() -> PathBuf {
    // target/{profile}/deps/{test}, or target/{profile}/{binary}.
    let own = env::current_exe().expect("the test knows its own path");
    let mut profile = own.parent().expect("it is in a directory");
    if profile.ends_with("deps") {
        profile = profile.parent().expect("it is in a profile's directory");
    }
    let target = profile.parent().expect("it is in a target directory");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    // All of them, and not those of one package: so the features of shared
    // dependencies are the ones that the tests were built with.
    command
        .args(["build", "--workspace", "--bins", "--quiet", "--target-dir"])
        .arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command
        .current_dir(crate::workspace())
        .status()
        .expect("cargo starts");
    assert!(status.success(), "cargo build --workspace --bins failed");
    profile.to_owned()
}
