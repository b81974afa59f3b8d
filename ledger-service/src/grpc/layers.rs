//! What every request passes before it comes to its method, from the outside:
//!
//! 1. *Span* (the transport's `trace_fn`): names the method, nothing else. No
//!    amounts and no accounts: those are nobody's business in a log.
//! 2. [`Rescue`]: what went wrong below and is no status yet becomes one, and
//!    a status of the transport's own gets the details that all others have.
//! 3. *Load shed* and *concurrency limit* (tower's): more requests than the
//!    service takes on are refused at once instead of waiting. The queue of a
//!    book has its own bound, which is the one that is met under load.
//! 4. [`Deadlines`]: the caller's deadline, or the default one. Inside of the
//!    limit, so that a request that waits too long gives its place free.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{HeaderMap, Request, Response},
};
use tower::{BoxError, Layer, Service, load_shed::error::Overloaded};

use super::status;
use crate::limits::{DEADLINE_DEFAULT, QUEUE_JOBS_MAX};

/// How many requests are in work at the most, over all connections: what two
/// books' queues hold.
pub(super) const REQUESTS_MAX: usize = 2 * QUEUE_JOBS_MAX;

/// How long before its deadline a request is ended here, so that the answer
/// arrives; and how long before that the method itself is to give up, so that
/// it can say why. At the most, and at most a tenth of the time that there is.
const ANSWER_TIME: Duration = Duration::from_millis(25);

/// Until when the answer to a request is of use: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(pub(super) Instant);

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Gives every request a [`Deadline`], and ends it there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deadlines;

/// The service of [`Deadlines`].
#[derive(Clone, Debug)]
pub(super) struct WithDeadlines<S>(S);

impl<S> Layer<S> for Deadlines {
    type Service = WithDeadlines<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithDeadlines(inner)
    }
}

impl<S> Service<Request<Body>> for WithDeadlines<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let timeout = timeout_of(request.headers());
        let answer_time = (timeout / 10).min(ANSWER_TIME);
        let end = Instant::now() + timeout - answer_time;
        request.extensions_mut().insert(Deadline(end - answer_time));
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = tokio::time::timeout_at(end.into(), answer).await;
            answer.unwrap_or_else(|_passed| Ok(status::out_of_time().into_http()))
        })
    }
}

/// The time that the caller gives, or the default; no more than a day, which
/// no clock overflows by.
fn timeout_of(headers: &HeaderMap) -> Duration {
    let header = headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok());
    let timeout = header.and_then(parse_timeout).unwrap_or(DEADLINE_DEFAULT);
    timeout.min(Duration::from_secs(24 * 3_600))
}

/// A timeout as gRPC writes it: up to 8 digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Turns what is no status yet into one, with details.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rescue;

/// The service of [`Rescue`].
#[derive(Clone, Debug)]
pub(super) struct Rescued<S>(S);

impl<S> Layer<S> for Rescue {
    type Service = Rescued<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Rescued(inner)
    }
}

impl<S> Service<Request<Body>> for Rescued<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => Ok(with_details(response)),
                Err(error) if error.is::<Overloaded>() => Ok(status::overloaded().into_http()),
                Err(error) => Err(error),
            }
        })
    }
}

/// A response with an error of the transport's own gets details.
fn with_details(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    if headers.contains_key("grpc-status-details-bin") {
        return response;
    }
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => status::of_transport(&status).into_http(),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let table = [
            ("5S", Some(Duration::from_secs(5))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("7n", Some(Duration::from_nanos(7))),
            ("2M", Some(Duration::from_secs(120))),
            ("3H", Some(Duration::from_secs(10_800))),
            ("", None),
            ("S", None),
            ("5", None),
            ("+5S", None),
            ("-5S", None),
            ("5s", None),
            ("123456789S", None),
            ("5€", None),
        ];
        for (text, timeout) in table {
            assert_eq!(parse_timeout(text), timeout, "{text:?}");
        }
    }

    #[test]
    fn the_default_is_used_and_days_are_not_waited() {
        let mut headers = HeaderMap::new();
        assert_eq!(timeout_of(&headers), DEADLINE_DEFAULT);
        headers.insert("grpc-timeout", "99999999H".parse().unwrap());
        assert_eq!(timeout_of(&headers), Duration::from_secs(86_400));
    }

    #[test]
    fn errors_of_the_transport_get_a_reason() {
        let table = [
            (Code::Internal, Code::InvalidArgument, "MALFORMED_MESSAGE"),
            (Code::OutOfRange, Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
            (Code::from_i32(12), Code::from_i32(12), "NOT_SUPPORTED"),
        ];
        for (code, expected, reason) in table {
            let response = with_details(Status::new(code, "m").into_http());
            let status = Status::from_header_map(response.headers()).unwrap();
            let details = status.get_error_details();
            assert_eq!(status.code(), expected);
            assert_eq!(details.error_info().unwrap().reason, reason);
        }
        let own = with_details(status::overloaded().into_http());
        let own = Status::from_header_map(own.headers()).unwrap();
        assert_eq!(own.code(), Code::ResourceExhausted);
        let fine = with_details(Response::new(Body::default()));
        assert!(!fine.headers().contains_key("grpc-status"));
    }
}
