//! Lists of accounts, lots and holds.

use super::*;

#[tokio::test]
async fn lots_and_holds_are_listed_page_by_page() {
    let mut stand = Stand::start().await;
    for amount in [3_000, 2_000, 1_000] {
        stand.paid("a", amount).await;
    }
    for external_id in ["t1", "t2", "t3"] {
        let message = v1::PlaceHoldRequest {
            account: name("a"),
            request_id: id(),
            operation: "edit".to_owned(),
            annotations: Some(v1::Annotations {
                external_id: external_id.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        stand.ledger.place_hold(message).await.unwrap();
    }
    let (mut holds, mut lots) = (Vec::new(), Vec::new());
    let mut message = v1::ListHoldsRequest {
        account: name("a"),
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = stand
            .accounts
            .list_holds(message.clone())
            .await
            .unwrap()
            .into_inner();
        holds.extend(
            page.holds
                .into_iter()
                .map(|hold| (hold.external_id, hold.held_amount)),
        );
        message.page_token = page.next_page_token;
        if message.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(holds, ["t1", "t2", "t3"].map(|id| (id.to_owned(), 500)));
    let mut message = v1::ListLotsRequest {
        account: name("a"),
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = stand
            .accounts
            .list_lots(message.clone())
            .await
            .unwrap()
            .into_inner();
        lots.extend(
            page.lots
                .into_iter()
                .map(|lot| (lot.remaining_amount, lot.held_amount)),
        );
        message.page_token = page.next_page_token;
        if message.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(lots, [(4, 0), (3_000, 1_500), (2_000, 0), (1_000, 0)]);
    let other = v1::ListLotsRequest {
        asset: "RUB".to_owned(),
        ..message
    };
    let page = stand
        .accounts
        .list_lots(other.clone())
        .await
        .unwrap()
        .into_inner();
    let other = v1::ListLotsRequest {
        asset: "FREE_OP".to_owned(),
        page_token: page.next_page_token,
        ..other
    };
    let status = stand.accounts.list_lots(other).await.unwrap_err();
    assert_eq!(fields(&status), ["page_token"]);
}

/// The ids of a list of accounts, page by page.
async fn listed(stand: &mut Stand, mut message: v1::ListAccountsRequest) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = stand
            .accounts
            .list_accounts(message.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(page.accounts.len() <= 2);
        let id = |account: v1::Account| account.name.rsplit('/').next().unwrap().to_owned();
        ids.extend(page.accounts.into_iter().map(id));
        if page.next_page_token.is_empty() {
            return ids;
        }
        message.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn accounts_are_listed_in_every_order() {
    use v1::list_accounts_request::{Filter, Order};
    let mut stand = Stand::start().await;
    for (account, charges) in [("d", 1), ("a", 3), ("c", 2), ("b", 1)] {
        stand.credited(account, "RUB", 5_000).await;
        for _ in 0..charges {
            stand.charged(account, "edit").await;
        }
    }
    let by = |order: Order, asset: &str| v1::ListAccountsRequest {
        book: BOOK.to_owned(),
        page_size: 2,
        order: order.into(),
        order_asset: asset.to_owned(),
        ..Default::default()
    };
    assert_eq!(
        listed(&mut stand, by(Order::Unspecified, "")).await,
        ["a", "b", "c", "d"]
    );
    assert_eq!(
        listed(&mut stand, by(Order::LastActivityDesc, "")).await,
        ["b", "c", "a", "d"]
    );
    assert_eq!(
        listed(&mut stand, by(Order::SpentDesc, "RUB")).await,
        ["a", "c", "b", "d"]
    );
    let filter = Filter {
        balance_min: asset_amount("RUB", 4_000),
        ..Default::default()
    };
    let rich = v1::ListAccountsRequest {
        filter: Some(filter),
        ..by(Order::AccountId, "")
    };
    assert_eq!(listed(&mut stand, rich).await, ["b", "c", "d"]);
    let filter = Filter {
        state: v1::AccountState::Blocked.into(),
        ..Default::default()
    };
    let blocked = v1::ListAccountsRequest {
        filter: Some(filter),
        ..by(Order::AccountId, "")
    };
    assert!(listed(&mut stand, blocked).await.is_empty());
    let status = stand
        .accounts
        .list_accounts(by(Order::SpentDesc, ""))
        .await
        .unwrap_err();
    assert_eq!(fields(&status), ["order_asset"]);
}
