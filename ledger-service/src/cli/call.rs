//! Calling a running service: JSON in, JSON out, by the descriptors that are
//! compiled in.

use std::process::ExitCode;

use bytes::{Buf as _, BufMut as _};
use clap::Args;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use thiserror::Error;
use tonic::{
    Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::{
    EXIT_USAGE, fail,
    server::{self, Server, ServerError},
};

/// What to call.
#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// Service and method, e.g. `LedgerService/Charge`; without one, all are
    /// listed.
    method: Option<String>,
    /// The request as JSON (proto3 JSON mapping); `{}` if not given.
    #[arg(default_value = "{}")]
    json: String,
    #[command(flatten)]
    server: Server,
    /// Who calls: the `x-ledger-origin` header.
    #[arg(long, default_value = "cli")]
    origin: String,
    /// Stop after so many messages of a stream.
    #[arg(long, value_name = "MESSAGES")]
    limit: Option<usize>,
}

#[derive(Debug, Error)]
enum CallError {
    #[error("the descriptors cannot be read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    #[error("there is no method `{0}`; `ledger-service call` without one lists all")]
    UnknownMethod(String),
    #[error("the request is not a {message}")]
    Json {
        message: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("`{0}` cannot be an origin")]
    Origin(String),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("the call was answered, but the answer cannot be shown")]
    Answer(#[source] serde_json::Error),
}

pub(super) async fn run(args: CallArgs) -> ExitCode {
    match call(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(CallError::Server(error)) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(CallError::Server(error)) if !error.is_usage() => fail(&error, 1),
        Err(error @ CallError::Answer(_)) => fail(&error, 1),
        Err(error) => fail(&error, EXIT_USAGE),
    }
}

#[expect(clippy::print_stdout, reason = "the list is the program's output")]
fn list(pool: &DescriptorPool) {
    for service in pool
        .services()
        .filter(|service| service.package_name() == "ledger.v1")
    {
        for method in service.methods() {
            println!("{}/{}", service.name(), method.name());
        }
    }
}

async fn call(args: CallArgs) -> Result<(), CallError> {
    let pool = DescriptorPool::decode(ledger_proto::FILE_DESCRIPTOR_SET)?;
    let Some(name) = args.method else {
        list(&pool);
        return Ok(());
    };
    let method = find_method(&pool, &name).ok_or(CallError::UnknownMethod(name))?;
    let message = read_request(&method, &args.json)?;
    let channel = args.server.connect().await?;
    let mut client = tonic::client::Grpc::new(channel)
        .max_decoding_message_size(crate::limits::RESPONSE_BYTES_MAX);
    client
        .ready()
        .await
        .map_err(|error| args.server.unreachable(error))?;

    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path
        .parse()
        .map_err(|_error| CallError::UnknownMethod(path.clone()))?;
    let origin = args
        .origin
        .parse()
        .map_err(|_error| CallError::Origin(args.origin.clone()))?;
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-ledger-origin", origin);
    let codec = DynamicCodec(method.clone());
    if method.is_server_streaming() {
        let mut stream = client
            .server_streaming(request, path, codec)
            .await
            .map_err(ServerError::from)?
            .into_inner();
        let mut shown = 0;
        while args.limit.is_none_or(|limit| shown < limit) {
            let Some(answer) = stream.message().await.map_err(ServerError::from)? else {
                break;
            };
            print(&answer)?;
            shown += 1;
        }
        return Ok(());
    }
    let answer = client
        .unary(request, path, codec)
        .await
        .map_err(ServerError::from)?
        .into_inner();
    print(&answer)
}

fn find_method(pool: &DescriptorPool, name: &str) -> Option<MethodDescriptor> {
    let (service, method) = name.trim_start_matches("ledger.v1.").split_once('/')?;
    let service = pool.get_service_by_name(&format!("ledger.v1.{service}"))?;
    service
        .methods()
        .find(|candidate| candidate.name() == method)
}

fn read_request(method: &MethodDescriptor, json: &str) -> Result<DynamicMessage, CallError> {
    let wrong = |source| CallError::Json {
        message: method.input().name().to_owned(),
        source,
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(method.input(), &mut reader).map_err(wrong)?;
    reader.end().map_err(wrong)?;
    Ok(message)
}

fn print(answer: &DynamicMessage) -> Result<(), CallError> {
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::pretty(&mut bytes);
    let options = SerializeOptions::new().skip_default_fields(true);
    answer
        .serialize_with_options(&mut writer, &options)
        .map_err(CallError::Answer)?;
    bytes.push(b'\n');
    Ok(server::print(&bytes)?)
}

/// Messages that are known by their descriptors only.
#[derive(Clone)]
struct DynamicCodec(MethodDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = DynamicDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        DynamicDecoder(self.0.clone())
    }
}

struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item.encode_to_vec());
        Ok(())
    }
}

struct DynamicDecoder(MethodDescriptor);

impl Decoder for DynamicDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let message = DynamicMessage::decode(self.0.output(), bytes)
            .map_err(|error| Status::internal(format!("the answer cannot be read: {error}")))?;
        Ok(Some(message))
    }
}
