//! What is sold for money: read, and refused where it is wrong.

use super::*;
use crate::catalog::{OnRepurchase, Period, Plan, Rate, Renewal, SecondSuccess};

/// The least that an offer has to say.
const OFFER: &str = "title = { ru = 'x', en = 'x' }\ndescription = { ru = 'x', en = 'x' }";

/// A package without line breaks.
const PACKAGE: &str = "packages.p = { title = { ru = 'x', en = 'x' }, \
    description = { ru = 'x', en = 'x' }, prices = { RUB = 100 }, \
    contents = [{ asset = 'FREE', amount = 1 }] }\n";

fn plan(catalog: &Catalog, id: &str) -> Plan {
    catalog.subscriptions.get(id).expect("a plan").clone()
}

#[test]
fn packages_are_read() {
    let catalog = accept(WHOLE, &[]).catalog;
    let large = &catalog.packages["large"];
    assert_eq!(large.offer.title.en, "Large");
    assert_eq!(large.offer.description.ru, "50 токенов");
    let receipt = large.offer.receipt.as_ref().expect("a receipt");
    assert_eq!(receipt.en, "Package: 50 tokens");
    assert_eq!(
        large.offer.prices,
        [("RUB".into(), 44_900), ("XTR".into(), 285)].into()
    );
    assert_eq!((large.offer.order, large.offer.visible), (2, false));
    assert_eq!(large.offer.badge.as_deref(), Some("popular"));
    assert_eq!(large.offer.origins, ["quiz_bot".into()].into());
    assert_eq!(large.per_account, Some(3));
    assert_eq!(large.refund, Some(PaymentRefundPolicy::LeaveDeficit));
    let [tokens, pass] = large.contents.as_slice() else {
        panic!("two parts")
    };
    assert_eq!((tokens.grant.amount, tokens.weight), (50, 3));
    assert_eq!(tokens.grant.funding, Funding::Purchased);
    assert_eq!(tokens.grant.expires_after_us, Some(90 * DAY_US));
    assert_eq!((pass.grant.amount, pass.rollover), (1, false));
    let [bonus] = large.bonuses.as_slice() else {
        panic!("one bonus")
    };
    assert_eq!(
        (bonus.source.as_str(), bonus.funding),
        ("BONUS", Funding::Granted)
    );

    let small = &catalog.packages["small"];
    assert_eq!((small.offer.order, small.offer.visible), (0, true));
    assert_eq!((&small.offer.receipt, &small.offer.badge), (&None, &None));
    assert!(small.offer.origins.is_empty());
    assert_eq!((small.per_account, small.refund), (None, None));
    assert_eq!(small.contents[0].weight, 1);
    assert_eq!(small.contents[0].grant.source, "PURCHASE");
}

#[test]
fn subscriptions_are_read() {
    let catalog = accept(WHOLE, &[]).catalog;
    let month = plan(&catalog, "month");
    assert_eq!(month.offer.title.ru, "Месяц");
    assert_eq!(month.period, Period { months: 1, days: 3 });
    assert_eq!(month.renewal, Renewal::SavedMethod);
    assert_eq!(month.on_repurchase, OnRepurchase::Queue);
    assert_eq!(month.upgrades, ["stars".into()].into());
    assert_eq!(month.grace_us, 3 * DAY_US);
    assert_eq!(month.retries_us, [DAY_US, 3 * DAY_US, DAY_US]);
    assert_eq!(month.notify_before_us, [3 * DAY_US, DAY_US]);
    assert_eq!(month.second_success, SecondSuccess::Refund);
    assert_eq!(month.refund, Some(PaymentRefundPolicy::RefuseIfSpent));
    assert_eq!(month.bonuses.len(), 1);
    let parts: Vec<_> = month
        .contents
        .iter()
        .map(|part| (part.weight, part.rollover, part.grant.expires_after_us))
        .collect();
    let rolling = (3, true, Some(60 * DAY_US));
    assert_eq!(parts, [(1, false, None), rolling, (1, false, None)]);

    let stars = plan(&catalog, "stars");
    assert_eq!(
        stars.period,
        Period {
            months: 0,
            days: 30
        }
    );
    assert_eq!(stars.renewal, Renewal::Stars);
}

