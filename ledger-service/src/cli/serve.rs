//! Serving: the life of the process, from its settings to a clean stop.

use std::{io::IsTerminal as _, process::ExitCode};

use thiserror::Error;
use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use super::{
    EXIT_USAGE, catalog,
    config::{LogFormat, ServeArgs, Settings, environment},
    fail, http,
};
use crate::{
    background::{Condition, Readiness, sweep, watch_database},
    engine::{Clock, Engine, EngineLimits},
    grpc,
    limits::DRAIN_TIME_MAX,
    projections::Index,
    store::{Mode, SchemaError, connect},
};

#[derive(Debug, Error)]
enum ServeError {
    #[error("the log filter is wrong")]
    LogFilter(#[from] tracing_subscriber::filter::ParseError),
    #[error("the database cannot be used")]
    Database(#[from] SchemaError),
    #[error("{what} cannot listen on {address}; another address can be given with {flag}")]
    Listen {
        what: &'static str,
        address: std::net::SocketAddr,
        flag: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Catalog(#[from] catalog::ApplyError),
    #[error("the gRPC server failed")]
    Grpc(#[from] tonic::transport::Error),
    #[error("signals cannot be heard")]
    Signals(#[source] std::io::Error),
    #[error("a part of the service ended by itself, so all of it is ended")]
    PartEnded,
}

/// Serves until a signal; `writers` is where the books' writers run.
pub(super) async fn run(args: ServeArgs, writers: Handle) -> ExitCode {
    let settings = match Settings::load(args, environment()) {
        Ok(settings) => settings,
        Err(errors) => return fail(&errors, EXIT_USAGE),
    };
    match serve(settings, writers).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

async fn serve(settings: Settings, writers: Handle) -> Result<(), ServeError> {
    start_logging(&settings)?;
    for name in &settings.leftovers {
        tracing::info!(name, "this variable is set and not needed");
    }
    let grpc_listener = listen("gRPC", settings.grpc_addr, "--grpc-addr").await?;
    let http_listener = listen("health", settings.http_addr, "--http-addr").await?;
    let store = connect(&settings.database, Mode::Serve).await?;
    tracing::info!(database = %settings.database, "the database is open");

    let engine = Engine::with_writers(store, Clock::system(), EngineLimits::default(), writers);
    for path in settings.catalogs {
        catalog::apply_file(&engine, path, &settings.environment).await?;
    }
    run_until_signal(engine, grpc_listener, http_listener).await
}

async fn run_until_signal(
    engine: Engine,
    grpc_listener: TcpListener,
    http_listener: TcpListener,
) -> Result<(), ServeError> {
    let shutdown = CancellationToken::new();
    // Says that a part has ended, which none does before the shutdown.
    let ended = CancellationToken::new();
    let holder = holder();
    let readiness = Readiness::default();
    let reporter = grpc::health::reporter().await;
    let health = reporter.clone();
    let index = Index::spawn(engine.clone(), holder.clone(), shutdown.clone());
    let sweeper = spawn_part(
        &ended,
        sweep(engine.clone(), holder.clone(), shutdown.clone()),
    );
    let watching = watch_database(
        engine.clone(),
        readiness.clone(),
        shutdown.clone(),
        async move |ready| {
            if ready {
                grpc::health::set_serving(&health).await;
            } else {
                grpc::health::set_not_serving(&health).await;
            }
        },
    );
    let watch = spawn_part(&ended, watching);
    let addresses = (grpc_listener.local_addr(), http_listener.local_addr());
    let http_stop = CancellationToken::new();
    let http = http::serve(http_listener, readiness.clone(), http_stop.clone());
    let http = spawn_part(&ended, http);
    let serving = grpc::serve(
        grpc_listener,
        engine.clone(),
        index.clone(),
        reporter,
        shutdown.clone(),
    );
    let server = spawn_part(&ended, serving);
    let announced = readiness.clone();
    let announcing = tokio::spawn(async move {
        announced.ready().await;
        if let (Ok(grpc_addr), Ok(http_addr)) = addresses {
            announce(grpc_addr, http_addr);
        }
    });

    let result = tokio::select! {
        result = wait_for_signal() => result,
        () = ended.cancelled() => Err(ServeError::PartEnded),
    };
    tracing::info!("stopping");
    announcing.abort();
    shutdown.cancel();
    let _was_ready = readiness.set(Condition::Stopping);
    let drained = tokio::time::timeout(DRAIN_TIME_MAX * 2, server).await;
    index.stopped().await;
    engine.shut_down().await;
    http_stop.cancel();
    for task in [sweeper, watch] {
        join(task).await;
    }
    if let Err(error) = engine.store().end_leases(&holder).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the leases run out by themselves"
        );
    }
    join(http).await;
    if let Err(error) = engine.store().close().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the database was not closed; the next start finds everything all the same"
        );
    }
    match drained {
        Ok(Ok(served)) => served?,
        Ok(Err(error)) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the server ended badly"
        ),
        Err(_) => tracing::warn!("some requests were still in work and are cut off"),
    }
    tracing::info!("stopped");
    result
}

/// Runs a part of the service. `ended` is cancelled when it ends, however that
/// comes about.
fn spawn_part<T: Send + 'static>(
    ended: &CancellationToken,
    part: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    let guard = ended.clone().drop_guard();
    tokio::spawn(async move {
        let _guard = guard;
        part.await
    })
}

async fn join<T>(task: tokio::task::JoinHandle<T>) {
    if let Err(error) = task.await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a task ended badly"
        );
    }
}

/// Who holds leases: this process, and no other at any time.
#[expect(
    clippy::disallowed_methods,
    reason = "a process needs one id that no other has"
)]
fn holder() -> String {
    Uuid::new_v4().to_string()
}

/// The one line that says that requests are taken, for people and scripts.
#[expect(clippy::print_stdout, reason = "the line is the program's output")]
fn announce(grpc: std::net::SocketAddr, http: std::net::SocketAddr) {
    println!("ledger-service ready grpc={grpc} http={http}");
}

async fn listen(
    what: &'static str,
    address: std::net::SocketAddr,
    flag: &'static str,
) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen {
            what,
            address,
            flag,
            source,
        })
}

fn start_logging(settings: &Settings) -> Result<(), ServeError> {
    let filter = EnvFilter::builder().parse(&settings.log)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

async fn wait_for_signal() -> Result<(), ServeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_is_noticed_however_it_ends() {
        let ended = CancellationToken::new();
        drop(spawn_part(&ended, async {}));
        ended.cancelled().await;

        let ended = CancellationToken::new();
        let failing = spawn_part(&ended, async { panic!("on purpose") });
        ended.cancelled().await;
        assert!(failing.await.is_err());

        let ended = CancellationToken::new();
        let stop = CancellationToken::new();
        let running = spawn_part(&ended, stop.clone().cancelled_owned());
        assert!(!ended.is_cancelled());
        stop.cancel();
        running.await.unwrap();
        assert!(ended.is_cancelled());
    }
}
