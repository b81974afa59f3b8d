//! Puts the gateway together, runs it, and stops it in order.

use std::{net::SocketAddr, sync::Arc};

use thiserror::Error;
use tokio::{net::TcpListener, sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    doors::{BotDoor, BoundedListener, Doors},
    inbox::{self, Inbox},
    ledger, limits, telegram,
    worker::{Handlers, Shop, Upkeep, Worker},
    yookassa,
};

/// Why the gateway can't start.
#[derive(Debug, Error)]
pub enum Error {
    /// The inbox.
    #[error("the inbox can't be opened")]
    Inbox(#[source] inbox::Error),
    /// The ledger's client.
    #[error("the ledger's client can't be made")]
    Ledger(#[source] ledger::Error),
    /// A client of YooKassa or Telegram.
    #[error("an HTTP client can't be made")]
    HttpClient(#[source] reqwest::Error),
    /// The address.
    #[error("GATEWAY_HTTP_ADDR can't be listened on")]
    Listen(#[source] std::io::Error),
}

/// A gateway that listens, and isn't running yet.
#[derive(Debug)]
pub struct Gateway {
    inbox: Inbox,
    doors: Doors,
    worker: Worker,
    listener: TcpListener,
    address: SocketAddr,
}

impl Gateway {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// With what can't be opened.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let ledger =
            ledger::Client::new(&config.ledger, &config.bot_name).map_err(Error::Ledger)?;
        let bot = match &config.bot {
            Some(bot) => Some(telegram::client::Client::new(bot).map_err(Error::HttpClient)?),
            None => None,
        };
        let shop = match &config.shop {
            Some(shop) => Some(Shop {
                config: shop.clone(),
                client: yookassa::client::Client::new(shop).map_err(Error::HttpClient)?,
            }),
            None => None,
        };
        let inbox = Inbox::open(&config.database).await.map_err(Error::Inbox)?;
        let listener = TcpListener::bind(config.http_addr)
            .await
            .map_err(Error::Listen)?;
        let address = listener.local_addr().map_err(Error::Listen)?;
        let wake = Arc::new(Notify::new());
        let bot_door = config
            .bot
            .as_ref()
            .zip(bot.clone())
            .map(|(settings, client)| BotDoor {
                webhook_secret: settings.webhook_secret.clone(),
                client,
            });
        let doors = Doors::new(
            inbox.clone(),
            Arc::clone(&wake),
            ledger.clone(),
            &config.bot_name,
            bot_door,
        );
        let handlers = Handlers {
            ledger,
            bot_name: config.bot_name.clone(),
            bot,
            shop,
        };
        let worker = Worker {
            inbox: inbox.clone(),
            handlers: Arc::new(handlers),
            wake,
            upkeep: Upkeep {
                inbox: inbox.clone(),
                bodies_kept: config.bodies_kept,
            },
        };
        Ok(Self {
            inbox,
            doors,
            worker,
            listener,
            address,
        })
    }

    /// Where it listens: the port is the actual one.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its inbox.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Serves and works until told to stop; then takes no new connections,
    /// lets requests and rows in work finish within [`limits::STOP_GRACE`],
    /// and closes the inbox last.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            inbox,
            doors,
            worker,
            listener,
            ..
        } = self;
        let served = axum::serve(BoundedListener::new(listener), doors.router())
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let http = async {
            tokio::select! {
                result = async { served.await } => {
                    if let Err(error) = result {
                        tracing::error!(%error, "the doors broke");
                    }
                }
                () = grace(&stop) => tracing::warn!("stopping with requests unanswered"),
            }
            // Doors that broke leave nothing to do: stop the rest too.
            stop.cancel();
        };
        tokio::join!(http, worker.run(stop.clone()));
        inbox.close().await;
    }
}

async fn grace(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(limits::STOP_GRACE).await;
}
