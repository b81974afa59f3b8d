//! What the catalog says beyond prices, and catalogs themselves.

use ledger_proto::v1::catalog_service_client::CatalogServiceClient;

use super::*;

const POLICY: &str = include_str!("../../../core/tests/scenarios/catalogs/policy.toml");

/// The same policy, for the book of these tests.
fn policy() -> String {
    POLICY.replace("book = \"shop\"", "book = \"b\"")
}

async fn stand() -> (Stand, CatalogServiceClient<Channel>) {
    let stand = Stand::start_with(&policy(), Indexing::On).await;
    let catalogs = CatalogServiceClient::new(stand.channel.clone());
    (stand, catalogs)
}

fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn apply_request(text: String) -> v1::ApplyCatalogRequest {
    v1::ApplyCatalogRequest {
        book: BOOK.to_owned(),
        request_id: id(),
        text,
        ..Default::default()
    }
}

#[tokio::test]
async fn attributes_are_priced_and_kept() {
    let (mut stand, _) = stand().await;
    stand.credited("a", "TOKEN", 10).await;
    let dear = v1::ChargeRequest {
        attributes: with(&[("model", "dall-e-3"), ("quality", "high")]),
        ..charge("a", "generate")
    };
    let quoted = v1::QuoteChargeRequest {
        account: name("a"),
        operation: "generate".to_owned(),
        attributes: dear.attributes.clone(),
        ..Default::default()
    };
    let quote = stand
        .ledger
        .quote_charge(quoted)
        .await
        .unwrap()
        .into_inner();
    assert!(quote.chargeable && !quote.confirmation_required);
    assert_eq!(quote.price, asset_amount("TOKEN", 4));
    let charged = stand.charge(dear.clone()).await.unwrap();
    assert_eq!(charged.price, asset_amount("TOKEN", 4));
    let events = charged.result.unwrap().events;
    let Some(v1::event::Payload::Debited(debited)) = &events[0].payload else {
        panic!("{events:?}")
    };
    assert_eq!(debited.attributes, dear.attributes);

    let refused = v1::ChargeRequest {
        attributes: with(&[("model", "gpt-image-1.5")]),
        ..charge("a", "generate")
    };
    let status = stand.charge(refused).await.unwrap_err();
    assert_eq!(reason(&status), "VARIANT_NOT_AVAILABLE");
    let wrong = v1::ChargeRequest {
        attributes: with(&[("Model", "")]),
        ..charge("a", "generate")
    };
    let status = stand.charge(wrong).await.unwrap_err();
    assert_eq!(fields(&status), ["attributes"]);
}

#[tokio::test]
async fn a_pass_pays_until_its_end() {
    let (mut stand, _) = stand().await;
    let end = prost_types::Timestamp {
        seconds: 4_000_000_000,
        nanos: 0,
    };
    let message = v1::CreditRequest {
        account: name("a"),
        request_id: id(),
        amount: asset_amount("UNLIMITED", 1),
        lot_expire_time: Some(end),
        ..Default::default()
    };
    stand.ledger.credit(message).await.unwrap();
    let access = v1::CheckAccessRequest {
        account: name("a"),
        operation: "generate".to_owned(),
        ..Default::default()
    };
    let access = stand
        .accounts
        .check_access(access)
        .await
        .unwrap()
        .into_inner();
    assert!(access.allowed);
    assert_eq!(access.paid_with(), v1::PaidWith::Pass);
    assert_eq!(access.until_time, Some(end));
    let charged = stand.charged("a", "generate").await;
    assert_eq!(charged.paid_with(), v1::PaidWith::Pass);
    assert_eq!(charged.price, asset_amount("UNLIMITED", 0));
    let lots = v1::ListLotsRequest {
        account: name("a"),
        ..Default::default()
    };
    let lots = stand
        .accounts
        .list_lots(lots)
        .await
        .unwrap()
        .into_inner()
        .lots;
    let pass = lots.iter().find(|lot| lot.asset == "UNLIMITED").unwrap();
    assert_eq!(pass.used_count, 1);
}

#[tokio::test]
async fn a_limit_says_when_the_next_one_is_free() {
    let (mut stand, _) = stand().await;
    stand.credited("a", "TOKEN", 100).await;
    let twenty = v1::ChargeRequest {
        quantity: 20,
        ..charge("a", "generate")
    };
    stand.charge(twenty).await.unwrap();
    let status = stand.charge(charge("a", "generate")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "RATE_LIMITED");
    assert_eq!(
        (
            info.metadata["used"].as_str(),
            info.metadata["maximum"].as_str()
        ),
        ("20", "20")
    );
    let wait = status
        .get_details_retry_info()
        .unwrap()
        .retry_delay
        .unwrap();
    assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600));
    let quoted = v1::QuoteChargeRequest {
        account: name("a"),
        operation: "generate".to_owned(),
        ..Default::default()
    };
    let quote = stand
        .ledger
        .quote_charge(quoted)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(quote.refusal_reason, "RATE_LIMITED");
    assert!(quote.next_free_time.is_some());
}

