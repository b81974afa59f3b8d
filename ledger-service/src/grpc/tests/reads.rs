//! Reads of accounts.

use super::{super::tokens, *};

#[tokio::test]
async fn an_unknown_account_is_shown_as_it_would_be() {
    let mut stand = Stand::start().await;
    let balance = stand.balance(get_balance("a")).await;
    assert!(balance.not_opened);
    assert_eq!(told(&balance.balances), "FREE_OP 4");
    let message = v1::GetAccountRequest {
        account: name("a"),
        ..Default::default()
    };
    let account = stand
        .accounts
        .get_account(message)
        .await
        .unwrap()
        .into_inner()
        .account
        .unwrap();
    assert_eq!(account.state(), v1::AccountState::NotOpened);
    assert_eq!(
        (
            account.version,
            account.open_time,
            account.last_activity_time
        ),
        (0, None, None)
    );
    assert_eq!(told(&account.balances), "FREE_OP 4");
}

#[tokio::test]
async fn an_unknown_account_is_not_found_if_nothing_opens_it() {
    let catalog = CATALOG.replace("open_on_first_use = true", "open_on_first_use = false");
    let mut stand = Stand::start_with(&catalog, Indexing::On).await;
    let status = stand
        .accounts
        .get_balance(get_balance("a"))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "ACCOUNT_NOT_FOUND");
    let message = v1::CheckAccessRequest {
        account: name("a"),
        operation: "generate".to_owned(),
        ..Default::default()
    };
    let access = stand
        .accounts
        .check_access(message)
        .await
        .unwrap()
        .into_inner();
    assert!(!access.allowed && access.not_opened);
    assert_eq!(access.refusal_reason, "ACCOUNT_NOT_FOUND");
}

#[tokio::test]
async fn the_house_is_readable_and_has_no_grants() {
    let mut stand = Stand::start().await;
    let message = v1::GetAccountRequest {
        account: name("@house"),
        ..Default::default()
    };
    let account = stand
        .accounts
        .get_account(message)
        .await
        .unwrap()
        .into_inner()
        .account
        .unwrap();
    assert_eq!(
        (account.state(), account.balances.len()),
        (v1::AccountState::Open, 0)
    );
}

#[tokio::test]
async fn a_past_balance_is_the_one_that_was_answered_then() {
    for indexing in [Indexing::On, Indexing::Elsewhere] {
        let mut stand = Stand::start_with(CATALOG, indexing).await;
        let before = stand.balance(get_balance("a")).await;
        let mut answers = vec![before];
        for _ in 0..4 {
            stand.charged("a", "generate").await;
            stand.charged("c", "generate").await;
            answers.push(stand.balance(get_balance("a")).await);
        }
        for answer in answers {
            let message = v1::GetBalanceRequest {
                as_of: answer.read_time,
                ..get_balance("a")
            };
            assert_eq!(stand.balance(message).await, answer);
        }
        let future = prost_types::Timestamp {
            seconds: 4_000_000_000,
            nanos: 0,
        };
        let message = v1::GetBalanceRequest {
            as_of: Some(future),
            ..get_balance("a")
        };
        let status = stand.accounts.get_balance(message).await.unwrap_err();
        assert_eq!(fields(&status), ["as_of"]);
    }
}

#[tokio::test]
async fn a_position_repeats_a_past_balance() {
    for indexing in [Indexing::On, Indexing::Elsewhere] {
        let mut stand = Stand::start_with(CATALOG, indexing).await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            stand.charged("a", "generate").await;
            answers.push(stand.balance(get_balance("a")).await);
            stand.charged("c", "generate").await;
        }
        for answer in answers {
            let message = v1::GetBalanceRequest {
                as_of_position: answer.position,
                ..get_balance("a")
            };
            let again = stand.balance(message.clone()).await;
            assert_eq!(again.balances, answer.balances);
            assert_eq!(again.position, answer.position);
            let event = v1::GetEventRequest {
                name: format!("{BOOK}/events/{}", answer.position),
                ..Default::default()
            };
            let event = stand.events.get_event(event).await.unwrap().into_inner();
            assert_eq!(again.read_time, event.event.unwrap().record_time);
            // Neither time nor later events change it.
            assert_eq!(stand.balance(message).await, again);
        }
        // The first event is the catalog's.
        let message = v1::GetBalanceRequest {
            as_of_position: 1,
            ..get_balance("a")
        };
        assert!(stand.balance(message).await.not_opened);
    }
}

