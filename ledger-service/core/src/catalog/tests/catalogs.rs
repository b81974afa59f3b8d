//! Whole catalogs: those of the bots, and one that says everything.

use super::*;

const DOCUMENTATION: &str = include_str!("../../../../../docs/catalog.md");
const MEDIA_LAB: &str = include_str!("../../../../catalogs/media-lab.toml");
const NANO_BANANA: &str = include_str!("../../../../catalogs/nano-banana.toml");
const NANO_BANANA_IMAGE_TOKENS: &str =
    include_str!("../../../../catalogs/nano-banana-image-tokens.toml");
const SPIN_BOT: &str = include_str!("../../../../catalogs/spin-bot.toml");
const TZ_BOT: &str = include_str!("../../../../catalogs/tz-bot.toml");

#[test]
fn the_catalogs_of_the_bots_are_read() {
    let catalogs = [
        include_str!("../../../../catalogs/dream-photo.toml"),
        MEDIA_LAB,
        NANO_BANANA,
        NANO_BANANA_IMAGE_TOKENS,
        SPIN_BOT,
        TZ_BOT,
        include_str!("../../../../tests/support/catalog.toml"),
    ];
    for text in catalogs {
        accept(text, &[]);
    }
}

/// Every figure that the bots' documents give.
#[test]
fn the_catalogs_of_the_bots_say_what_their_documents_say() {
    let media_lab = accept(MEDIA_LAB, &[]).catalog;
    assert_eq!(media_lab.grants_on_opening[0].amount, 4);
    for id in [
        "generate",
        "edit",
        "merge",
        "face_swap",
        "retouch",
        "upscale",
    ] {
        assert_eq!(media_lab.operations[id].prices[0].asset, "FREE_OP");
        assert_eq!(rub_price(&media_lab, id), 1000, "{id}");
    }
    let presets = [10_000, 30_000, 50_000, 100_000];
    assert_eq!(media_lab.top_ups["RUB"].presets, presets);

    let tz_bot = accept(TZ_BOT, &[]).catalog;
    assert_eq!(tz_bot.grants_on_opening[0].amount, 1);
    for (id, price, asset, amount) in [
        ("start", 14_900, "CREDIT", 5),
        ("optimal", 39_900, "CREDIT", 20),
        ("pro", 69_900, "CREDIT", 50),
        ("unlimited", 149_900, "UNLIMITED", 1),
    ] {
        let package = &tz_bot.packages[id];
        assert_eq!(package.offer.prices["RUB"], price, "{id}");
        let grant = &package.contents[0].grant;
        assert_eq!((grant.asset.as_str(), grant.amount), (asset, amount));
    }
    assert_eq!(tz_bot.assets["UNLIMITED"].fair_use, Some(999));

    for text in [NANO_BANANA, NANO_BANANA_IMAGE_TOKENS] {
        let catalog = accept(text, &[]).catalog;
        assert_eq!(catalog.grants_on_opening[0].amount, 10);
        assert_eq!(catalog.limits["hourly"].maximum, 20);
        assert_eq!(catalog.limits["hourly"].window_us, 3600 * SECOND_US);
        assert_eq!(catalog.confirm_above["TOKEN"], 4000);
    }
    let nano_banana = accept(NANO_BANANA, &[]).catalog;
    assert_eq!(nano_banana.operations["generate"].prices[0].amount, 1);

    let spin_bot = accept(SPIN_BOT, &[]).catalog;
    assert_eq!(spin_bot.assets["XP"].levels, [0, 100, 300]);
    assert_eq!(spin_bot.operations["training"].grants[0].amount, 100);
}

#[test]
fn the_catalog_of_the_documentation_is_read() {
    let (_, rest) = DOCUMENTATION.split_once("```toml\n").expect("a catalog");
    let (text, _) = rest.split_once("```").expect("its end");
    accept(text, &[]);
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
