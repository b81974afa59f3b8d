//! The server as a whole: health, reflection, its errors and its end.

use super::*;

#[tokio::test]
async fn health_and_errors_of_the_transport_are_told() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let stand = Stand::start().await;
    let mut client = HealthClient::new(stand.channel.clone());
    for service in ["", "ledger.v1.LedgerService", "ledger.v1.EventService"] {
        let message = HealthCheckRequest {
            service: service.to_owned(),
        };
        assert_eq!(
            client.check(message).await.unwrap().into_inner().status,
            1,
            "{service}"
        );
    }
    let unknown = HealthCheckRequest {
        service: "nobody".to_owned(),
    };
    let status = client.check(unknown).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (tonic::Code::NotFound, "NOT_FOUND")
    );
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let mut stand = Stand::start().await;
    let operation = "a".repeat(crate::limits::REQUEST_BYTES_MAX);
    let status = stand.charge(charge("a", &operation)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(reason(&status), "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn the_api_describes_itself() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let stand = Stand::start().await;
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request,
    };
    let mut client = ServerReflectionClient::new(stand.channel.clone());
    let questions = tokio_stream::iter([question]);
    let mut answers = client
        .server_reflection_info(questions)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let mut names: Vec<String> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.retain(|name| name.starts_with("ledger.v1."));
    names.sort();
    let expected = [
        "AccountService",
        "CatalogService",
        "EventService",
        "FinanceService",
        "LedgerService",
        "PaymentService",
    ];
    assert_eq!(names, expected.map(|name| format!("ledger.v1.{name}")));
}

#[tokio::test]
async fn the_server_ends_when_it_is_told_to() {
    let mut stand = Stand::start().await;
    stand.charged("a", "generate").await;
    stand.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), stand.server).await;
    ended.unwrap().unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(5), stand.index.stopped())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unknown_book_is_not_found() {
    let mut stand = Stand::start().await;
    let account = "books/nobody/accounts/a".to_owned();
    let message = v1::ChargeRequest {
        account,
        ..charge("a", "generate")
    };
    let status = stand.charge(message).await.unwrap_err();
    assert_eq!(reason(&status), "BOOK_NOT_FOUND");
}
