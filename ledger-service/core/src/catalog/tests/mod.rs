//! A catalog as a bot's owner writes it, and every way to write it wrong.

mod catalogs;
mod growth;
mod policy;
mod sale;
mod values;
mod variants;

use std::collections::BTreeMap;

use super::duration::{DAY_US, SECOND_US};
use super::{
    AssetKind, Catalog, Grant, Notices, OverrunPolicy, Parsed, PaymentRefundPolicy, Price,
    Problems, PromoPolicy, parse,
};
use crate::account::Funding;

const MEDIA_LAB: &str = include_str!("../../../../catalogs/media-lab.toml");

/// Every key that a catalog may have, most of them not as by default.
const WHOLE: &str = include_str!("whole.toml");

/// Lines 1 to 6 of most texts here; what is tested begins at line 7.
const HEAD: &str = "\
schema = 1
book = 'b'
assets.RUB = { kind = 'money', exponent = 2 }
assets.FREE = { kind = 'allowance' }
operations.draw.prices = [{ asset = 'FREE', amount = 1 }]
operations.edit.prices = [{ asset = 'FREE', amount = 1 }]
";

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn accept(text: &str, variables: &[(&str, &str)]) -> Parsed {
    match parse(text, &environment(variables)) {
        Ok(parsed) => parsed,
        Err(problems) => panic!("{problems}\n in\n{text}"),
    }
}

fn refuse(text: &str, variables: &[(&str, &str)]) -> Problems {
    match parse(text, &environment(variables)) {
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(problems) => problems,
    }
}

/// The text after [`HEAD`] has exactly these problems.
#[track_caller]
fn check(text: &str, variables: &[(&str, &str)], expected: &[&str]) {
    let problems = refuse(&format!("{HEAD}{text}"), variables);
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, expected, "in\n{text}");
}

fn rub_price(catalog: &Catalog, operation: &str) -> i64 {
    let operation = catalog.operations.get(operation).expect("an operation");
    operation
        .prices
        .iter()
        .find(|price| price.asset == "RUB")
        .expect("a price in roubles")
        .amount
}

#[test]
fn the_least_catalog_has_the_defaults() {
    let Parsed { catalog, overrides } = accept("schema = 1\nbook = 'b'", &[("HOME", "/root")]);
    let expected = Catalog {
        book: "b".to_owned(),
        time_zone: "Europe/Moscow".to_owned(),
        open_on_first_use: true,
        metadata_keys: [].into(),
        assets: [].into(),
        grants_on_opening: [].into(),
        operations: [].into(),
        top_ups: [].into(),
        refund_grace_us: 7 * DAY_US,
        sources: [].into(),
        reasons: [].into(),
        recurring_grants: [].into(),
        limits: [].into(),
        confirm_above: [].into(),
        packages: [].into(),
        subscriptions: [].into(),
        auto_top_ups: [].into(),
        promo: PromoPolicy {
            grant_max: [].into(),
            wrong_tries_max: 5,
            wrong_tries_window_us: 3600 * SECOND_US,
        },
        referral: None,
        notices: Notices::default(),
        payment_refund: PaymentRefundPolicy::RefuseIfSpent,
    };
    assert_eq!(catalog, expected);
    assert_eq!(overrides, BTreeMap::new());
}

#[test]
fn blocks_have_their_defaults() {
    let text = "\
[[grants_on_opening]]
asset = 'FREE'
amount = 4
[operations.merge]
prices = [{ asset = 'RUB', amount = 0 }]
grants = [{ asset = 'FREE', amount = 2 }]
[top_up.RUB]
";
    let catalog = accept(&format!("{HEAD}{text}"), &[]).catalog;
    let grant = |amount, source: &str| Grant {
        asset: "FREE".into(),
        amount,
        source: source.into(),
        priority: 0,
        expires_after_us: None,
        scope: [].into(),
        funding: Funding::Granted,
    };
    assert_eq!(catalog.assets.get("FREE").expect("an asset").exponent, 0);
    assert_eq!(catalog.grants_on_opening, [grant(4, "WELCOME")]);
    let merge = catalog.operations.get("merge").expect("an operation");
    assert_eq!(merge.grants, [grant(2, "OPERATION")]);
    assert_eq!(merge.quantity_max, 1000);
    assert_eq!(merge.hold_duration_us, 900 * SECOND_US);
    assert_eq!(merge.overrun, OverrunPolicy::Reject);
    let top_up = catalog.top_ups.get("RUB").expect("a top-up");
    assert_eq!((top_up.minimum, top_up.maximum), (5000, 10_000_000));
    assert!(top_up.presets.is_empty());
}