#[test]
fn subscriptions_have_their_defaults() {
    let text = format!(
        "{HEAD}[subscriptions.s]\n{OFFER}\nprices = {{ RUB = 1 }}\nperiod = '1 day'\n\
         contents = [{{ asset = 'FREE', amount = 1 }}]"
    );
    let plan = plan(&accept(&text, &[]).catalog, "s");
    assert_eq!(plan.renewal, Renewal::None);
    assert_eq!(plan.on_repurchase, OnRepurchase::Extend);
    assert_eq!(plan.second_success, SecondSuccess::Extend);
    assert_eq!((plan.grace_us, plan.refund), (0, None));
    assert!(plan.retries_us.is_empty() && plan.notify_before_us.is_empty());
    assert!(plan.upgrades.is_empty() && plan.bonuses.is_empty());
}

#[test]
fn top_ups_and_auto_top_ups_are_read() {
    let catalog = accept(WHOLE, &[]).catalog;
    let top_up = &catalog.top_ups["RUB"];
    let rate = Rate {
        asset: "TOKEN".into(),
        pay: 100,
        get: 1,
    };
    assert_eq!(top_up.rate, Some(rate));
    let receipt = top_up.receipt.as_ref().expect("a receipt");
    assert_eq!(receipt.ru, "Пополнение баланса");
    let auto = &catalog.auto_top_ups["TOKEN"];
    assert_eq!((auto.threshold, auto.package.as_str()), (10, "large"));
    assert_eq!(auto.monthly_cap, [("RUB".into(), 500_000)].into());
}

/// Who lacks tokens is offered the roubles that become enough of them.
#[test]
fn a_top_up_is_offered_for_what_it_becomes() {
    let rate = |pay, get| format!("{{ asset = 'FREE', pay = {pay}, get = {get} }}");
    let text = |rate: &str| {
        format!(
            "{HEAD}top_up.RUB = {{ presets = [900], minimum = 250, maximum = 2000, rate = {rate} }}"
        )
    };
    let offered = |catalog: &Catalog, asset: &str, shortfall: i64| {
        let money = catalog.top_up_for(asset, shortfall)?;
        assert_eq!(money.currency, "RUB");
        Some(money.amount)
    };
    let catalog = accept(&text(&rate(100, 3)), &[]).catalog;
    assert_eq!(offered(&catalog, "FREE", 1), Some(900));
    assert_eq!(offered(&catalog, "FREE", 27), Some(900));
    assert_eq!(offered(&catalog, "FREE", 28), Some(1000));
    assert_eq!(offered(&catalog, "FREE", 60), Some(2000));
    assert_eq!(offered(&catalog, "FREE", 61), None);
    assert_eq!(offered(&catalog, "FREE", i64::MAX), None);
    // The roubles themselves are not what it gives.
    assert_eq!(offered(&catalog, "RUB", 1), None);

    let bare = text(&rate(100, 3)).replace("[900]", "[]");
    let catalog = accept(&bare, &[]).catalog;
    assert_eq!(offered(&catalog, "FREE", 1), Some(300));
}

/// A subscription whose line 9 is its prices, 10 its period, 11 its contents and
/// 12 is `line`; each of them as it should be, unless it is given.
fn subscription(prices: &str, period: &str, contents: &str, line: &str) -> String {
    format!(
        "[subscriptions.s]\ntitle = {{ ru = 'x', en = 'x' }}\nprices = {prices}\n\
         period = '{period}'\ncontents = [{contents}]\n{line}\n\
         description = {{ ru = 'x', en = 'x' }}\n\
         [subscriptions.other]\n{OFFER}\nprices = {{ RUB = 1 }}\nperiod = '1 day'\n\
         contents = [{{ asset = 'FREE', amount = 1 }}]\n\
         [assets.PASS]\nkind = 'pass'\n[assets.BADGE]\nkind = 'badge'"
    )
}

const MONEY: &str = "{ RUB = 1 }";
const FREE: &str = "{ asset = 'FREE', amount = 1 }";

