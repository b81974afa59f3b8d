//! Statistics of a book.

use ledger_proto::v1::finance_service_client::FinanceServiceClient;

use super::*;

const MODELS: &str = r#"
[operations.draw]
title = { ru = "рисунок", en = "drawing" }
attributes.model = { values = ["gpt-image-1", "dall-e-3"], default = "gpt-image-1" }
prices = [{ asset = "RUB", amount = 200 }]
"#;

fn ask() -> v1::GetStatisticsRequest {
    v1::GetStatisticsRequest {
        book: BOOK.to_owned(),
        ..Default::default()
    }
}

impl Stand {
    async fn statistics(
        &self,
        message: v1::GetStatisticsRequest,
    ) -> Result<v1::GetStatisticsResponse, Status> {
        let mut finance = FinanceServiceClient::new(self.channel.clone());
        let answer = finance.get_statistics(message).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Charges from an origin.
    async fn charged_from(
        &mut self,
        origin: &str,
        charge: v1::ChargeRequest,
    ) -> v1::ChargeResponse {
        let mut request = tonic::Request::new(charge);
        let origin = origin.parse().unwrap();
        request.metadata_mut().insert("x-ledger-origin", origin);
        self.ledger.charge(request).await.unwrap().into_inner()
    }
}

fn draw(account: &str, model: &str) -> v1::ChargeRequest {
    v1::ChargeRequest {
        attributes: [("model".to_owned(), model.to_owned())].into(),
        ..charge(account, "draw")
    }
}

/// A bot's day: two users, one of another bot.
async fn a_day() -> Stand {
    let catalog = format!("{CATALOG}{MODELS}");
    let mut stand = Stand::start_with(&catalog, Indexing::On).await;
    stand.paid("a", 30_000).await;
    stand.credited("c", "RUB", 10_000).await;
    for model in ["dall-e-3", "gpt-image-1", "dall-e-3"] {
        stand.charged_from("art", draw("a", model)).await;
    }
    let charged = stand.charged_from("quiz", charge("c", "edit")).await;
    let refund = v1::RefundRequest {
        account: name("c"),
        request_id: id(),
        target: Some(v1::refund_request::Target::Charge(
            charged.result.unwrap().events.last().unwrap().name.clone(),
        )),
        ..Default::default()
    };
    stand.ledger.refund(refund).await.unwrap();
    stand.charged_from("quiz", charge("c", "generate")).await;
    let hold = v1::PlaceHoldRequest {
        account: name("a"),
        request_id: id(),
        operation: "edit".to_owned(),
        ..Default::default()
    };
    let first = hold.clone();
    let placed = stand.ledger.place_hold(first).await.unwrap().into_inner();
    let second = v1::PlaceHoldRequest {
        request_id: id(),
        ..hold
    };
    stand.ledger.place_hold(second).await.unwrap();
    let capture = v1::CaptureHoldRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::capture_hold_request::Target::Hold(
            placed.hold.unwrap().name,
        )),
        ..Default::default()
    };
    stand.ledger.capture_hold(capture).await.unwrap();
    stand
}

#[tokio::test]
async fn a_day_is_told_as_it_was() {
    let stand = a_day().await;
    let found = stand.statistics(ask()).await.unwrap();
    let (all_time, period) = (found.all_time.unwrap(), found.period.unwrap());
    let told = v1::Statistics {
        active_accounts: None,
        ..period.clone()
    };
    let mut closed = all_time;
    let mut open = Vec::new();
    for counts in closed
        .operations_by_type
        .iter_mut()
        .map(|by| by.counts.as_mut())
    {
        open.extend(counts.unwrap().open.take());
    }
    let counts = closed.operations.as_mut().unwrap();
    assert_eq!((counts.open.take(), open.iter().sum()), (Some(1), 1));
    assert_eq!(closed, told, "there was only this day");
    assert_eq!(
        (period.opened_accounts, period.active_accounts),
        (2, Some(2))
    );
    let counts = period.operations.unwrap();
    let counts = (
        counts.charged,
        counts.held,
        counts.captured,
        counts.refunded,
    );
    assert_eq!(counts, (5, 2, 1, 1));
    let by_type: Vec<_> = period
        .operations_by_type
        .iter()
        .map(|by| by.operation.as_str())
        .collect();
    assert_eq!(by_type, ["draw", "edit", "generate"]);
    let models: Vec<_> = period
        .operations_by_attribute
        .iter()
        .map(|by| (by.attribute.as_str(), by.value.as_str(), by.count))
        .collect();
    assert_eq!(
        models,
        [("model", "dall-e-3", 2), ("model", "gpt-image-1", 1)]
    );
    let free: Vec<_> = period
        .free_operations_by_source
        .iter()
        .map(|by| (by.source.as_str(), by.count))
        .collect();
    assert_eq!(free, [("CREDIT", 1), ("WELCOME", 1)]);
    let grants: Vec<_> = period
        .grants_by_source
        .iter()
        .map(|by| (by.source.as_str(), by.count))
        .collect();
    assert_eq!(grants, [("CREDIT", 1), ("WELCOME", 2)]);
    let rub = period
        .assets
        .iter()
        .find(|asset| asset.asset == "RUB")
        .unwrap();
    let amounts = (
        rub.spent_amount,
        rub.refunded_amount,
        rub.bought_amount,
        rub.granted_amount,
    );
    assert_eq!(amounts, (600 + 500, 500, 30_000, 10_000));
    let received = v1::Money {
        currency: "RUB".to_owned(),
        amount: 30_000,
    };
    assert_eq!(
        (period.received, period.test_received),
        (vec![received], Vec::new())
    );
    assert_eq!(period.payments[0].count, 1);
    let ways: Vec<_> = period
        .operations_by_payment
        .iter()
        .map(|by| (by.paid_with(), by.count))
        .collect();
    assert_eq!(
        ways,
        [(v1::PaidWith::Granted, 2), (v1::PaidWith::Purchased, 4)]
    );
}

