//! A running `ledger-service`, its clients, and its commands.

use crate::{
    in_workspace,
    process::{Finished, Process, Program},
};
use ledger_proto::v1::{
    account_service_client::AccountServiceClient, event_service_client::EventServiceClient,
    finance_service_client::FinanceServiceClient, ledger_service_client::LedgerServiceClient,
    payment_service_client::PaymentServiceClient,
};
use std::{net::SocketAddr, ops::Deref, ops::DerefMut, path::PathBuf, time::Duration};
use tonic::transport::{Channel, Endpoint};

/// `verify` and `rebuild` read a test's whole log.
const COMMAND_DEADLINE: Duration = Duration::from_secs(120);
/// A call that takes longer is a failure of the test.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// How to start a ledger.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its data are.
    pub database_url: String,
    /// The catalogs to apply, one per book.
    pub catalogs: Vec<PathBuf>,
    /// `127.0.0.1:0` for a free port; a given one for a second start.
    pub grpc_addr: String,
    /// More arguments of `serve`.
    pub arguments: Vec<String>,
    /// More variables.
    pub environment: Vec<(String, String)>,
}

impl Options {
    /// With media-lab's catalog: 4 free operations, then 10.00 RUB each.
    #[must_use]
    pub fn media_lab(database_url: &str) -> Self {
        Self {
            database_url: database_url.to_owned(),
            catalogs: vec![in_workspace("ledger-service/catalogs/media-lab.toml")],
            grpc_addr: "127.0.0.1:0".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// The program that they start.
    #[must_use]
    pub fn program(&self) -> Program {
        let mut program = Program::ours("ledger-service")
            .argument("serve")
            .argument("--database-url")
            .argument(&self.database_url)
            .argument("--grpc-addr")
            .argument(&self.grpc_addr)
            .argument("--http-addr")
            .argument("127.0.0.1:0");
        for catalog in &self.catalogs {
            program = program.argument("--catalog").argument(catalog);
        }
        program
            .arguments
            .extend(self.arguments.iter().map(Into::into));
        program.environment.extend(self.environment.iter().cloned());
        program
    }
}

/// A running `ledger-service`. It is also the [`Process`] that it is: to be
/// terminated, killed, frozen.
pub struct Ledger {
    process: Process,
    channel: Channel,
    database_url: String,
}

impl Ledger {
    /// Starts one and waits until it is ready.
    ///
    /// # Panics
    /// If it doesn't become ready.
    pub async fn start(options: &Options) -> Self {
        let process = Process::start(&options.program()).await;
        let channel = Endpoint::from_shared(format!("http://{}", process.address("grpc")))
            .expect("an address makes a URL")
            .timeout(CALL_DEADLINE)
            .connect_lazy();
        Self {
            process,
            channel,
            database_url: options.database_url.clone(),
        }
    }

    /// A connection to it; it reconnects by itself.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A client of `LedgerService`.
    #[must_use]
    pub fn ledger(&self) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.channel())
    }

    /// A client of `AccountService`.
    #[must_use]
    pub fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel())
    }

    /// A client of `EventService`.
    #[must_use]
    pub fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel())
    }

    /// A client of `FinanceService`.
    #[must_use]
    pub fn finance(&self) -> FinanceServiceClient<Channel> {
        FinanceServiceClient::new(self.channel())
    }

    /// A client of `PaymentService`.
    #[must_use]
    pub fn payments(&self) -> PaymentServiceClient<Channel> {
        PaymentServiceClient::new(self.channel())
    }

    /// Where it answers gRPC.
    #[must_use]
    pub fn grpc(&self) -> SocketAddr {
        self.process.address("grpc")
    }

    /// Where it answers HTTP.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.process.address("http")
    }

    /// Runs `ledger-service verify` on its database.
    pub async fn verify(&self) -> Finished {
        verify(&self.database_url).await
    }

    /// Runs `ledger-service rebuild` on its database. Stop it before.
    pub async fn rebuild(&self) -> Finished {
        rebuild(&self.database_url).await
    }
}

impl Deref for Ledger {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Ledger {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Runs `ledger-service verify`, which re-reads everything.
pub async fn verify(database_url: &str) -> Finished {
    command("verify", database_url).await
}

/// Runs `ledger-service rebuild`, which makes everything but the events anew.
pub async fn rebuild(database_url: &str) -> Finished {
    command("rebuild", database_url).await
}

async fn command(name: &str, database_url: &str) -> Finished {
    Program::ours("ledger-service")
        .argument(name)
        .argument("--database-url")
        .argument(database_url)
        .run(COMMAND_DEADLINE)
        .await
}
