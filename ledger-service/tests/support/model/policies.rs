//! What is asked for to see policy at work: orders with attributes, passes,
//! badges, and catalogs with other rules.

use std::collections::BTreeMap;

use ledger_core::{
    Command, Event, Name, Payload,
    account::Funding,
    catalog::Attributes,
    command::{
        Adjust, AssetAmount, CaptureHold, Change, Charge, Credit, PlaceHold, Refund, ReleaseHold,
        Target, Transfer,
    },
};
use rand::{Rng as _, seq::IndexedRandom as _};

use super::{
    generate::Generator,
    periods::{ZONES, zone_of_midnight},
    scripts,
};

/// What an account has when it was just opened.
pub(crate) const AT_OPENING: [(&str, i64); 5] = [
    ("FREE_OP", 2),
    ("CREDIT", 5),
    ("TOKEN", 5),
    ("CLUB", 1),
    ("PIONEER", 1),
];

/// Passes and badges.
const MARKS: [&str; 5] = ["CLUB", "CLUB", "VIP", "PIONEER", "ARTIST"];

/// A command about policy.
pub(crate) fn random(generator: &mut Generator) -> Command {
    match generator.random.random_range(0..100) {
        0..50 => Command::Charge(order(generator)),
        50..76 => hold(generator),
        76..88 => mark(generator),
        88..95 => {
            let asset = mark_name(generator);
            let delta = if generator.random.random_bool(0.5) {
                1
            } else {
                -1
            };
            let change = Change::Delta(delta);
            Command::Adjust(Adjust { asset, change })
        }
        _ => Command::Transfer(Transfer {
            destination_account: generator.account(),
            asset: mark_name(generator),
            amount: 1,
        }),
    }
}

fn mark_name(generator: &mut Generator) -> Name {
    MARKS[generator.random.random_range(0..MARKS.len())].into()
}

fn order(generator: &mut Generator) -> Charge {
    let mark = mark_name(generator);
    let random = &mut generator.random;
    let operation = match random.random_range(0..100) {
        0..66 => "draw",
        66..76 => "join",
        76..84 => "show",
        84..95 => "export",
        95..97 => "print",
        _ => "look",
    };
    let quantity = match random.random_range(0..10) {
        0..6 => 1,
        6..9 => random.random_range(1..=3),
        _ => random.random_range(4..=10),
    };
    let mut charge = Charge {
        operation: Some(operation.into()),
        quantity,
        explicit_price: None,
        max_price: None,
        attributes: attributes(operation, random),
        confirmed: random.random_bool(0.6),
    };
    let amount_of = |asset: &str, amount: i64| {
        let asset = asset.into();
        Some(AssetAmount { asset, amount })
    };
    match random.random_range(0..100) {
        0..4 => charge.explicit_price = amount_of(&mark, 0),
        4..8 => charge.explicit_price = amount_of("XP", random.random_range(0..200)),
        8 => (charge.operation, charge.explicit_price) = (None, amount_of("RUB", 1)),
        9 => charge.operation = None,
        10..14 => charge.max_price = amount_of("CLUB", 0),
        14..20 => charge.max_price = amount_of("TOKEN", quantity),
        20..24 => charge.max_price = amount_of("RUB", 30 * quantity),
        24 => charge.max_price = amount_of("GOLD", 1),
        _ => {}
    }
    charge
}

/// What is said of an operation: mostly what may be said.
fn attributes(operation: &str, random: &mut impl rand::Rng) -> Attributes {
    let mut attributes = BTreeMap::new();
    let mut say = |attribute: &str, value: &str| {
        attributes.insert(attribute.into(), value.into());
    };
    if operation != "draw" {
        if random.random_bool(0.03) {
            say("quality", "low");
        }
        return attributes;
    }
    match random.random_range(0..100) {
        0..45 => say("quality", "low"),
        45..65 => say("quality", "medium"),
        65..92 => say("quality", "high"),
        92..95 => say("quality", "ultra"),
        _ => {}
    }
    match random.random_range(0..100) {
        0..25 => say("model", "large"),
        25..50 => say("model", "small"),
        50..52 => say("size", "large"),
        _ => {}
    }
    attributes
}

fn hold(generator: &mut Generator) -> Command {
    let charge = order(generator);
    let random = &mut generator.random;
    let durations = [None, Some(5_000), Some(50_000), Some(400_000)];
    Command::PlaceHold(PlaceHold {
        operation: charge.operation,
        quantity: charge.quantity,
        explicit_price: charge.explicit_price,
        max_price: charge.max_price,
        duration: durations[random.random_range(0..4)],
        overrun_policy: None,
        attributes: charge.attributes,
        confirmed: charge.confirmed,
    })
}

/// A pass of a moment, or a badge.
fn mark(generator: &mut Generator) -> Command {
    let asset = mark_name(generator);
    let random = &mut generator.random;
    let end = generator.now.0 + random.random_range(200_000..4_000_000);
    let is_pass = matches!(asset.as_str(), "CLUB" | "VIP");
    let scopes: [&[&str]; 3] = [&[], &["draw"], &["export", "join"]];
    let scope = scopes[random.random_range(0..3)];
    Command::Credit(Credit {
        asset,
        amount: if random.random_bool(0.1) { 2 } else { 1 },
        funding: Funding::Granted,
        source: "GIFT".into(),
        priority: random.random_range(-1..=1),
        // Round, so that some are alike.
        lot_expire_time: is_pass.then_some(ledger_core::Timestamp(end / 500_000 * 500_000)),
        scope: scope.iter().copied().map(Name::from).collect(),
        cost_basis: None,
    })
}

