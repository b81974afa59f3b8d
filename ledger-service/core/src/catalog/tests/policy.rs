//! What a catalog says beyond prices: read, and refused where it is wrong.

use super::*;
use crate::catalog::{
    AssetKind, AttributeProblem, Buyer, CalendarPeriod, Counts, Language, Package, parse_applied,
};

const POLICY: &str = include_str!("../../../tests/scenarios/catalogs/policy.toml");

fn policy(environment: &[(&str, &str)]) -> Catalog {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    parse(POLICY, &environment).unwrap().catalog
}

#[test]
fn policy_is_read() {
    let catalog = policy(&[]);
    let asset = |id: &str| catalog.assets[id].clone();
    assert_eq!(asset("UNLIMITED").kind, AssetKind::Pass);
    assert_eq!(asset("UNLIMITED").fair_use, Some(3));
    assert_eq!(asset("XP").levels, [0, 100, 300]);
    assert_eq!(
        [0, 99, 100, 300, 301].map(|xp| asset("XP").level(xp)),
        [1, 1, 2, 3, 3]
    );
    assert_eq!(asset("TOKEN").title.unwrap().get(Language::Ru), "токены");
    assert_eq!(catalog.sources["WELCOME"].get(Language::En), "welcome gift");
    let daily = &catalog.recurring_grants["daily"];
    assert_eq!((daily.period, daily.rollover), (CalendarPeriod::Day, false));
    assert_eq!(
        (daily.grant.amount, daily.grant.source.as_str()),
        (1, "RECURRING")
    );
    let hourly = &catalog.limits["hourly"];
    assert_eq!((hourly.maximum, hourly.window_us), (20, 3_600_000_000));
    assert_eq!(hourly.counts, Counts::Accepted);
    assert_eq!(catalog.limits["trainings"].counts, Counts::Completed);
    assert_eq!(catalog.confirm_above["TOKEN"], 4_000);
    let large: &Package = &catalog.packages["large"];
    let buyer = |origin, operation| Buyer { origin, operation };
    assert_eq!(large.gives("TOKEN", buyer("bot", None)), 52);
    assert_eq!(large.offer.badge.as_deref(), Some("popular"));
    assert_eq!(large.contents[0].grant.source, "PURCHASE");
    assert_eq!(large.bonuses[0].source, "BONUS");
    let cheapest = |shortfall, origin, operation| {
        catalog.cheapest_package("TOKEN", shortfall, buyer(origin, operation))
    };
    assert_eq!(cheapest(5, "bot", Some("generate")), Some("small"));
    assert_eq!(cheapest(6, "bot", Some("generate")), Some("large"));
    assert_eq!(cheapest(53, "bot", Some("generate")), None);
    assert_eq!(cheapest(53, "bot", Some("peek")), Some("peeking"));
    assert_eq!(cheapest(53, "quiz_bot", None), Some("elsewhere"));
    // What nobody lacks, no package gives either.
    let pass = catalog.cheapest_package("UNLIMITED", 0, buyer("bot", None));
    assert_eq!(pass, None);
}

#[test]
fn the_environment_replaces_limits_and_thresholds() {
    let catalog = policy(&[
        ("MAX_TASKS_PER_USER_PER_HOUR", "7"),
        ("HIGH_COST_THRESHOLD", "1500"),
    ]);
    assert_eq!(catalog.limits["hourly"].maximum, 7);
    assert_eq!(catalog.confirm_above["TOKEN"], 1_500);
}

#[test]
fn attributes_choose_prices() {
    let catalog = policy(&[]);
    let generate = &catalog.operations["generate"];
    let said = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    };
    let (plain, dear) = (
        said(&[]),
        said(&[("model", "dall-e-3"), ("quality", "high")]),
    );
    let chosen = generate.choose(&plain).unwrap();
    assert_eq!(chosen.prices.len(), 2);
    assert_eq!(
        *chosen.attributes,
        said(&[("model", "gpt-image-1"), ("quality", "medium")])
    );
    assert_eq!(generate.choose(&dear).unwrap().prices[0].amount, 4);
    let refused = said(&[("model", "gpt-image-1.5")]);
    assert!(matches!(
        generate.choose(&refused),
        Err(AttributeProblem::Refused { .. })
    ));
}

