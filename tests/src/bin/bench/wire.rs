//! gRPC over one HTTP/2 connection, without the layers that an application's
//! client has (a queue, reconnecting, timers, interceptors): the load shares the
//! cores with what it measures, and takes about half the time this way. What is
//! sent and how answers are read is the same: the generated messages.

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use prost::Message;
use std::net::SocketAddr;
use tokio::{net::TcpStream, sync::OnceCell};
use tonic::Status;
use tonic::codegen::http::{HeaderMap, Request, header};

/// How much may be on its way to us: the answers of many batch calls.
const WINDOW_BYTES: u32 = 64 * 1024 * 1024;
/// A byte that says whether a message is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A connection, made at the first call.
#[derive(Debug)]
pub(crate) struct Wire {
    address: SocketAddr,
    sender: OnceCell<SendRequest<Bytes>>,
}

impl Wire {
    /// To a service.
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            sender: OnceCell::const_new(),
        }
    }

    /// Makes a unary call; `path` is `/package.Service/Method`.
    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &'static str,
        question: &Q,
    ) -> Result<A, Status> {
        let sender = self.sender.get_or_try_init(|| self.connect()).await?;
        let mut sender = sender.clone().ready().await.map_err(broken)?;
        let request = Request::post(format!("http://{}{path}", self.address))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(())
            .map_err(|error| Status::internal(error.to_string()))?;
        let (response, mut body) = sender.send_request(request, false).map_err(broken)?;
        body.send_data(framed(question), true).map_err(broken)?;
        let response = response.await.map_err(broken)?;
        refused(response.headers())?;
        let mut body = response.into_body();
        let mut answer = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(broken)?;
            body.flow_control()
                .release_capacity(data.len())
                .map_err(broken)?;
            answer.extend_from_slice(&data);
        }
        if let Some(trailers) = body.trailers().await.map_err(broken)? {
            refused(&trailers)?;
        }
        let message = answer.get(PREFIX_BYTES..).unwrap_or_default();
        A::decode(message).map_err(|error| Status::internal(error.to_string()))
    }

    async fn connect(&self) -> Result<SendRequest<Bytes>, Status> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| Status::unavailable(error.to_string()))?;
        stream
            .set_nodelay(true)
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let (sender, connection) = Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(stream)
            .await
            .map_err(broken)?;
        // Its end shows in the calls that were on it.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// A message with the prefix that gRPC puts before each.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut bytes);
    bytes.freeze()
}

/// The error that headers or trailers speak of.
fn refused(headers: &HeaderMap) -> Result<(), Status> {
    match Status::from_header_map(headers) {
        Some(status) if status.code() != tonic::Code::Ok => Err(status),
        _ => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn broken(error: h2::Error) -> Status {
    Status::unavailable(error.to_string())
}