#[test]
fn everything_that_is_written_is_read() {
    let text = "\
time_zone = 'UTC'
open_on_first_use = false
metadata_keys = ['model', 'task_id']
refund_grace = '0s'
[assets.XP]
kind = 'points'
[assets.GEM]
kind = 'credits'
exponent = 1
[[grants_on_opening]]
asset = 'GEM'
amount = 50
source = 'GIFT'
priority = -5
expires_after = '30d'
scope = ['edit', 'draw']
[operations.merge]
prices = [{ asset = 'GEM', amount = 5 }, { asset = 'RUB', amount = 0x3e8 }]
quantity_max = 1_000
grants = [{ asset = 'XP', amount = 100, source = 'MERGE' }]
hold = { duration = '6h', overrun = 'OVERDRAW_AVAILABLE' }
[top_up.RUB]
presets = [100, 200]
minimum = 100
maximum = 200
";
    let catalog = accept(&format!("{HEAD}{text}"), &[]).catalog;
    assert_eq!(catalog.time_zone, "UTC");
    assert!(!catalog.open_on_first_use);
    assert!(catalog.metadata_keys.iter().eq(["model", "task_id"]));
    assert_eq!(catalog.refund_grace_us, 0);
    assert_eq!(
        catalog.assets.get("XP").expect("an asset").kind,
        AssetKind::Points
    );
    let gem = catalog.assets.get("GEM").expect("an asset");
    assert_eq!((gem.kind, gem.exponent), (AssetKind::Credits, 1));
    let [grant] = catalog.grants_on_opening.as_slice() else {
        panic!("one grant")
    };
    assert_eq!((grant.source.as_str(), grant.priority), ("GIFT", -5));
    assert_eq!(grant.expires_after_us, Some(30 * DAY_US));
    assert!(grant.scope.iter().eq(["draw", "edit"]));
    let merge = catalog.operations.get("merge").expect("an operation");
    let price = |asset: &str, amount| Price {
        asset: asset.into(),
        amount,
        origins: [].into(),
    };
    assert_eq!(merge.prices, [price("GEM", 5), price("RUB", 1000)]);
    assert_eq!(merge.quantity_max, 1000);
    assert_eq!(merge.grants.first().expect("a grant").source, "MERGE");
    assert_eq!(merge.hold_duration_us, 21_600 * SECOND_US);
    assert_eq!(merge.overrun, OverrunPolicy::OverdrawAvailable);
    let top_up = catalog.top_ups.get("RUB").expect("a top-up");
    assert_eq!(
        (top_up.presets.as_slice(), top_up.minimum, top_up.maximum),
        ([100, 200].as_slice(), 100, 200)
    );
}

#[test]
fn what_is_not_toml_is_refused() {
    for (text, expected) in [
        ("time_zone = \n", "line 7: not valid TOML: "),
        ("\n\ntime_zone = 'UTC\n", "line 9: not valid TOML: "),
        ("[top_up.RUB\n", "line 7: not valid TOML: "),
    ] {
        let said = refuse(&format!("{HEAD}{text}"), &[]).to_string();
        assert!(said.starts_with(expected), "{said}");
    }
    let long = format!("{HEAD}#{}", "x".repeat(300_000));
    assert_eq!(
        refuse(&long, &[]).to_string(),
        "line 1: the catalog must be 262144 bytes or less"
    );
}