#[tokio::test]
async fn a_costly_price_is_confirmed_and_a_lack_names_a_package() {
    let (mut stand, _) = stand().await;
    stand.credited("a", "TOKEN", 5_000).await;
    let dear = |confirmed| v1::ChargeRequest {
        explicit_price: asset_amount("TOKEN", 4_001),
        confirmed,
        ..charge("a", "")
    };
    let status = stand.charge(dear(false)).await.unwrap_err();
    assert_eq!(reason(&status), "CONFIRMATION_REQUIRED");
    let quoted = v1::QuoteChargeRequest {
        account: name("a"),
        explicit_price: asset_amount("TOKEN", 4_001),
        ..Default::default()
    };
    let quote = stand
        .ledger
        .quote_charge(quoted)
        .await
        .unwrap()
        .into_inner();
    assert!(quote.chargeable && quote.confirmation_required);
    stand.charge(dear(true)).await.unwrap();

    let quoted = v1::QuoteChargeRequest {
        account: name("poor"),
        operation: "generate".to_owned(),
        quantity: 6,
        ..Default::default()
    };
    let quote = stand
        .ledger
        .quote_charge(quoted)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (quote.shortfall_amount, quote.package.as_str()),
        (6, "large")
    );
}

#[tokio::test]
async fn points_tell_their_level_also_to_a_repeat() {
    let (mut stand, _) = stand().await;
    stand.credited("a", "TOKEN", 10).await;
    let mut training = tonic::Request::new(charge("a", "train"));
    let origin = "quiz_bot".parse().unwrap();
    training.metadata_mut().insert("x-ledger-origin", origin);
    let message = training.get_ref().clone();
    let first = stand
        .ledger
        .charge(training)
        .await
        .unwrap()
        .into_inner()
        .result
        .unwrap();
    let expected = v1::LevelChange {
        asset: "XP".to_owned(),
        old_level: 1,
        new_level: 2,
        leveled_up: true,
        total_amount: 100,
    };
    assert_eq!(first.level_changes, std::slice::from_ref(&expected));
    let again = stand.charge(message).await.unwrap().result.unwrap();
    assert!(again.replayed);
    assert_eq!(again.level_changes, [expected]);
    let lots = v1::ListLotsRequest {
        account: name("a"),
        ..Default::default()
    };
    let lots = stand
        .accounts
        .list_lots(lots)
        .await
        .unwrap()
        .into_inner()
        .lots;
    let badge = lots.iter().find(|lot| lot.asset == "FIRST").unwrap();
    assert_eq!(badge.origin, "quiz_bot");
}

#[tokio::test]
async fn a_catalog_is_applied_shown_and_kept() {
    let (mut stand, mut catalogs) = stand().await;
    let get = |version| v1::GetCatalogRequest {
        book: BOOK.to_owned(),
        catalog_version: version,
    };
    let first = catalogs
        .get_catalog(get(0))
        .await
        .unwrap()
        .into_inner()
        .catalog
        .unwrap();
    assert_eq!(
        (first.catalog_version, first.text.as_str()),
        (1, policy().as_str())
    );

    let text = policy().replace("amount = 4000", "amount = 10");
    let message = v1::ApplyCatalogRequest {
        overrides: with(&[("MAX_TASKS_PER_USER_PER_HOUR", "3"), ("UNRELATED", "x")]),
        expected_version: 1,
        ..apply_request(text)
    };
    let dry = v1::ApplyCatalogRequest {
        validate_only: true,
        ..message.clone()
    };
    let tried = catalogs.apply_catalog(dry).await.unwrap().into_inner();
    assert_eq!(tried.catalog_version, 2);
    let applied = catalogs
        .apply_catalog(message.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(applied.catalog_version, 2);
    let again = catalogs
        .apply_catalog(message.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(again.result.unwrap().replayed);

    let now = catalogs
        .get_catalog(get(0))
        .await
        .unwrap()
        .into_inner()
        .catalog
        .unwrap();
    assert_eq!(now.catalog_version, 2);
    // Only what the text names.
    assert_eq!(now.overrides, with(&[("MAX_TASKS_PER_USER_PER_HOUR", "3")]));
    let before = catalogs
        .get_catalog(get(1))
        .await
        .unwrap()
        .into_inner()
        .catalog
        .unwrap();
    assert_eq!(before, first);
    let status = catalogs.get_catalog(get(3)).await.unwrap_err();
    assert_eq!(reason(&status), "CATALOG_VERSION_NOT_FOUND");

    let late = v1::ApplyCatalogRequest {
        request_id: id(),
        ..message
    };
    let status = catalogs.apply_catalog(late).await.unwrap_err();
    assert_eq!(reason(&status), "CATALOG_CHANGED");
    stand.credited("a", "TOKEN", 100).await;
    let status = stand
        .charge(v1::ChargeRequest {
            quantity: 4,
            ..charge("a", "generate")
        })
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "RATE_LIMITED");
}

#[tokio::test]
async fn a_catalog_that_is_wrong_is_refused_whole() {
    let (mut stand, mut catalogs) = stand().await;
    let text = policy()
        .replace("exponent = 2", "exponent = 3")
        .replace("[0, 100, 300]", "[5]");
    let status = catalogs
        .apply_catalog(apply_request(text))
        .await
        .unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "INVALID_CATALOG");
    let problems = &info.metadata["problems"];
    assert!(problems.contains("assets.RUB.exponent") && problems.contains("assets.XP.levels[0]"));

    stand.credited("a", "TOKEN", 1).await;
    let without = |asset: &str| {
        let text = policy();
        let start = text.find(&format!("[assets.{asset}]")).unwrap();
        let end = start + text[start..].find("\n\n").unwrap();
        format!("{}{}", &text[..start], &text[end..])
    };
    // Nothing refers to it once the trainings give nothing.
    let bare = without("XP").replace("{ asset = \"XP\", amount = 100 }, ", "");
    catalogs
        .apply_catalog(apply_request(bare.clone()))
        .await
        .unwrap();
    catalogs
        .apply_catalog(apply_request(policy()))
        .await
        .unwrap();
    stand.credited("a", "XP", 7).await;
    let status = catalogs
        .apply_catalog(apply_request(bare))
        .await
        .unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["asset"].as_str()),
        ("ASSET_IN_USE", "XP")
    );

    let nameless = v1::ApplyCatalogRequest {
        book: "b".to_owned(),
        expected_version: -1,
        ..apply_request(String::new())
    };
    let status = catalogs.apply_catalog(nameless).await.unwrap_err();
    assert_eq!(fields(&status), ["book", "text", "expected_version"]);
}

