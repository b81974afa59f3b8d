//! gRPC calls by path and bytes: for services that have no generated client
//! here (health, reflection), and for messages that are none.

use std::{future::poll_fn, pin::Pin};
use tonic::{
    Status,
    body::Body as Boxed,
    codegen::{Body as _, Service as _, http},
    transport::Channel,
};

/// How long a message's length is in its frame, with the flag before it.
const PREFIX_BYTES: usize = 5;

/// Calls a method with one message, of ASCII bytes and less than 128 of them,
/// and gives the bytes of all messages that are answered.
///
/// # Errors
/// The status, if it isn't OK.
///
/// # Panics
/// If there is no connection, or the answer is no gRPC.
pub async fn call(mut channel: Channel, path: &str, message: &str) -> Result<Vec<u8>, Status> {
    let length = u8::try_from(message.len()).expect("the message is short");
    assert!(message.is_ascii() && length.is_ascii());
    let framed = format!("\0\0\0\0{}{message}", char::from(length));
    let request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Boxed::new(framed))
        .expect("the path makes a request");
    poll_fn(|context| channel.poll_ready(context))
        .await
        .expect("there is a connection");
    let response = channel.call(request).await.expect("there is an answer");
    let (head, mut body) = response.into_parts();
    let mut status = Status::from_header_map(&head.headers);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.expect("the answer is whole");
        if let Some(trailers) = frame.trailers_ref() {
            status = Status::from_header_map(trailers);
        } else if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    let status = status.expect("an answer ends with a status");
    if status.code() != tonic::Code::Ok {
        return Err(status);
    }
    Ok(unframed(&bytes))
}

/// The messages, one after the other, without what frames them.
fn unframed(mut bytes: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_BYTES>() {
        let [_, a, b, c, d] = *prefix;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        messages.extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    messages
}
