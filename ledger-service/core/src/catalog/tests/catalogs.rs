//! Whole catalogs: those of the bots, and one that says everything.

use super::*;

#[test]
fn the_catalogs_of_the_bots_are_read() {
    let catalogs = [
        include_str!("../../../../catalogs/dream-photo.toml"),
        include_str!("../../../../catalogs/media-lab.toml"),
        include_str!("../../../../catalogs/nano-banana-image-tokens.toml"),
        include_str!("../../../../catalogs/nano-banana.toml"),
        include_str!("../../../../catalogs/spin-bot.toml"),
        include_str!("../../../../catalogs/tz-bot.toml"),
        include_str!("../../../../tests/support/catalog.toml"),
    ];
    for text in catalogs {
        accept(text, &[]);
    }
}

#[test]
fn a_catalog_of_everything_is_read() {
    let catalog = accept(WHOLE, &[]).catalog;
    assert_eq!(catalog.assets.len(), 6);
    assert_eq!(catalog.operations.len(), 2);
    assert_eq!(catalog.packages.len(), 2);
    assert_eq!(catalog.subscriptions.len(), 2);
    assert_eq!(catalog.auto_top_ups.len(), 1);
    assert_eq!(catalog.promo.grant_max.len(), 2);
    let referral = catalog.referral.expect("a referral policy");
    assert_eq!(referral.rewards.len(), 2);
    assert_eq!(catalog.payment_refund, PaymentRefundPolicy::TakeWhatIsLeft);
}

#[test]
fn no_torn_catalog_makes_it_panic() {
    for (end, _) in WHOLE.char_indices() {
        let (begin, rest) = WHOLE.split_at(end);
        drop(parse(begin, &BTreeMap::new()));
        if end % 7 == 0 {
            drop(parse(&format!("{begin}1{rest}"), &BTreeMap::new()));
        }
    }
}

#[test]
fn a_catalog_of_everything_takes_its_variables() {
    let given = [
        ("PRICE", "2"),
        ("MAX_PER_HOUR", "7"),
        ("HIGH_COST", "12"),
        ("WELCOME", "0"),
        ("DAILY", "5"),
        ("BONUS", "0"),
        ("REWARD", "4"),
        ("HOME", "/root"),
    ];
    let parsed = accept(WHOLE, &given);
    let catalog = &parsed.catalog;
    let price = |id: &str| catalog.operations[id].prices[1].amount;
    assert_eq!(price("generate"), 2);
    assert_eq!(catalog.limits["hourly"].maximum, 7);
    assert_eq!(catalog.confirm_above["TOKEN"], 12);
    assert!(catalog.grants_on_opening.is_empty());
    assert_eq!(catalog.recurring_grants["daily"].grant.amount, 5);
    assert!(catalog.packages["large"].bonuses.is_empty());
    let referral = catalog.referral.as_ref().expect("a referral policy");
    assert_eq!(referral.rewards["invited"].grant.amount, 4);
    assert_eq!(parsed.overrides, environment(&given[..7]));
    assert_eq!(parse(WHOLE, &parsed.overrides), Ok(parsed.clone()));
}