#[tokio::test]
async fn a_position_that_is_none_is_refused() {
    let mut stand = Stand::start().await;
    let read_time = stand.balance(get_balance("a")).await.read_time;
    for (as_of, as_of_position, expected, field) in [
        (None, 999_999, "EVENT_NOT_FOUND", None),
        (None, -1, "INVALID_REQUEST", Some("as_of_position")),
        (read_time, 1, "INVALID_REQUEST", Some("as_of_position")),
    ] {
        let message = v1::GetBalanceRequest {
            as_of,
            as_of_position,
            ..get_balance("a")
        };
        let status = stand.accounts.get_balance(message).await.unwrap_err();
        assert_eq!(reason(&status), expected);
        assert_eq!(fields(&status).first().map(String::as_str), field);
    }
}

#[tokio::test]
async fn a_token_of_another_log_is_told() {
    let mut stand = Stand::start().await;
    let token = stand
        .charged("a", "generate")
        .await
        .result
        .unwrap()
        .consistency_token;
    let with = |consistency_token| v1::GetBalanceRequest {
        consistency_token,
        ..get_balance("a")
    };
    stand.balance(with(token.clone())).await;
    let message = v1::ListAccountsRequest {
        book: BOOK.to_owned(),
        consistency_token: token.clone(),
        ..Default::default()
    };
    let accounts = stand.accounts.list_accounts(message).await.unwrap();
    assert_eq!(accounts.into_inner().accounts.len(), 1);
    let ahead = tokens::Consistency::render((1_000, [0; 32]), tokens::owner_of_book("b"));
    let status = stand
        .accounts
        .get_balance(with(ahead.clone()))
        .await
        .unwrap_err();
    let forked = (tonic::Code::DataLoss, "LOG_FORKED");
    assert_eq!((status.code(), reason(&status).as_str()), forked);
    let message = v1::ListAccountsRequest {
        book: BOOK.to_owned(),
        consistency_token: ahead.clone(),
        ..Default::default()
    };
    let status = stand.accounts.list_accounts(message).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), forked);
    let message = v1::GetEventRequest {
        name: format!("{BOOK}/events/1"),
        consistency_token: ahead,
    };
    let status = stand.events.get_event(message).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), forked);
    // Another book's log is no fork of this one, however long it is.
    let others = tokens::Consistency::render((1_000, [0; 32]), tokens::owner_of_book("c"));
    let status = stand.accounts.get_balance(with(others)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let told = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(told[0].description, "belongs to another book");
    let status = stand
        .accounts
        .get_balance(with("?".to_owned()))
        .await
        .unwrap_err();
    assert_eq!(fields(&status), ["consistency_token"]);
}

#[tokio::test]
async fn many_balances_are_of_one_position() {
    let mut stand = Stand::start().await;
    stand.charged("a", "generate").await;
    let message = v1::BatchGetBalancesRequest {
        book: BOOK.to_owned(),
        accounts: ["c", "a"].map(name).to_vec(),
        ..Default::default()
    };
    let balances = stand
        .accounts
        .batch_get_balances(message)
        .await
        .unwrap()
        .into_inner()
        .balances;
    assert_eq!(balances[0].position, balances[1].position);
    assert_eq!(
        (balances[0].account.clone(), balances[0].not_opened),
        (name("c"), true)
    );
    assert_eq!(told(&balances[1].balances), "FREE_OP 3");
}

