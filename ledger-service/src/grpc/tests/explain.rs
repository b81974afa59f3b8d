//! Explanations of balances.

use super::*;

const TITLES: &str = r#"
[sources.WELCOME]
ru = "подарок новому пользователю"
en = "welcome gift"

[operations.retouch]
title = { ru = "ретушь", en = "retouch" }
prices = [{ asset = "RUB", amount = 700 }]
"#;

fn explain(account: &str) -> v1::ExplainBalanceRequest {
    v1::ExplainBalanceRequest {
        account: name(account),
        ..Default::default()
    }
}

impl Stand {
    async fn explained(
        &mut self,
        message: v1::ExplainBalanceRequest,
    ) -> v1::ExplainBalanceResponse {
        let answer = self.accounts.explain_balance(message).await.unwrap();
        let answer = answer.into_inner();
        check_sums(&answer);
        answer
    }

    /// All lines of an explanation, the earliest first, page by page; what was
    /// before the lines of a page is what the next one adds up to.
    async fn explained_whole(
        &mut self,
        message: v1::ExplainBalanceRequest,
    ) -> Vec<v1::BalanceLine> {
        let mut message = message;
        let mut lines = Vec::new();
        let mut before = None;
        loop {
            let answer = self.explained(message.clone()).await;
            if let Some(before) = before.replace(sums(&answer.lines, true)) {
                assert_eq!(sums(&answer.lines, false), before);
                assert_eq!((answer.text.as_str(), answer.holds.len()), ("", 0));
            }
            let (first, own): (Vec<_>, Vec<_>) = answer.lines.into_iter().partition(is_before);
            lines.splice(0..0, own);
            message.page_token = answer.next_page_token;
            if message.page_token.is_empty() {
                assert_eq!(first, []);
                return lines;
            }
        }
    }

