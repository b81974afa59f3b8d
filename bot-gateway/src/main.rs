//! The `bot-gateway` program.

use std::{io::Write as _, process::ExitCode};

use bot_gateway::{
    chain,
    config::{self, Config, Task},
    logging, operator,
    server::Gateway,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// `EX_USAGE`: a setting is wrong.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let task = match Task::parse(std::env::args_os()) {
        Ok(task) => task,
        Err(error) => return refuse(&error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(async {
            match task {
                Task::Serve(config) => run(*config).await,
                Task::Inbox(database, verb) => {
                    let told = operator::inbox(&database, &verb, &mut std::io::stdout()).await;
                    told.map_err(Into::into)
                }
            }
        }),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bot-gateway: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Shows help, or everything that is wrong.
fn refuse(error: &config::Error) -> ExitCode {
    match error {
        config::Error::CommandLine(error) => {
            // Nobody is left to tell if standard output is gone.
            let _ = error.print();
            if error.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            }
        }
        config::Error::Problems(problems) => {
            eprintln!("bot-gateway: settings are wrong (see bot-gateway --help):");
            for problem in problems {
                eprintln!("  {problem}");
            }
            ExitCode::from(EXIT_USAGE)
        }
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn run(mut config: Config) -> Result<(), AnyError> {
    let filter = std::mem::take(&mut config.log_filter);
    logging::init(filter, config.log_format)?;
    // Before the ready line, so that a signal sent after it is heard.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let gateway = Gateway::bind(&config).await?;
    say_what_is_missing(&config);
    announce(&gateway)?;
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stopper.cancel();
    });
    gateway.run(stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// The one line of standard output: scripts wait for it.
fn announce(gateway: &Gateway) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "bot-gateway ready http={}", gateway.address())?;
    stdout.flush()
}

fn say_what_is_missing(config: &Config) {
    for (name, why) in &config.leftovers {
        tracing::info!("{name} is set and not used: {why}");
    }
    if config.bot.is_none() {
        tracing::warn!(
            "BOT_TOKEN is not set: there is no bot; POST /telegram/{} answers 503, and payers are \
             not told of their payments",
            config.bot_name
        );
    }
    if config.shop.is_none() {
        tracing::warn!(
            "YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY are not set: notifications are stored and \
             wait until they are; nothing is credited"
        );
    }
}