/// A story in an account of its own: of a pass that pays for a hold which is
/// captured too late or given up, of a place in a limit that comes back, or of
/// a badge that is taken away and granted again.
pub(crate) fn story(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:p{}", generator.counter).into();
    match generator.random.random_range(0..4) {
        0 => pass_of_a_hold(generator, &account, true),
        1 => pass_of_a_hold(generator, &account, false),
        2 => {
            // As much as the limit lets through, and one more.
            let full = generator.request_for(&account, held(9, "low", "RUB"));
            let hold = Target::Request(full.request_id.unwrap());
            generator.later.push_back(full);
            scripts::later(generator, &account, held(1, "low", "RUB"));
            let release = Command::ReleaseHold(ReleaseHold { hold });
            scripts::later(generator, &account, release);
            scripts::later(generator, &account, held(1, "low", "RUB"));
        }
        _ => {
            for delta in [-1, 1, 1, -1] {
                let change = Change::Delta(delta);
                let asset = "PIONEER".into();
                let adjust = Command::Adjust(Adjust { asset, change });
                scripts::later(generator, &account, adjust);
            }
        }
    }
    let funds = Command::Credit(Credit {
        asset: "RUB".into(),
        amount: 1_000,
        funding: Funding::Purchased,
        source: "TEST".into(),
        priority: 0,
        lot_expire_time: None,
        scope: Vec::new(),
        cost_basis: None,
    });
    (account, funds)
}

fn pass_of_a_hold(generator: &mut Generator, account: &str, is_late: bool) {
    let mut pass = mark(generator);
    if let Command::Credit(credit) = &mut pass {
        (credit.asset, credit.amount) = ("CLUB".into(), 1);
        (credit.lot_expire_time, credit.scope) = (None, Vec::new());
    }
    scripts::later(generator, account, pass);
    let mut hold = held(2, "medium", "CLUB");
    if let Command::PlaceHold(place) = &mut hold {
        place.duration = Some(1_000).filter(|_| is_late);
    }
    let held = generator.request_for(account, hold);
    let hold = Target::Request(held.request_id.unwrap());
    generator.later.push_back(held);
    let end = match is_late {
        true => Command::CaptureHold(CaptureHold {
            hold,
            amount: None,
            keep_open: false,
        }),
        false => Command::ReleaseHold(ReleaseHold { hold }),
    };
    let end = generator.request_for(account, end);
    let charge = Target::Request(end.request_id.unwrap());
    let amount = None;
    let refund = generator.request_for(account, Command::Refund(Refund { charge, amount }));
    let much_later = &mut generator.much_later;
    much_later.extend([end, refund]);
}

/// A hold of so many drawings, which may cost this or what comes before it.
fn held(quantity: i64, quality: &str, most: &str) -> Command {
    Command::PlaceHold(PlaceHold {
        operation: Some("draw".into()),
        quantity,
        explicit_price: None,
        max_price: Some(AssetAmount {
            asset: most.into(),
            amount: 30 * quantity,
        }),
        duration: Some(20_000_000),
        overrun_policy: None,
        attributes: [("quality".into(), quality.into())].into(),
        confirmed: true,
    })
}

/// The catalog with another zone, or with one of its rules changed.
pub(crate) fn changed(generator: &mut Generator, text: &str) -> String {
    let now = generator.now;
    let random = &mut generator.random;
    let zone = match random.random_range(0..10) {
        0..3 => "UTC",
        3..8 => zone_of_midnight(now),
        _ => ZONES.choose(random).unwrap().0,
    };
    let text = text.replace("time_zone = \"UTC\"", &format!("time_zone = \"{zone}\""));
    let (from, to) = match random.random_range(0..20) {
        0 => ("fair_use = 5", "fair_use = 2"),
        1 => ("[0, 20, 100, 500, 3000]", "[0, 10, 11, 200]"),
        2 => ("maximum = 9", "maximum = 4"),
        3 => ("\"1s\"\ncounts", "\"2s\"\ncounts"),
        4 => ("counts = \"completed\"", "counts = \"accepted\""),
        // Is not the one that everybody has got.
        5 => ("recurring_grants.daily", "recurring_grants.extra"),
        6 => (
            "refused = true",
            "prices = [{ asset = \"RUB\", amount = 10 }]",
        ),
        7 => ("amount = 4\n", "amount = 1\n"),
        8 => ("maximum = 60", "maximum = 20"),
        _ => return text,
    };
    assert!(text.contains(from), "the catalog has no {from}");
    text.replacen(from, to, 1)
}

/// A version that has to be in force, for one catalog of some.
pub(crate) fn expected_version(generator: &mut Generator) -> Option<u64> {
    match generator.random.random_range(0..10) {
        0 => Some(generator.catalog_version),
        1..3 => Some(generator.random.random_range(0..3)),
        _ => None,
    }
}

/// Learns what is in force.
pub(crate) fn learn(generator: &mut Generator, event: &Event) {
    if let Payload::CatalogApplied(applied) = &event.payload {
        generator.catalog_version = applied.catalog_version;
    }
}