/// Each wrong text, and every problem of it.
const WRONG: [(&str, &str); 32] = [
    (
        "operations.x = { attributes = { m = { values = ['a'] } }, prices = [{ asset = 'RUB', amount = 1 }], variants = [{ when = { m = [] }, refused = true }] }",
        "line 7: operations.x.variants[0].when.m: must have a value",
    ),
    (
        "operations.x = { prices = [{ asset = 'FREE', amount = 1 }], grants = [{ asset = 'FREE', amount = 1 }] }",
        "line 7: operations.x: FREE pays for what gives it again: x gives FREE",
    ),
    (
        "operations.x = { prices = [{ asset = 'FREE', amount = 1 }], grants = [{ asset = 'RUB', amount = 1 }] }\noperations.y = { prices = [{ asset = 'RUB', amount = 1 }], grants = [{ asset = 'FREE', amount = 1 }] }",
        "line 7: operations.x: FREE pays for what gives it again: x gives RUB, y gives FREE",
    ),
    (
        "assets.U = { kind = 'pass', exponent = 2 }",
        "line 7: assets.U.exponent: must be 0 or less",
    ),
    (
        "assets.U = { kind = 'credits', fair_use = 3 }",
        "line 7: assets.U.fair_use: only a pass has a fair use",
    ),
    (
        "assets.U = { kind = 'credits', levels = [0] }",
        "line 7: assets.U.levels: only points have levels",
    ),
    (
        "assets.U = { kind = 'points', levels = [1] }",
        "line 7: assets.U.levels[0]: the first level begins at 0",
    ),
    (
        "assets.U = { kind = 'points', levels = [0, 0] }",
        "line 7: assets.U.levels[1]: must be more than the level before it",
    ),
    (
        "assets.U = { kind = 'points', title = { ru = 'да' } }",
        "line 7: assets.U.title.en: is required",
    ),
    (
        "sources.WELCOME = { ru = '', en = 'x' }",
        "line 7: sources.WELCOME.ru: must be 1 to 64 characters, not 0",
    ),
    (
        "reasons.bad = { ru = 'x', en = 'x' }",
        "line 7: reasons.bad: must be 1 to 63 capital letters, digits and _, beginning with a letter",
    ),
    (
        "sources.WELCOME = { ru = \"a\\nb\", en = 'x' }",
        "line 7: sources.WELCOME.ru: must have no control characters",
    ),
    (
        "recurring_grants.daily = { asset = 'FREE', amount = 1, period = 'hour' }",
        "line 7: recurring_grants.daily.period: must be one of day, week, month",
    ),
    (
        "recurring_grants.daily = { asset = 'NOPE', amount = 1, period = 'day' }",
        "line 7: recurring_grants.daily.asset: no such asset",
    ),
    (
        "limits.h = { maximum = -1, window = '1h' }",
        "line 7: limits.h.maximum: must be 0 or more",
    ),
    (
        "limits.h = { maximum = 501, window = '1h' }",
        "line 7: limits.h.maximum: must be 500 or less",
    ),
    (
        "limits.h = { maximum = 1, window = '32d' }",
        "line 7: limits.h.window: must be 31d or less",
    ),
    (
        "limits.h = { maximum = 1, window = '1h', operations = [] }",
        "line 7: limits.h.operations: must have 1 to 256 items",
    ),
    (
        "limits.h = { maximum = 1, window = '1h', operations = ['nope'] }",
        "line 7: limits.h.operations[0]: no such operation",
    ),
    (
        "limits.a = { maximum = 400, window = '1h' }\nlimits.b = { maximum = 101, window = '1h' }",
        "line 7: limits: the maxima add up to 501; 500 is the most",
    ),
    (
        "confirm_above.NOPE = { amount = 1 }",
        "line 7: confirm_above.NOPE: no such asset",
    ),
    (
        "operations.x = { prices = [{ asset = 'FREE', amount = 0 }, { asset = 'RUB', amount = 1 }] }",
        "line 7: operations.x.prices[1]: is never reached: an alternative before it costs nothing",
    ),
    (
        "operations.x = { attributes = { m = { values = [] } }, prices = [{ asset = 'RUB', amount = 1 }] }",
        "line 7: operations.x.attributes.m.values: must have 1 to 64 items",
    ),
    (
        "operations.x = { attributes = { m = { values = ['a'], default = 'other' } }, prices = [{ asset = 'RUB', amount = 1 }] }",
        "line 7: operations.x.attributes.m.default: is not one of the values",
    ),
    (
        "operations.x = { attributes = { m = { values = ['a', 'b'] } }, variants = [{ when = { m = 'a' }, prices = [{ asset = 'RUB', amount = 1 }] }] }",
        "line 7: operations.x: has no price for m = b",
    ),
    (
        "operations.x = { attributes = { m = { values = ['a', 'b'] } }, prices = [{ asset = 'RUB', amount = 1 }], variants = [{ when = { m = 'a' }, prices = [{ asset = 'RUB', amount = 1 }] }, { when = { m = ['a', 'b'] }, prices = [{ asset = 'RUB', amount = 2 }] }] }",
        "line 7: operations.x.variants[1]: fits a combination that variants[0] has a price for",
    ),
    (
        "operations.x = { prices = [{ asset = 'RUB', amount = 1 }], variants = [{ when = { m = 'a' }, refused = true }] }",
        "line 7: operations.x.variants[0].when.m: no such attribute",
    ),
    (
        "operations.x = { attributes = { m = { values = ['a'] } }, prices = [{ asset = 'RUB', amount = 1 }], variants = [{ when = { m = 'a' }, refused = true, prices = [] }] }",
        "line 7: operations.x.variants[0].prices: a combination that is refused has no prices",
    ),
    (
        "packages.p = { title = { ru = 'x', en = 'x' }, description = { ru = 'x', en = 'x' }, prices = { RUB = 1 }, contents = [{ asset = 'FREE', amount = 1 }, { asset = 'FREE', amount = 1, weight = 2 }] }",
        "line 7: packages.p.contents[0].weight: is required of each of several parts",
    ),
    (
        "packages.p = { title = { ru = 'x', en = 'x' }, description = { ru = 'x', en = 'x' }, prices = { ABC = 1 }, contents = [{ asset = 'FREE', amount = 1 }] }",
        "line 7: packages.p.prices.ABC: is no currency that is known",
    ),
    (
        "packages.p = { title = { ru = 'x', en = 'x' }, description = { ru = 'x', en = 'x' }, prices = {}, contents = [{ asset = 'FREE', amount = 1 }] }",
        "line 7: packages.p.prices: must have a price",
    ),
    (
        "packages.p = { description = { ru = 'x', en = 'x' }, prices = { RUB = 1 } }",
        "line 7: packages.p.title: is required\nline 7: packages.p.contents: is required",
    ),
];