#[tokio::test]
async fn what_is_on_sale_is_listed_in_its_order() {
    let (_stand, mut catalogs) = stand().await;
    let message = v1::ListPackagesRequest {
        book: BOOK.to_owned(),
        ..Default::default()
    };
    let listed = catalogs.list_packages(message).await.unwrap().into_inner();
    let ids: Vec<&str> = listed
        .packages
        .iter()
        .map(|it| it.package.as_str())
        .collect();
    assert_eq!(ids, ["small", "large", "peeking"]);
    let large = &listed.packages[1];
    assert_eq!(
        (
            large.badge.as_str(),
            large.title.as_ref().unwrap().ru.as_str()
        ),
        ("popular", "Профи")
    );
    assert_eq!(large.bonuses[0].amount, asset_amount("TOKEN", 2));
    assert_eq!(listed.catalog_version, 1);
}

#[tokio::test]
async fn a_repeat_of_a_catalog_is_answered_whatever_wallets_hold_since() {
    let (mut stand, mut catalogs) = stand().await;
    let bare = policy()
        .replace(
            "[assets.XP]\nkind = \"points\"\nlevels = [0, 100, 300]\n",
            "",
        )
        .replace("{ asset = \"XP\", amount = 100 }, ", "");
    let first = apply_request(bare);
    let version = |answer: tonic::Response<v1::ApplyCatalogResponse>| {
        let answer = answer.into_inner();
        (answer.catalog_version, answer.result.unwrap().replayed)
    };
    let applied = catalogs.apply_catalog(first.clone()).await.unwrap();
    assert_eq!(version(applied), (2, false));
    let whole = apply_request(policy());
    catalogs.apply_catalog(whole).await.unwrap();
    stand.credited("a", "XP", 7).await;
    let again = catalogs.apply_catalog(first).await.unwrap();
    assert_eq!(version(again), (2, true));

    // Counted otherwise is as bad as gone; what is wrong with the request itself
    // is said first.
    let finer = policy().replace("kind = \"points\"", "kind = \"points\"\nexponent = 2");
    let request = apply_request(finer);
    let status = catalogs.apply_catalog(request.clone()).await.unwrap_err();
    assert_eq!(reason(&status), "ASSET_IN_USE");
    let late = v1::ApplyCatalogRequest {
        expected_version: 1,
        ..request
    };
    let status = catalogs.apply_catalog(late).await.unwrap_err();
    assert_eq!(reason(&status), "CATALOG_CHANGED");
}

#[tokio::test]
async fn the_house_is_shown_no_grants() {
    let (mut stand, _) = stand().await;
    let house = stand.balance(get_balance("@house")).await;
    assert_eq!(told(&house.balances), "");
    let other = stand.balance(get_balance("anybody")).await;
    assert_eq!(told(&other.balances), "DAILY 1");
}