#[test]
fn what_is_given_twice_is_refused() {
    check("book = 'c'", &[], &["line 7: book: given twice"]);
    check(
        "[top_up.RUB]\n[top_up.RUB]",
        &[],
        &["line 8: RUB: given twice"],
    );
    check(
        "metadata_keys = ['a', 'b', 'a']",
        &[],
        &["line 7: metadata_keys[2]: given twice"],
    );
    check(
        "operations.x.prices = [\n{ asset = 'RUB', amount = 1 },\n{ asset = 'RUB', amount = 2 }]",
        &[],
        &["line 9: operations.x.prices[1].asset: priced twice; each asset may be one alternative"],
    );
    check(
        "grants_on_opening = [{ asset = 'FREE', amount = 1, scope = ['draw', 'draw'] }]",
        &[],
        &["line 7: grants_on_opening[0].scope[1]: given twice"],
    );
}

#[test]
fn unknown_keys_are_refused() {
    check(
        "time-zone = 'UTC'",
        &[],
        &["line 7: time-zone: unknown key; did you mean time_zone?"],
    );
    check("title = 'x'", &[], &["line 7: title: unknown key"]);
    check("'a b' = 1", &[], &["line 7: \"a b\": unknown key"]);
    check(
        "[assets.XP]\nkind = 'points'\nexponents = 0",
        &[],
        &["line 9: assets.XP.exponents: unknown key; did you mean exponent?"],
    );
    check(
        "[[grants_on_opening]]\nasset = 'FREE'\namount = 1\nexpires = '1d'\nscopes = 1",
        &[],
        &[
            "line 10: grants_on_opening[0].expires: unknown key",
            "line 11: grants_on_opening[0].scopes: unknown key; did you mean scope?",
        ],
    );
    check(
        "[operations.x]\nprices = [{ asset = 'RUB', amount = 1, evn = 'P' }]\nhold = { overun = 'CAP' }",
        &[],
        &[
            "line 8: operations.x.prices[0].evn: unknown key",
            "line 9: operations.x.hold.overun: unknown key; did you mean overrun?",
        ],
    );
    check(
        "[operations.x]\nprice = 1",
        &[],
        &[
            "line 7: operations.x.prices: is required",
            "line 8: operations.x.price: unknown key; did you mean prices?",
        ],
    );
    check(
        "[top_up.RUB]\npreset = []",
        &[],
        &["line 8: top_up.RUB.preset: unknown key; did you mean presets?"],
    );
}

#[test]
fn what_is_missing_is_said() {
    let said = refuse("", &[]).to_string();
    assert_eq!(
        said,
        "line 1: schema: is required\nline 1: book: is required"
    );
    check("[assets.XP]", &[], &["line 7: assets.XP.kind: is required"]);
    check(
        "[assets.EUR]\nkind = 'money'",
        &[],
        &["line 7: assets.EUR.exponent: is required for money"],
    );
    check(
        "[[grants_on_opening]]",
        &[],
        &[
            "line 7: grants_on_opening[0].asset: is required",
            "line 7: grants_on_opening[0].amount: is required",
        ],
    );
    check(
        "[operations.x]",
        &[],
        &["line 7: operations.x.prices: is required"],
    );
    check(
        "operations.x.prices = [\n{ asset = 'RUB' }]",
        &[],
        &["line 8: operations.x.prices[0].amount: is required"],
    );
}