#[test]
fn wrong_renewals_are_said() {
    for (line, expected) in [
        (
            "renewal = 'card'",
            "renewal: must be one of none, saved_method, stars",
        ),
        ("renewal = 'stars'", "renewal: needs a price in XTR"),
        ("grace = '1d'", "grace: only with a renewal"),
        ("retries = ['1d']", "retries: only with a renewal"),
        (
            "on_repurchase = 'add'",
            "on_repurchase: must be one of extend, queue, refuse",
        ),
        (
            "second_success = 'keep'",
            "second_success: must be one of extend, refund",
        ),
        (
            "refund = 'no'",
            "refund: must be one of refuse_if_spent, take_what_is_left, leave_deficit",
        ),
        (
            "upgrades = ['s']",
            "upgrades[0]: must be another subscription",
        ),
        (
            "upgrades = ['othr']",
            "upgrades[0]: no such subscription; did you mean other?",
        ),
        ("upgrades = ['other', 'other']", "upgrades[1]: given twice"),
        (
            "notify_before = ['1d', '1d']",
            "notify_before[1]: must be less than the duration before it",
        ),
        (
            "notify_before = ['1d', '2d']",
            "notify_before[1]: must be less than the duration before it",
        ),
        (
            "notify_before = ['0s']",
            "notify_before[0]: must be 1s or more",
        ),
        (
            "notify_before = ['9d', '8d', '7d', '6d', '5d', '4d', '3d', '2d', '1d']",
            "notify_before: must have 8 items or less",
        ),
        ("per_account = 1", "per_account: unknown key"),
    ] {
        let text = subscription(MONEY, "30 days", FREE, line);
        check(
            &text,
            &[],
            &[&format!("line 12: subscriptions.s.{expected}")],
        );
    }
    let said = |text: &str, expected: &[&str]| {
        let expected: Vec<String> = expected
            .iter()
            .map(|said| format!("line 12: subscriptions.s.{said}"))
            .collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(text, &[], &expected);
    };
    let stars = "{ XTR = 1 }";
    said(
        &subscription(stars, "1 month", FREE, "renewal = 'stars'"),
        &["renewal: needs a period of \"30 days\", Telegram's only one"],
    );
    said(
        &subscription(stars, "1 month", FREE, "renewal = 'saved_method'"),
        &["renewal: needs a price in money"],
    );
    let none = "renewal = 'none'\ngrace = '1d'";
    check(
        &subscription(MONEY, "1 month", FREE, none),
        &[],
        &["line 13: subscriptions.s.grace: only with a renewal"],
    );
    let card = "renewal = 'saved_method'\ngrace = '0s'\nretries = ['1d', '1d']";
    accept(
        &format!("{HEAD}{}", subscription(MONEY, "1 day", FREE, card)),
        &[],
    );
}

#[test]
fn wrong_periods_are_said() {
    let form = "must be years, months and days, like \"30 days\" or \"1 month 3 days\"";
    for (period, expected) in [
        ("", form),
        ("30d", form),
        ("0 days", form),
        ("11 years", "must be 10 years or less"),
        ("10 years 1 day", "must be 10 years or less"),
    ] {
        let text = subscription(MONEY, period, FREE, "");
        let expected = format!("line 10: subscriptions.s.period: {expected}");
        check(&text, &[], &[&expected]);
    }
}

#[test]
fn wrong_contents_of_subscriptions_are_said() {
    let ends = "it ends with the period; only with rollover has it an end of its own";
    for (contents, expected) in [
        ("", "contents: must have 1 to 16 items"),
        (
            "{ asset = 'PASS', expires_after = '1d' }",
            "contents[0].expires_after: a pass of a subscription lasts the period",
        ),
        (
            "{ asset = 'PASS', rollover = true }",
            "contents[0].rollover: a pass lasts the period and leaves nothing over",
        ),
        (
            "{ asset = 'PASS', amount = 2 }",
            "contents[0].amount: must be 1 or less",
        ),
        (
            "{ asset = 'BADGE' }",
            "contents[0]: a badge is earned, not bought",
        ),
        (
            "{ asset = 'FREE', amount = 1, expires_after = '1d' }",
            format!("contents[0].expires_after: {ends}").as_str(),
        ),
        (
            "{ asset = 'FREE', amount = 1, weight = 1 }, { asset = 'FREE', amount = 2 }",
            "contents[1].weight: is required of each of several parts",
        ),
        (
            "{ asset = 'FREE', amount = 1, weight = 0 }",
            "contents[0].weight: must be 1 or more",
        ),
    ] {
        let text = subscription(MONEY, "1 month", contents, "");
        check(
            &text,
            &[],
            &[&format!("line 11: subscriptions.s.{expected}")],
        );
    }
}