fn check_access(operation: &str) -> v1::CheckAccessRequest {
    v1::CheckAccessRequest {
        account: name("a"),
        operation: operation.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn access_is_answered_and_never_an_error_for_no() {
    let mut stand = Stand::start().await;
    let yes = stand
        .accounts
        .check_access(check_access("generate"))
        .await
        .unwrap()
        .into_inner();
    assert!(yes.allowed && yes.not_opened);
    assert_eq!(
        (yes.price.clone(), yes.paid_with()),
        (asset_amount("FREE_OP", 1), v1::PaidWith::Granted)
    );
    let no = stand
        .accounts
        .check_access(check_access("edit"))
        .await
        .unwrap()
        .into_inner();
    assert!(!no.allowed);
    assert_eq!(no.refusal_reason, "INSUFFICIENT_FUNDS");
    assert_eq!(no.price, asset_amount("RUB", 500));
    let status = stand
        .accounts
        .check_access(check_access("dance"))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "UNKNOWN_OPERATION");
    let message = v1::BlockAccountRequest {
        account: name("a"),
        request_id: id(),
        annotations: Some(v1::Annotations {
            reason: Some(v1::Reason {
                code: "X".to_owned(),
                text: String::new(),
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    stand.ledger.block_account(message).await.unwrap();
    let blocked = stand
        .accounts
        .check_access(check_access("generate"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (blocked.allowed, blocked.refusal_reason.as_str()),
        (false, "ACCOUNT_BLOCKED")
    );
}

#[tokio::test]
async fn a_quote_says_what_a_charge_would_take() {
    let mut stand = Stand::start().await;
    let message = v1::QuoteChargeRequest {
        account: name("a"),
        operation: "generate".to_owned(),
        quantity: 5,
        ..Default::default()
    };
    let quote = stand
        .ledger
        .quote_charge(message.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(!quote.chargeable);
    assert_eq!(
        (quote.price, quote.shortfall_amount),
        (asset_amount("RUB", 5_000), 5_000)
    );
    assert_eq!(quote.alternatives.len(), 2);
    let paid = stand.paid("a", 6_000).await;
    let token = paid.result.unwrap().consistency_token;
    let message = v1::QuoteChargeRequest {
        consistency_token: token,
        ..message
    };
    let quote = stand
        .ledger
        .quote_charge(message)
        .await
        .unwrap()
        .into_inner();
    assert!(quote.chargeable && !quote.not_opened);
    assert_eq!(quote.paid_with(), v1::PaidWith::Purchased);
    assert_eq!(quote.takes[0].amount, 5_000);
}

#[tokio::test]
async fn statistics_count_what_was_done() {
    let mut stand = Stand::start().await;
    stand.paid("a", 10_000).await;
    stand.charged("a", "generate").await;
    let edited = stand.charged("a", "edit").await.result.unwrap();
    stand.charged("a", "edit").await;
    let refund = v1::RefundRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::refund_request::Target::Charge(
            edited.events[0].name.clone(),
        )),
        ..Default::default()
    };
    stand.ledger.refund(refund).await.unwrap();
    let message = v1::GetAccountStatisticsRequest {
        account: name("a"),
        ..Default::default()
    };
    let told = stand
        .accounts
        .get_account_statistics(message)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((told.operations, told.operations_last_30_days), (2, 2));
    let by_type: Vec<_> = told
        .operations_by_type
        .iter()
        .map(|count| {
            (
                count.operation.as_str(),
                count.count,
                count.count_last_30_days,
            )
        })
        .collect();
    assert_eq!(by_type, [("edit", 1, 1), ("generate", 1, 1)]);
    assert_eq!(
        told.spent
            .iter()
            .map(|spent| spent.amount)
            .collect::<Vec<_>>(),
        [1, 500]
    );
    assert_eq!(
        told.refunded,
        asset_amount("RUB", 500).into_iter().collect::<Vec<_>>()
    );
    assert_eq!((told.paid[0].amount, told.not_opened), (10_000, false));
}

#[tokio::test]
async fn statistics_wait_for_the_index_until_the_deadline() {
    let mut stand = Stand::start_with(CATALOG, Indexing::Elsewhere).await;
    stand.charged("a", "generate").await;
    let message = v1::GetAccountStatisticsRequest {
        account: name("a"),
        ..Default::default()
    };
    let mut request = tonic::Request::new(message);
    request.set_timeout(Duration::from_millis(400));
    let status = stand
        .accounts
        .get_account_statistics(request)
        .await
        .unwrap_err();
    let expected = (tonic::Code::Unavailable, "NOT_CAUGHT_UP");
    assert_eq!((status.code(), reason(&status).as_str()), expected);
}
