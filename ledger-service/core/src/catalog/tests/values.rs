//! Values that are wrong, block by block.

use super::*;

#[test]
fn wrong_heads_are_said() {
    let said = refuse("schema = 2\nbook = 'My Book'", &[]).to_string();
    assert_eq!(
        said,
        "line 1: schema: must be 1\n\
         line 2: book: must be 1 to 63 small letters, digits and dashes, not beginning with a dash"
    );
    check(
        "time_zone = 'Europe/Moskow'",
        &[],
        &["line 7: time_zone: must be UTC or a zone like Europe/Moscow"],
    );
    check(
        "time_zone = 'Moscow'",
        &[],
        &["line 7: time_zone: must be UTC or a zone like Europe/Moscow"],
    );
    check(
        "metadata_keys = ['taskId']",
        &[],
        &[
            "line 7: metadata_keys[0]: must be 1 to 63 small letters, digits and _, beginning with a letter",
        ],
    );
    let keys: Vec<String> = (0..65).map(|index| format!("'k{index}'")).collect();
    let text = format!("metadata_keys = [{}]", keys.join(", "));
    check(
        &text,
        &[],
        &["line 7: metadata_keys: must have 64 items or less"],
    );
    let form = "line 7: refund_grace: must be a whole number and s, m, h or d, like \"15m\"";
    check("refund_grace = '1w'", &[], &[form]);
    check("refund_grace = '-1d'", &[], &[form]);
    check(
        "refund_grace = '3651d'",
        &[],
        &["line 7: refund_grace: must be 3650d or less"],
    );
}

#[test]
fn wrong_assets_are_said() {
    check(
        "assets.eur = { kind = 'points' }",
        &[],
        &[
            "line 7: assets.eur: must be 1 to 31 capital letters, digits and _, beginning with a letter",
        ],
    );
    check(
        "assets.XP = { kind = 'Points' }",
        &[],
        &["line 7: assets.XP.kind: must be one of money, credits, allowance, points, pass, badge"],
    );
    check(
        "assets.XP = { kind = 'points', exponent = 10 }",
        &[],
        &["line 7: assets.XP.exponent: must be 9 or less"],
    );
    check(
        "assets.XP = { kind = 'points', exponent = -1 }",
        &[],
        &["line 7: assets.XP.exponent: must be 0 or more"],
    );
    // The gateway sends hundredths, whatever the catalog says.
    check(
        "assets.EUR = { kind = 'money', exponent = 0 }\nassets.JPY = { kind = 'money', exponent = 2 }",
        &[],
        &[
            "line 7: assets.EUR.exponent: must be 2: payments in EUR come in such units",
            "line 8: assets.JPY.exponent: must be 0: payments in JPY come in such units",
        ],
    );
    check(
        "assets.XTR = { kind = 'money', exponent = 2 }",
        &[],
        &["line 7: assets.XTR.exponent: must be 0: payments in XTR come in such units"],
    );
    // No payment could name it.
    check(
        "assets.RUBLES = { kind = 'money', exponent = 2 }",
        &[],
        &["line 7: assets.RUBLES: must be the code of a currency, 3 capital letters, for money"],
    );
    let many: Vec<String> = (0..63)
        .map(|index| format!("assets.A{index} = {{ kind = 'points' }}\n"))
        .collect();
    check(
        &many.concat(),
        &[],
        &["line 3: assets: must have 64 assets or less"],
    );
}

#[test]
fn an_asset_that_is_wrong_is_still_known() {
    check(
        "assets.EUR = { kind = 'money' }\ntop_up.EUR = { presets = [5000] }\n\
         operations.x.prices = [{ asset = 'EUR', amount = 1, env = 'P' }]",
        &[("P", "nonsense")],
        &["line 7: assets.EUR.exponent: is required for money"],
    );
}

#[test]
fn wrong_grants_are_said() {
    let grant = |line: &str| format!("[[grants_on_opening]]\nasset = 'FREE'\namount = 4\n{line}");
    for (line, expected) in [
        ("priority = 1001", "priority: must be 1000 or less"),
        ("priority = -1001", "priority: must be -1000 or more"),
        (
            "source = 'w'",
            "source: must be 1 to 63 capital letters, digits and _, beginning with a letter",
        ),
        ("expires_after = '0d'", "expires_after: must be 1s or more"),
        (
            "expires_after = '99999d'",
            "expires_after: must be 3650d or less",
        ),
        (
            "env = 'free'",
            "env: must be 1 to 64 capital letters, digits and _, beginning with a letter",
        ),
        ("scope = []", "scope: must have 1 to 256 items"),
        (
            "scope = ['drow']",
            "scope[0]: no such operation; did you mean draw?",
        ),
        ("scope = ['fly']", "scope[0]: no such operation"),
    ] {
        check(
            &grant(line),
            &[],
            &[&format!("line 10: grants_on_opening[0].{expected}")],
        );
    }
    for (amount, expected) in [
        ("0", "must be 1 or more"),
        ("-1", "must be 1 or more"),
        ("-99999999999999999999", "must be 1 or more"),
        ("1_000_000_000_000_001", "must be 1000000000000000 or less"),
        ("99999999999999999999", "must be 1000000000000000 or less"),
    ] {
        let text = format!("[[grants_on_opening]]\nasset = 'FREE'\namount = {amount}");
        check(
            &text,
            &[],
            &[&format!("line 9: grants_on_opening[0].amount: {expected}")],
        );
    }
    check(
        "grants_on_opening = [{ asset = 'FREEE', amount = 1 }]",
        &[],
        &["line 7: grants_on_opening[0].asset: no such asset; did you mean FREE?"],
    );
    let many = "[[grants_on_opening]]\nasset = 'FREE'\namount = 1\n".repeat(17);
    check(
        &many,
        &[],
        &["line 7: grants_on_opening: must have 16 items or less"],
    );
}