#[test]
fn wrong_packages_are_said() {
    let package = |line: &str| {
        format!(
            "[assets.BADGE]\nkind = 'badge'\n[assets.PASS]\nkind = 'pass'\n[packages.p]\n{OFFER}\n\
             {line}"
        )
    };
    let contents = "contents = [{ asset = 'FREE', amount = 1 }]";
    for (line, expected) in [
        (
            format!("{contents}\nprices = {{ RUB = 0 }}"),
            "15: packages.p.prices.RUB: must be 1 or more",
        ),
        (
            format!("{contents}\nprices = {{ rub = 1 }}"),
            "15: packages.p.prices.rub: must be the code of a currency, 3 capital letters, for money",
        ),
        (
            format!("prices = {{ RUB = 1 }}\n{contents}\nper_account = 0"),
            "16: packages.p.per_account: must be 1 or more",
        ),
        (
            format!("prices = {{ RUB = 1 }}\n{contents}\nbadge = 'Best'"),
            "16: packages.p.badge: must be 1 to 63 small letters, digits and _, beginning with a letter",
        ),
        (
            format!("prices = {{ RUB = 1 }}\n{contents}\norigins = []"),
            "16: packages.p.origins: must have 1 to 16 items",
        ),
        (
            format!("prices = {{ RUB = 1 }}\n{contents}\nrefund = 'all'"),
            "16: packages.p.refund: must be one of refuse_if_spent, take_what_is_left, leave_deficit",
        ),
        (
            "prices = { RUB = 1 }\ncontents = [{ asset = 'PASS' }]".to_owned(),
            "15: packages.p.contents[0].expires_after: is required for a pass",
        ),
        (
            "prices = { RUB = 1 }\ncontents = [{ asset = 'FREE', amount = 1, rollover = true }]"
                .to_owned(),
            "15: packages.p.contents[0].rollover: unknown key",
        ),
        (
            format!(
                "prices = {{ RUB = 1 }}\n{contents}\nbonuses = [{{ asset = 'BADGE', scope = ['draw'] }}]"
            ),
            "16: packages.p.bonuses[0].scope: a badge pays for nothing, so it has no scope",
        ),
    ] {
        check(&package(&line), &[], &[&format!("line {expected}")]);
    }
    let bonuses = vec![FREE; 16].join(", ");
    check(
        &package(&format!(
            "prices = {{ RUB = 1 }}\n{contents}\nbonuses = [{bonuses}]"
        )),
        &[],
        &["line 11: packages.p: must have 16 contents and bonuses or less"],
    );
    check(
        &package("prices = { RUB = 1 }\ncontents = [{ asset = 'FREE', amount = 1, env = 'N' }]"),
        &[("N", "0")],
        &["line 15: packages.p.contents: gives nothing: variables make every part 0"],
    );
    let many: Vec<String> = (0..65)
        .map(|index| PACKAGE.replacen("packages.p", &format!("packages.p{index}"), 1))
        .collect();
    check(
        &many.concat(),
        &[],
        &["line 7: packages: must have 64 packages or less"],
    );
}

