//! What brings users and keeps them: read, and refused where it is wrong.

use super::*;
use crate::catalog::{ReferralParty, ReferralTrigger};

const HOUR_US: i64 = 3600 * SECOND_US;

/// More assets to name in refusals.
const ASSETS: &str = "assets.PASS = { kind = 'pass' }\nassets.BADGE = { kind = 'badge' }\n";

/// The text after [`HEAD`] and [`ASSETS`] has one problem, at line 9.
#[track_caller]
fn refuse_line(text: &str, expected: &str) {
    let expected = format!("line 9: {expected}");
    check(&format!("{ASSETS}{text}"), &[], &[&expected]);
}

#[test]
fn growth_is_read() {
    let catalog = accept(WHOLE, &[]).catalog;
    let grant_max = [("FREE_OP".into(), 10), ("UNLIMITED".into(), 1)];
    assert_eq!(catalog.promo.grant_max, grant_max.into());
    assert_eq!(catalog.promo.wrong_tries_max, 7);
    assert_eq!(catalog.promo.wrong_tries_window_us, 2 * HOUR_US);
    assert_eq!(catalog.notices.expiry_before_us, [7 * DAY_US, DAY_US]);
    let low_balance = [("TOKEN".into(), 3), ("RUB".into(), 2000)];
    assert_eq!(catalog.notices.low_balance, low_balance.into());

    let referral = catalog.referral.expect("a referral policy");
    assert_eq!(referral.attribution_us, DAY_US);
    let invited = &referral.rewards["invited"];
    assert_eq!(invited.on, ReferralTrigger::FirstPayment);
    assert_eq!(invited.to, ReferralParty::Referrer);
    assert_eq!((invited.grant.amount, invited.share_bp), (3, None));
    assert_eq!((invited.per_day, invited.total), (Some(10), Some(100)));
    assert_eq!(invited.hold_us, 3 * DAY_US);
    assert_eq!(invited.grant.source, "INVITED");
    assert_eq!(invited.grant.priority, 2);
    assert_eq!(invited.grant.expires_after_us, Some(30 * DAY_US));
    assert_eq!(invited.grant.scope, ["generate".into()].into());
    let shared = &referral.rewards["shared"];
    assert_eq!(shared.on, ReferralTrigger::EachPayment);
    assert_eq!(shared.to, ReferralParty::Referred);
    assert_eq!((shared.grant.amount, shared.share_bp), (0, Some(1250)));
    assert_eq!(shared.grant.asset, "RUB");
}

#[test]
fn growth_has_its_defaults() {
    let text = "\
promo = {}
notices = {}
[referral.rewards.r]
on = 'opened'
to = 'referred'
asset = 'FREE'
amount = 1
";
    let catalog = accept(&format!("{HEAD}{text}"), &[]).catalog;
    assert_eq!(catalog.promo, PromoPolicy::default());
    assert_eq!(catalog.notices, Notices::default());
    let referral = catalog.referral.expect("a referral policy");
    assert_eq!(referral.attribution_us, 0);
    let reward = &referral.rewards["r"];
    assert_eq!((reward.per_day, reward.total), (None, None));
    assert_eq!((reward.hold_us, reward.share_bp), (0, None));
    assert_eq!(reward.grant.source, "REFERRAL");
    assert_eq!(reward.grant.funding, Funding::Granted);

    let half = format!("{HEAD}promo.wrong_tries.maximum = 50\n[referral]");
    let catalog = accept(&half, &[]).catalog;
    assert_eq!(catalog.promo.wrong_tries_max, 50);
    assert_eq!(catalog.promo.wrong_tries_window_us, HOUR_US);
    let referral = catalog.referral.expect("a referral policy");
    assert!(referral.rewards.is_empty());
}

#[test]
fn a_reward_of_nothing_is_no_reward() {
    let reward = "{ on = 'opened', to = 'referred', asset = 'FREE', amount = 1, env = 'N' }";
    let text = format!("{HEAD}referral.rewards.r = {reward}");
    let catalog = accept(&text, &[("N", "0")]).catalog;
    let referral = catalog.referral.expect("a referral policy");
    assert!(referral.rewards.is_empty());
}

#[test]
fn wrong_refund_policies_are_said() {
    refuse_line(
        "payment_refund = 'yes'",
        "payment_refund: must be one of refuse_if_spent, take_what_is_left, leave_deficit",
    );
}