#[test]
fn wrong_types_are_said() {
    check(
        "open_on_first_use = 1",
        &[],
        &["line 7: open_on_first_use: must be true or false, not an integer"],
    );
    check(
        "time_zone = 1979-05-27",
        &[],
        &["line 7: time_zone: must be a string, not a datetime"],
    );
    check(
        "refund_grace = 7",
        &[],
        &["line 7: refund_grace: must be a string, not an integer"],
    );
    check(
        "metadata_keys = 'a'",
        &[],
        &["line 7: metadata_keys: must be an array, not a string"],
    );
    check(
        "metadata_keys = [\n'a',\n1]",
        &[],
        &["line 9: metadata_keys[1]: must be a string, not an integer"],
    );
    check(
        "top_up = []",
        &[],
        &["line 7: top_up: must be a table, not an array"],
    );
    check(
        "top_up.RUB = true",
        &[],
        &["line 7: top_up.RUB: must be a table, not a boolean"],
    );
    check(
        "assets.XP = 'points'",
        &[],
        &["line 7: assets.XP: must be a table, not a string"],
    );
    check(
        "grants_on_opening = { }",
        &[],
        &["line 7: grants_on_opening: must be an array, not a table"],
    );
    check(
        "operations.x.quantity_max = 1.5\noperations.x.prices = [{ asset = 'RUB', amount = 9.90 }]",
        &[],
        &[
            "line 7: operations.x.quantity_max: must be an integer, not a float",
            "line 8: operations.x.prices[0].amount: must be an integer, not a float: amounts are whole minor units",
        ],
    );
    check(
        "[top_up.RUB]\nminimum = 50.0",
        &[],
        &[
            "line 8: top_up.RUB.minimum: must be an integer, not a float: amounts are whole minor units",
        ],
    );
}

#[test]
fn every_problem_is_said_in_the_order_of_lines() {
    let text = "\
schema = 1
tme_zone = 'UTC'
refund_grace = 'week'

[top_up.RUB]
minimum = 1.5

[operations.generate]
prices = [
    { asset = 'FREE_OP', amount = 1 },
    { asset = 'RUB', amount = -1000, env = 'PRICE' },
]

[[grants_on_opening]]
asset = 'FREE_OP'
amount = 0

[assets.FREE_OP]
kind = 'allowance'

[assets.RUB]
kind = 'money'
exponent = '2'
kind = 'money'
";
    let expected = "\
line 1: book: is required
line 2: tme_zone: unknown key; did you mean time_zone?
line 3: refund_grace: must be a whole number and s, m, h or d, like \"15m\"
line 6: top_up.RUB.minimum: must be an integer, not a float: amounts are whole minor units
line 11: operations.generate.prices[1].amount: must be 0 or more
line 16: grants_on_opening[0].amount: must be 1 or more
line 23: assets.RUB.exponent: must be an integer, not a string
line 24: kind: given twice";
    let problems = refuse(text, &[]);
    assert_eq!(problems.to_string(), expected);
    let first = problems.as_slice().first().expect("a problem");
    assert_eq!(
        (first.line, first.path.as_str(), first.message.as_str()),
        (1, "book", "is required")
    );
}

#[test]
fn variables_that_are_wrong_are_named_and_not_shown() {
    let text = "operations.x.prices = [{ asset = 'RUB', amount = 1000,\nenv = 'PRICE' }]";
    let malformed = "line 8: operations.x.prices[0].env: PRICE must be plain digits, with a point before a fraction";
    for value in ["", "1e3", "-1", "9,90", "ten", " 10"] {
        check(text, &[("PRICE", value)], &[malformed]);
    }
    for (value, expected) in [
        (
            "9.999",
            "has more digits after the point than the asset (2)",
        ),
        ("99999999999999999999", "is too large"),
        (
            "10000000000000.01",
            "must be 1000000000000000 minor units or less",
        ),
        (
            "1000000000000.01",
            "times quantity_max (1000) must be 100000000000000000 or less",
        ),
    ] {
        check(
            text,
            &[("PRICE", value)],
            &[&format!(
                "line 8: operations.x.prices[0].env: PRICE {expected}"
            )],
        );
    }
}

#[test]
fn a_variable_does_not_hide_what_is_written_wrong() {
    check(
        "operations.x.prices = [{ asset = 'RUB', amount = -1, env = 'PRICE' }]",
        &[("PRICE", "10")],
        &["line 7: operations.x.prices[0].amount: must be 0 or more"],
    );
}