#[test]
fn texts_have_their_lengths() {
    for (key, line, most, above) in [
        ("title", 8, 32, 33),
        ("description", 9, 255, 256),
        ("receipt", 10, 128, 129),
    ] {
        let package = |length: usize| {
            let texts: Vec<String> = [("title", 1), ("description", 1), ("receipt", 1)]
                .iter()
                .map(|(other, one)| {
                    let length = if *other == key { length } else { *one };
                    format!("{other} = {{ ru = 'x', en = '{}' }}\n", "ы".repeat(length))
                })
                .collect();
            format!(
                "[packages.p]\n{}prices = {{ RUB = 1 }}\ncontents = [{FREE}]",
                texts.concat()
            )
        };
        accept(&format!("{HEAD}{}", package(most)), &[]);
        for length in [0, above] {
            let expected = format!(
                "line {line}: packages.p.{key}.en: must be 1 to {most} characters, not {length}"
            );
            check(&package(length), &[], &[&expected]);
        }
    }
}

#[test]
fn wrong_rates_are_said() {
    for (rate, expected) in [
        (
            "{ asset = 'FREE', pay = 0, get = 1 }",
            "8: top_up.RUB.rate.pay: must be 1 or more",
        ),
        (
            "{ asset = 'FREE', pay = 1, get = 0 }",
            "8: top_up.RUB.rate.get: must be 1 or more",
        ),
        (
            "{ asset = 'FREE', pay = 1 }",
            "8: top_up.RUB.rate.get: is required",
        ),
        (
            "{ asset = 'FRE', pay = 1, get = 1 }",
            "8: top_up.RUB.rate.asset: no such asset; did you mean FREE?",
        ),
        (
            "{ asset = 'PASS', pay = 1, get = 1 }",
            "8: top_up.RUB.rate.asset: must be an asset of which there is more or less, not a pass or a badge",
        ),
        (
            "{ asset = 'FREE', pay = 100, get = 10_000_000_001 }",
            "8: top_up.RUB.rate: gives more than 1000000000000000 for the maximum (10000000)",
        ),
        (
            "{ asset = 'FREE', pay = 300, get = 1 }",
            "9: top_up.RUB.presets[1]: must be a multiple of 300, what the rate takes",
        ),
    ] {
        let text = format!(
            "[top_up.RUB]\nrate = {rate}\npresets = [6000, 10000]\n[assets.PASS]\nkind = 'pass'"
        );
        check(&text, &[], &[&format!("line {expected}")]);
    }
}

#[test]
fn wrong_auto_top_ups_are_said() {
    for (block, expected) in [
        (
            "FREE = { threshold = 0, package = 'p', monthly_cap = { RUB = 100 } }",
            "FREE.threshold: must be 1 or more",
        ),
        (
            "FREE = { threshold = 1, package = 'q', monthly_cap = { RUB = 100 } }",
            "FREE.package: no such package; did you mean p?",
        ),
        (
            "RUB = { threshold = 1, package = 'p', monthly_cap = { RUB = 100 } }",
            "RUB.package: gives no RUB",
        ),
        (
            "FREE = { threshold = 1, package = 'p', monthly_cap = { RUB = 99 } }",
            "FREE.monthly_cap.RUB: must be 100 or more, what the package costs",
        ),
        (
            "FREE = { threshold = 1, package = 'p', monthly_cap = { XTR = 99 } }",
            "FREE.monthly_cap.XTR: the package has no such price",
        ),
        (
            "FREE = { threshold = 1, package = 'p', monthly_cap = {} }",
            "FREE.monthly_cap: must have a currency",
        ),
        (
            "FREE = { threshold = 1, package = 'p' }",
            "FREE.monthly_cap: is required",
        ),
    ] {
        let text = format!("{PACKAGE}auto_top_up.{block}");
        check(&text, &[], &[&format!("line 8: auto_top_up.{expected}")]);
    }
    let unknown = "auto_top_up.GEM = { threshold = 1, package = 'p', monthly_cap = { RUB = 100 } }";
    check(
        &format!("{PACKAGE}{unknown}"),
        &[],
        &["line 8: auto_top_up.GEM: no such asset"],
    );
}

/// What is wrong about a package is said of it alone.
#[test]
fn a_package_that_is_wrong_is_still_known() {
    let auto = "auto_top_up.FREE = { threshold = 1, package = 'p', monthly_cap = { RUB = 100 } }";
    check(
        &format!("{}{auto}", PACKAGE.replace("RUB = 100", "RUB = -1")),
        &[],
        &["line 7: packages.p.prices.RUB: must be 1 or more"],
    );
}