#[test]
fn wrong_operations_are_said() {
    let price = "prices = [{ asset = 'RUB', amount = 1 }]";
    let operation = |line: &str| format!("[operations.x]\n{price}\n{line}");
    for (line, expected) in [
        ("quantity_max = 0", "quantity_max: must be 1 or more"),
        (
            "quantity_max = 1000001",
            "quantity_max: must be 1000000 or less",
        ),
        ("hold.duration = '0s'", "hold.duration: must be 1s or more"),
        (
            "hold.duration = '31d'",
            "hold.duration: must be 30d or less",
        ),
        (
            "hold.overrun = 'IGNORE'",
            "hold.overrun: must be one of REJECT, CAP, OVERDRAW_AVAILABLE",
        ),
        (
            "grants = [{ asset = 'XP', amount = 1 }]",
            "grants[0].asset: no such asset",
        ),
        (
            "grants = [{ asset = 'FREE', amount = 100_000_000_000_001 }]",
            "grants[0].amount: times quantity_max (1000) must be 100000000000000000 or less",
        ),
    ] {
        check(
            &operation(line),
            &[],
            &[&format!("line 9: operations.x.{expected}")],
        );
    }
    for (prices, expected) in [
        ("[]", "prices: must have 1 to 8 items"),
        (
            "[{ asset = 'RUB', amount = -1 }]",
            "prices[0].amount: must be 0 or more",
        ),
        (
            "[{ asset = 'RUBB', amount = 1 }]",
            "prices[0].asset: no such asset; did you mean RUB?",
        ),
        (
            "[{ asset = 'RUB', amount = 100_000_000_000_001 }]",
            "prices[0].amount: times quantity_max (1000) must be 100000000000000000 or less",
        ),
    ] {
        check(
            &format!("[operations.x]\nprices = {prices}"),
            &[],
            &[&format!("line 8: operations.x.{expected}")],
        );
    }
    check(
        &format!("[operations.'face-swap']\n{price}"),
        &[],
        &[
            "line 7: operations.face-swap: must be 1 to 63 small letters, digits and _, beginning with a letter",
        ],
    );
    let many: Vec<String> = (0..255)
        .map(|index| format!("[operations.x{index}]\n{price}\n"))
        .collect();
    check(
        &many.concat(),
        &[],
        &["line 5: operations: must have 256 operations or less"],
    );
}

#[test]
fn wrong_top_ups_are_said() {
    let top_up = |line: &str| format!("[top_up.RUB]\n{line}");
    for (line, expected) in [
        ("minimum = 0", "minimum: must be 1 or more"),
        (
            "maximum = 1_000_000_000_000_001",
            "maximum: must be 1000000000000000 or less",
        ),
        (
            "maximum = 4999",
            "maximum: the minimum (5000) is above the maximum (4999)",
        ),
        (
            "minimum = 10_000_001",
            "minimum: the minimum (10000001) is above the maximum (10000000)",
        ),
        ("presets = [4999]", "presets[0]: must be 5000 or more"),
        (
            "presets = [10_000_001]",
            "presets[0]: must be 10000000 or less",
        ),
        (
            "presets = [6000, 5000]",
            "presets[1]: must be more than the preset before it",
        ),
        (
            "presets = [5000, 5000]",
            "presets[1]: must be more than the preset before it",
        ),
        (
            "presets = [1,2,3,4,5,6,7,8,9,10,11,12,13]",
            "presets: must have 12 items or less",
        ),
    ] {
        check(
            &top_up(line),
            &[],
            &[&format!("line 8: top_up.RUB.{expected}")],
        );
    }
    check(
        "[top_up.FREE]",
        &[],
        &["line 7: top_up.FREE: must be an asset of kind money"],
    );
    check(
        "[top_up.RUR]",
        &[],
        &["line 7: top_up.RUR: no such asset; did you mean RUB?"],
    );
}