#[test]
fn wrong_promo_policies_are_said() {
    for (promo, expected) in [
        ("grants = {}", "grants: unknown key"),
        (
            "grant_max = { FREE = 0 }",
            "grant_max.FREE: must be 1 or more",
        ),
        (
            "grant_max = { FRE = 1 }",
            "grant_max.FRE: no such asset; did you mean FREE?",
        ),
        (
            "grant_max = { PASS = 2 }",
            "grant_max.PASS: must be 1 or less",
        ),
        (
            "grant_max = { BADGE = 2 }",
            "grant_max.BADGE: must be 1 or less",
        ),
        (
            "wrong_tries.maximum = 0",
            "wrong_tries.maximum: must be 1 or more",
        ),
        (
            "wrong_tries.maximum = 51",
            "wrong_tries.maximum: must be 50 or less",
        ),
        (
            "wrong_tries.window = '0s'",
            "wrong_tries.window: must be 1s or more",
        ),
        (
            "wrong_tries.window = '32d'",
            "wrong_tries.window: must be 31d or less",
        ),
    ] {
        refuse_line(
            &format!("promo = {{ {promo} }}"),
            &format!("promo.{expected}"),
        );
    }
}

#[test]
fn wrong_rewards_are_said() {
    let share = "must be 0.01% to 100% with two digits after the point or less, like \"10%\"";
    for (reward, expected) in [
        (
            "on = 'opened', asset = 'FREE', amount = 1",
            "to: is required",
        ),
        (
            "to = 'referrer', asset = 'FREE', amount = 1",
            "on: is required",
        ),
        (
            "on = 'invited', to = 'referrer', asset = 'FREE', amount = 1",
            "on: must be one of opened, first_operation, first_payment, each_payment",
        ),
        (
            "on = 'opened', to = 'friend', asset = 'FREE', amount = 1",
            "to: must be one of referrer, referred",
        ),
        (
            "on = 'opened', to = 'referrer', asset = 'FREE'",
            "amount: is required",
        ),
        (
            "on = 'each_payment', to = 'referrer', asset = 'RUB', amount = 1, share = '1%'",
            "amount: a share is given instead of an amount",
        ),
        (
            "on = 'each_payment', to = 'referrer', asset = 'FREE', share = '1%'",
            "asset: must be an asset of kind money: it is a share of money",
        ),
        (
            "on = 'first_operation', to = 'referrer', asset = 'RUB', share = '1%'",
            "share: only of first_payment or each_payment: nothing else has a price to share",
        ),
        (
            "on = 'each_payment', to = 'referrer', asset = 'RUB', share = '0.001%'",
            format!("share: {share}").as_str(),
        ),
        (
            "on = 'each_payment', to = 'referrer', asset = 'RUB', share = 10",
            "share: must be a string, not an integer",
        ),
        (
            "on = 'opened', to = 'referrer', asset = 'FREE', amount = 1, per_day = 0",
            "per_day: must be 1 or more",
        ),
        (
            "on = 'opened', to = 'referrer', asset = 'FREE', amount = 1, total = 0",
            "total: must be 1 or more",
        ),
        (
            "on = 'opened', to = 'referrer', asset = 'FREE', amount = 1, hold = 3",
            "hold: must be a string, not an integer",
        ),
        (
            "on = 'opened', to = 'referrer', asset = 'PASS'",
            "expires_after: is required for a pass",
        ),
        (
            "on = 'opened', to = 'referrer', asset = 'BADGE', scope = ['draw']",
            "scope: a badge pays for nothing, so it has no scope",
        ),
    ] {
        refuse_line(
            &format!("referral.rewards.r = {{ {reward} }}"),
            &format!("referral.rewards.r.{expected}"),
        );
    }
}

#[test]
fn wrong_referral_policies_are_said() {
    refuse_line(
        "referral.attribution = '91d'",
        "referral.attribution: must be 90d or less",
    );
    refuse_line(
        "referral.reward = {}",
        "referral.reward: unknown key; did you mean rewards?",
    );
    let reward = "{ on = 'opened', to = 'referrer', asset = 'FREE', amount = 1 }";
    refuse_line(
        &format!("referral.rewards.Friend = {reward}"),
        "referral.rewards.Friend: must be 1 to 63 small letters, digits and _, beginning with a letter",
    );
    let many: Vec<String> = (0..17)
        .map(|index| format!("referral.rewards.r{index} = {reward}\n"))
        .collect();
    refuse_line(
        &many.concat(),
        "referral.rewards: must have 16 rewards or less",
    );
}

#[test]
fn wrong_notices_are_said() {
    let counted = "must be an asset of which there is more or less, not a pass or a badge";
    for (notices, expected) in [
        (
            "expiry_before = ['1d', '7d']",
            "expiry_before[1]: must be less than the duration before it",
        ),
        (
            "expiry_before = '1d'",
            "expiry_before: must be an array, not a string",
        ),
        (
            "low_balance = { RUB = 0 }",
            "low_balance.RUB: must be 1 or more",
        ),
        (
            "low_balance = { RUR = 1 }",
            "low_balance.RUR: no such asset; did you mean RUB?",
        ),
        (
            "low_balance = { PASS = 1 }",
            format!("low_balance.PASS: {counted}").as_str(),
        ),
    ] {
        refuse_line(
            &format!("notices = {{ {notices} }}"),
            &format!("notices.{expected}"),
        );
    }
}