#[test]
fn wrong_policy_is_refused_at_its_line() {
    for (text, expected) in WRONG {
        let expected: Vec<&str> = expected.split('\n').collect();
        check(text, &[], &expected);
    }
}

#[test]
fn a_title_may_have_32_characters() {
    let package = |title: &str| {
        format!(
            "packages.p = {{ title = {{ ru = '{title}', en = 'x' }}, description = {{ ru = 'x', en = 'x' }}, \
             prices = {{ RUB = 1 }}, contents = [{{ asset = 'FREE', amount = 1 }}] }}"
        )
    };
    let too_long = "line 7: packages.p.title.ru: must be 1 to 32 characters, not 33";
    check(&package(&"ы".repeat(33)), &[], &[too_long]);
    accept(&format!("{HEAD}{}", package(&"ы".repeat(32))), &[]);
}

#[test]
fn a_variable_of_a_limit_is_a_whole_number() {
    let text = "limits.h = { maximum = { amount = 20, env = 'MAX' }, window = '1h' }";
    let said = "line 7: limits.h.maximum.env: MAX must be a whole number, 0 to 500";
    for value in ["-1", "1.5", "501", "many", ""] {
        check(text, &[("MAX", value)], &[said]);
    }
}

/// A package of so many parts and bonuses.
fn package(part: &str, parts: usize, bonuses: usize) -> String {
    let contents = vec![part; parts].join(", ");
    let bonuses = vec!["{ asset = 'FREE', amount = 1 }"; bonuses].join(", ");
    format!(
        "packages.p = {{ title = {{ ru = 'x', en = 'x' }}, description = {{ ru = 'x', en = 'x' }}, \
         prices = {{ RUB = 1 }}, contents = [{contents}], bonuses = [{bonuses}] }}"
    )
}

/// A catalog that was applied before there was a rule against what it says stays
/// readable: without it, its book could not even take a better one.
#[test]
fn what_was_applied_once_is_read_for_ever() {
    let unwise = [
        "operations.x.prices = [{ asset = 'FREE', amount = 0 }, { asset = 'RUB', amount = 5 }]",
        "operations.x = { prices = [{ asset = 'FREE', amount = 1 }], grants = [{ asset = 'FREE', amount = 2 }] }",
        "recurring_grants.d = { asset = 'FREE', amount = 1, period = 'day', rollover = true, expires_after = '365d' }",
        "assets.BADGE = { kind = 'badge' }\ngrants_on_opening = [{ asset = 'BADGE', scope = ['draw'] }]",
        &package("{ asset = 'FREE', amount = 1, env = 'N' }", 1, 0),
        &package("{ asset = 'FREE', amount = 1, weight = 1 }", 16, 1),
    ];
    for text in unwise {
        let text = format!("{HEAD}{text}");
        let variables = [("N", "0")];
        assert_eq!(refuse(&text, &variables).iter().count(), 1, "{text}");
        parse_applied(&text, &environment(&variables)).unwrap();
    }
    let wrong = format!("{HEAD}operations.x.prices = [{{ asset = 'NOPE', amount = 1 }}]");
    parse_applied(&wrong, &BTreeMap::new()).unwrap_err();
}

/// Free by its variable: what the environment says makes no catalog wrong.
#[test]
fn a_price_may_be_replaced_by_nothing() {
    let text = format!(
        "{HEAD}operations.x.prices = [{{ asset = 'FREE', amount = 1, env = 'PRICE' }}, {{ asset = 'RUB', amount = 5 }}]"
    );
    let catalog = accept(&text, &[("PRICE", "0")]).catalog;
    assert_eq!(catalog.operations["x"].prices[0].amount, 0);
}