#[tokio::test]
async fn origins_are_told_apart() {
    let stand = a_day().await;
    let found = stand.statistics(ask()).await.unwrap();
    let origins: Vec<_> = found
        .origins
        .iter()
        .map(|origin| origin.origin.as_str())
        .collect();
    assert_eq!(origins, ["art", "quiz", "unknown"]);
    let charged = |origin: &v1::OriginStatistics| {
        let period = origin.period.as_ref().unwrap();
        let counts = period.operations.as_ref().unwrap();
        assert_eq!(counts.open, None);
        (counts.charged, period.active_accounts)
    };
    let by_origin: Vec<_> = found.origins.iter().map(charged).collect();
    assert_eq!(by_origin, [(3, Some(1)), (2, Some(1)), (0, Some(2))]);
    let message = v1::GetStatisticsRequest {
        origin: "quiz".to_owned(),
        ..ask()
    };
    let quiz = stand.statistics(message).await.unwrap();
    assert_eq!(quiz.origins.len(), 1);
    let of_origin = |answer: &v1::GetStatisticsResponse| {
        let origin = answer.origins.iter().find(|origin| origin.origin == "quiz");
        origin.cloned().unwrap()
    };
    assert_eq!(of_origin(&quiz), of_origin(&found));
    assert_eq!((quiz.all_time, quiz.period), {
        let quiz = of_origin(&found);
        (quiz.all_time, quiz.period)
    });
}

#[tokio::test]
async fn who_did_most_is_told() {
    let stand = a_day().await;
    let found = stand.statistics(ask()).await.unwrap();
    let top: Vec<_> = found
        .top_accounts
        .iter()
        .map(|top| (top.account.clone(), top.operations, top.spent.clone()))
        .collect();
    assert_eq!(top, [(name("a"), 4, None), (name("c"), 1, None)]);
    let message = v1::GetStatisticsRequest {
        top_asset: "RUB".to_owned(),
        top_size: 1,
        ..ask()
    };
    let found = stand.statistics(message).await.unwrap();
    let [top] = found.top_accounts.as_slice() else {
        panic!("{:?}", found.top_accounts)
    };
    assert_eq!(
        (&top.account, &top.spent),
        (&name("a"), &asset_amount("RUB", 1_100))
    );
}

#[tokio::test]
async fn a_period_is_as_long_as_it_was_said() {
    let stand = a_day().await;
    let today = stand.statistics(ask()).await.unwrap();
    assert_eq!(today.start_date, today.end_date);
    assert_eq!(today.time_zone, "UTC");
    for (start, end, expected) in [
        ("", "2020-01-01", ("2020-01-01", "2020-01-01")),
        ("2020-01-01", "2020-12-31", ("2020-01-01", "2020-12-31")),
        ("2999-01-01", "", ("2999-01-01", "2999-01-01")),
        (
            &today.end_date,
            "",
            (today.end_date.as_str(), today.end_date.as_str()),
        ),
    ] {
        let message = v1::GetStatisticsRequest {
            start_date: start.to_owned(),
            end_date: end.to_owned(),
            ..ask()
        };
        let found = stand.statistics(message).await.unwrap();
        assert_eq!(
            (found.start_date.as_str(), found.end_date.as_str()),
            expected
        );
        let is_today = expected.0 == today.start_date;
        let period = found.period.unwrap();
        assert_eq!(period.opened_accounts, if is_today { 2 } else { 0 });
        assert_eq!(period.active_accounts, Some(period.opened_accounts));
        assert_eq!(found.all_time, today.all_time);
        assert_eq!(found.top_accounts.is_empty(), !is_today);
    }
}

#[tokio::test]
async fn a_bad_question_is_told_all_that_is_wrong() {
    let stand = Stand::start().await;
    let message = v1::GetStatisticsRequest {
        book: "b".to_owned(),
        origin: "?".to_owned(),
        start_date: "yesterday".to_owned(),
        end_date: "2026-02-30".to_owned(),
        top_size: -1,
        top_asset: "rub".to_owned(),
        consistency_token: "?".to_owned(),
    };
    let status = stand.statistics(message).await.unwrap_err();
    let mut fields = fields(&status);
    fields.sort();
    let expected = [
        "book",
        "consistency_token",
        "end_date",
        "origin",
        "start_date",
        "top_asset",
        "top_size",
    ];
    assert_eq!(fields, expected);
    for (start, end) in [
        ("2026-01-02", "2026-01-01"),
        ("2026-01-01", "2027-01-02"),
        ("2020-01-01", ""),
    ] {
        let message = v1::GetStatisticsRequest {
            start_date: start.to_owned(),
            end_date: end.to_owned(),
            ..ask()
        };
        let status = stand.statistics(message).await.unwrap_err();
        assert_eq!(super::fields(&status), ["end_date"], "{start} {end}");
    }
    let unknown = v1::GetStatisticsRequest {
        book: "books/unknown".to_owned(),
        ..ask()
    };
    let status = stand.statistics(unknown).await.unwrap_err();
    assert_eq!(reason(&status), "BOOK_NOT_FOUND");
}

#[tokio::test]
async fn statistics_that_are_behind_are_no_answer() {
    let mut stand = Stand::start_with(CATALOG, Indexing::Elsewhere).await;
    stand.charged("a", "generate").await;
    let mut finance = FinanceServiceClient::new(stand.channel.clone());
    let mut request = tonic::Request::new(ask());
    request.set_timeout(Duration::from_secs(4));
    let status = finance.get_statistics(request).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_CAUGHT_UP");
}
