//! A wire between a client and a server that can lose answers, and be cut.

use std::net::SocketAddr;
use tokio::{
    io::{self, AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use tonic::transport::{Channel, Endpoint};

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// They pass, in both directions.
    Open,
    /// Those of the client pass, those of the server are lost.
    Deaf,
    /// Connections are closed, and new ones as soon as they are made.
    Cut,
}

/// Passes the bytes of all connections on, until told otherwise. Ends with its
/// value.
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on loopback, for connections to `server`.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (mode, watched) = watch::channel(Mode::Open);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, server, watched.clone()));
            }
        });
        Self {
            address,
            mode,
            _tasks: tasks,
        }
    }

    /// A connection through it, made at the first call.
    ///
    /// # Panics
    /// Never: the address makes a URL.
    #[must_use]
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .expect("an address makes a URL")
            .connect_lazy()
    }

    /// From now on what the server says is lost.
    pub fn lose_answers(&self) {
        self.mode.send_replace(Mode::Deaf);
    }

    /// Closes all connections; new ones are closed too, until it is mended.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// From now on new connections work again.
    pub fn mend(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

async fn pass(client: TcpStream, server: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let answers = pass_answers(from_server, to_client, mode.clone());
    tokio::select! {
        // Either side has closed, or the wire is cut: dropping closes both.
        _ = io::copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn pass_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mode: watch::Receiver<Mode>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let is_open = *mode.borrow() == Mode::Open;
        if is_open && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