    async fn held(&mut self, account: &str, operation: &str) -> String {
        let message = v1::PlaceHoldRequest {
            account: name(account),
            request_id: id(),
            operation: operation.to_owned(),
            annotations: Some(v1::Annotations {
                external_id: "task-7".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let held = self.ledger.place_hold(message).await.unwrap().into_inner();
        held.hold.unwrap().name
    }
}

fn is_before(line: &v1::BalanceLine) -> bool {
    line.kind() == v1::BalanceLineKind::Before
}

/// Balance and held part by asset; those that are not zero.
fn sums(lines: &[v1::BalanceLine], only_before: bool) -> BTreeMap<String, (i64, i64)> {
    let mut sums = BTreeMap::<String, (i64, i64)>::new();
    for line in lines.iter().filter(|line| !only_before || is_before(line)) {
        let amount = line.amount.clone().unwrap();
        let sum = sums.entry(amount.asset).or_default();
        sum.0 += amount.amount;
        sum.1 += line.held_amount;
    }
    sums.retain(|_, sum| *sum != (0, 0));
    sums
}

fn check_sums(answer: &v1::ExplainBalanceResponse) {
    let balances = answer
        .balances
        .iter()
        .filter(|balance| balance.balance != 0);
    let balances = balances.map(|balance| (balance.asset.clone(), (balance.balance, balance.held)));
    assert_eq!(
        sums(&answer.lines, false),
        balances.collect(),
        "{answer:#?}"
    );
    assert!(answer.text.encode_utf16().count() <= 4_096);
}

/// `RUB +5000`, a line each.
fn shown(lines: &[v1::BalanceLine]) -> Vec<String> {
    let shown = lines.iter().map(|line| {
        let amount = line.amount.as_ref().unwrap();
        let kind = format!("{:?}", line.kind());
        format!(
            "{kind} {} {:+} {:+}",
            amount.asset, amount.amount, line.held_amount
        )
    });
    shown.collect()
}

#[tokio::test]
async fn lines_add_up_to_the_balance_of_any_moment() {
    for indexing in [Indexing::On, Indexing::Elsewhere] {
        let catalog = format!("{CATALOG}{TITLES}");
        let mut stand = Stand::start_with(&catalog, indexing).await;
        let mut moments = vec![stand.balance(get_balance("a")).await];
        stand.credited("a", "RUB", 10_000).await;
        for operation in ["generate", "retouch", "edit"] {
            stand.charged("a", operation).await;
            moments.push(stand.balance(get_balance("a")).await);
            stand.charged("c", "generate").await;
        }
        let hold = stand.held("a", "retouch").await;
        moments.push(stand.balance(get_balance("a")).await);
        let now = stand.explained(explain("a")).await;
        let expected = [
            "Granted FREE_OP +4 +0",
            "Granted RUB +10000 +0",
            "Charged FREE_OP -1 +0",
            "Charged RUB -700 +0",
            "Charged RUB -500 +0",
            "Held RUB +0 +700",
        ];
        assert_eq!(shown(&now.lines), expected);
        assert_eq!(now.holds.len(), 1);
        assert_eq!(
            (&now.holds[0].name, now.holds[0].external_id.as_str()),
            (&hold, "task-7")
        );
        let titles: Vec<&str> = now.lines.iter().map(|line| line.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "подарок новому пользователю",
                "",
                "",
                "ретушь",
                "",
                "ретушь"
            ]
        );
        let taken = &now.lines[2].lots[0];
        assert_eq!((taken.amount, taken.source.as_str()), (1, "WELCOME"));
        for moment in moments {
            let by_time = v1::ExplainBalanceRequest {
                as_of: moment.read_time,
                ..explain("a")
            };
            let by_position = v1::ExplainBalanceRequest {
                as_of_position: moment.position,
                ..explain("a")
            };
            for message in [by_time, by_position] {
                let answer = stand.explained(message).await;
                assert_eq!(told(&answer.balances), told(&moment.balances));
                assert_eq!(answer.position, moment.position);
                assert_eq!(answer.not_opened, moment.not_opened);
            }
        }
    }
}

#[tokio::test]
async fn pages_go_back_to_the_beginning() {
    let mut stand = Stand::start().await;
    stand.credited("a", "RUB", 50_000).await;
    for _ in 0..20 {
        stand.charged("a", "generate").await;
        stand.charged("a", "edit").await;
    }
    for asset in ["", "RUB", "FREE_OP"] {
        let whole = v1::ExplainBalanceRequest {
            asset: asset.to_owned(),
            page_size: 500,
            ..explain("a")
        };
        let expected = stand.explained(whole.clone()).await;
        assert_eq!(expected.next_page_token, "");
        for page_size in [1, 3, 7, 40] {
            let message = v1::ExplainBalanceRequest {
                page_size,
                ..whole.clone()
            };
            assert_eq!(
                stand.explained_whole(message).await,
                expected.lines,
                "{page_size}"
            );
        }
    }
    // A page holds for its moment, whatever happens meanwhile.
    let message = v1::ExplainBalanceRequest {
        page_size: 5,
        ..explain("a")
    };
    let first = stand.explained(message.clone()).await;
    stand.charged("a", "edit").await;
    let message = v1::ExplainBalanceRequest {
        page_token: first.next_page_token,
        ..message
    };
    let second = stand.explained(message).await;
    assert_eq!(
        (second.position, second.read_time),
        (first.position, first.read_time)
    );
    assert_eq!(sums(&second.lines, false), sums(&first.lines, true));
}

#[tokio::test]
async fn the_text_is_of_the_language_that_was_asked_for() {
    let catalog = format!("{CATALOG}{TITLES}");
    let mut stand = Stand::start_with(&catalog, Indexing::On).await;
    stand.paid("a", 30_000).await;
    stand.charged("a", "retouch").await;
    let texts = [
        (
            v1::Language::Unspecified,
            "RUB: 293,00 ₽",
            "−7,00 ₽  ретушь",
        ),
        (
            v1::Language::Ru,
            "FREE_OP: 4",
            "+4  начислено (подарок новому пользователю)",
        ),
        (v1::Language::En, "RUB: 293.00 RUB", "+300.00 RUB  top-up"),
    ];
    for (language, heading, line) in texts {
        let message = v1::ExplainBalanceRequest {
            language: language.into(),
            ..explain("a")
        };
        let text = stand.explained(message).await.text;
        assert!(text.contains(heading) && text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn coming_expiries_are_told() {
    let mut stand = Stand::start().await;
    let now = stand.balance(get_balance("a")).await.read_time.unwrap();
    let credit = |amount, seconds| v1::CreditRequest {
        account: name("a"),
        request_id: id(),
        amount: asset_amount("RUB", amount),
        lot_expire_time: Some(prost_types::Timestamp {
            seconds: now.seconds + seconds,
            nanos: 0,
        }),
        ..Default::default()
    };
    for credit in [credit(500, 2_000), credit(300, 1_000)] {
        stand.ledger.credit(credit).await.unwrap();
    }
    stand.credited("a", "RUB", 100).await;
    let answer = stand.explained(explain("a")).await;
    let expiries: Vec<_> = answer
        .expiries
        .iter()
        .map(|expiry| (expiry.amount.as_ref().unwrap().amount, expiry.left_amount))
        .collect();
    assert_eq!(expiries, [(300, 600), (500, 100)]);
    assert_eq!(answer.expiries[0].lots.len(), 1);
}

#[tokio::test]
async fn a_bad_question_is_told_all_that_is_wrong() {
    let mut stand = Stand::start().await;
    let message = v1::ExplainBalanceRequest {
        account: "a".to_owned(),
        asset: "rub".to_owned(),
        as_of: Some(prost_types::Timestamp::default()),
        as_of_position: 1,
        language: 9,
        page_size: -1,
        page_token: "?".to_owned(),
        consistency_token: "?".to_owned(),
    };
    let status = stand.accounts.explain_balance(message).await.unwrap_err();
    let mut fields = fields(&status);
    fields.sort();
    let expected = [
        "account",
        "as_of_position",
        "asset",
        "consistency_token",
        "language",
        "page_size",
        "page_token",
    ];
    assert_eq!(fields, expected);
    let future = v1::ExplainBalanceRequest {
        as_of_position: 999_999,
        ..explain("a")
    };
    let status = stand.accounts.explain_balance(future).await.unwrap_err();
    assert_eq!(reason(&status), "EVENT_NOT_FOUND");
}