#[test]
fn no_text_makes_it_panic() {
    for (end, _) in MEDIA_LAB.char_indices() {
        let text = MEDIA_LAB.get(..end).expect("a prefix");
        drop(parse(text, &BTreeMap::new()));
        let torn = format!(
            "{text}\n]]}}'\"=.\0\u{feff}{}",
            MEDIA_LAB.get(end..).expect("a rest")
        );
        if end % 7 == 0 {
            drop(parse(&torn, &BTreeMap::new()));
        }
    }
}

#[test]
fn media_lab_says_what_its_plan_says() {
    let Parsed { catalog, overrides } = accept(MEDIA_LAB, &[]);
    assert_eq!(catalog.book, "media-lab");
    assert!(catalog.open_on_first_use);
    let rub = catalog.assets.get("RUB").expect("roubles");
    assert_eq!((rub.kind, rub.exponent), (AssetKind::Money, 2));
    let [grant] = catalog.grants_on_opening.as_slice() else {
        panic!("one grant")
    };
    assert_eq!(
        (grant.asset.as_str(), grant.amount, grant.source.as_str()),
        ("FREE_OP", 4, "WELCOME")
    );
    assert_eq!((grant.expires_after_us, grant.scope.len()), (None, 0));
    let ids = [
        "edit",
        "face_swap",
        "generate",
        "merge",
        "retouch",
        "upscale",
    ];
    assert!(catalog.operations.keys().eq(ids));
    let price = |asset: &str, amount| Price {
        asset: asset.into(),
        amount,
        origins: [].into(),
    };
    for operation in catalog.operations.values() {
        assert_eq!(operation.prices, [price("FREE_OP", 1), price("RUB", 1000)]);
        assert_eq!(operation.hold_duration_us, 900 * SECOND_US);
    }
    let top_up = catalog.top_ups.get("RUB").expect("a top-up");
    assert_eq!(top_up.presets, [10_000, 30_000, 50_000, 100_000]);
    assert_eq!((top_up.minimum, top_up.maximum), (5000, 10_000_000));
    assert_eq!(overrides, BTreeMap::new());
}

#[test]
fn media_lab_takes_the_variables_of_its_plan() {
    let plan = [
        ("PRICE_PER_OPERATION", "10"),
        ("FREE_OPERATIONS_COUNT", "4"),
        ("YOOKASSA_SECRET_KEY", "s"),
    ];
    let parsed = accept(MEDIA_LAB, &plan);
    assert_eq!(parsed.catalog, accept(MEDIA_LAB, &[]).catalog);
    assert_eq!(
        parsed.overrides,
        environment(&[
            ("PRICE_PER_OPERATION", "10"),
            ("FREE_OPERATIONS_COUNT", "4")
        ])
    );

    let cheaper = accept(MEDIA_LAB, &[("PRICE_PER_OPERATION", "9.90")]).catalog;
    for operation in [
        "generate",
        "edit",
        "merge",
        "face_swap",
        "retouch",
        "upscale",
    ] {
        assert_eq!(rub_price(&cheaper, operation), 990);
    }
    assert!(
        accept(MEDIA_LAB, &[("FREE_OPERATIONS_COUNT", "0")])
            .catalog
            .grants_on_opening
            .is_empty()
    );
    let free = accept(MEDIA_LAB, &[("PRICE_PER_OPERATION", "0")]).catalog;
    assert_eq!(rub_price(&free, "edit"), 0);

    let wrong = refuse(
        MEDIA_LAB,
        &[
            ("PRICE_PER_OPERATION", "10 ₽"),
            ("FREE_OPERATIONS_COUNT", "4.5"),
        ],
    );
    assert_eq!(wrong.iter().count(), 7);
}

#[test]
fn recorded_overrides_give_the_same_catalog() {
    let given = [
        ("PRICE_PER_OPERATION", "9.9"),
        ("FREE_OPERATIONS_COUNT", "0"),
        ("HOME", "/root"),
    ];
    let parsed = accept(MEDIA_LAB, &given);
    let replayed = parse(MEDIA_LAB, &parsed.overrides).expect("the same text");
    assert_eq!(replayed, parsed);
}
