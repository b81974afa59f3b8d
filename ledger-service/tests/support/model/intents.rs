//! What is asked for: every command, in ways that succeed and in ways that are
//! refused.

use ledger_core::{
    Command, Money, Name,
    account::Funding,
    catalog::OverrunPolicy,
    command::{
        Adjust, AssetAmount, BlockAccount, CaptureHold, Change, Charge, CloseAccount, Credit,
        ExtendHold, OpenAccount, PlaceHold, Refund, ReleaseHold, Sweep, Target, Transfer,
        UnblockAccount,
    },
    event::HOUSE,
};
use rand::{Rng as _, seq::IndexedRandom as _};

use super::{CATALOG, generate::Generator, policies, scripts, subscribing};
use crate::support::ask::{apply, take};

const DAY_US: i64 = 86_400_000_000;

/// An account and a command for it.
pub(crate) fn random(generator: &mut Generator) -> (Name, Command) {
    match generator.random.random_range(0..1_000) {
        0..10 => whale(),
        10..30 => hoard(generator),
        30..32 => {
            let available = generator.known.get(&("tg:hoard".into(), "CREDIT".into()));
            let expected = available.copied().unwrap_or(0);
            // Rarely, or it would never be full.
            let wanted = if generator.random.random_bool(0.02) {
                0
            } else {
                expected
            };
            ("tg:hoard".into(), set_to("CREDIT", wanted, expected))
        }
        32..44 => (HOUSE.into(), catalog(generator)),
        44..54 => {
            // An account of its own that is emptied, closed and asked again.
            let account = format!("tg:s{}", generator.counter);
            let empty = policies::AT_OPENING.map(|(asset, amount)| set_to(asset, 0, amount));
            let close = Command::CloseAccount(CloseAccount {});
            let after = [
                close,
                credit("RUB", 5),
                Command::OpenAccount(OpenAccount {}),
            ];
            for command in empty.into_iter().chain(after) {
                let request = generator.request_for(&account, command);
                generator.later.push_back(request);
            }
            (account.into(), Command::OpenAccount(OpenAccount {}))
        }
        54..59 => {
            let ghost = format!("tg:ghost{}", generator.counter);
            (ghost.into(), Command::CloseAccount(CloseAccount {}))
        }
        59..69 => {
            let account = generator.account();
            let unblock = Command::UnblockAccount(UnblockAccount {});
            let request = generator.request_for(&account, unblock);
            generator.later.push_back(request);
            (account, Command::BlockAccount(BlockAccount {}))
        }
        69..149 => about_a_hold(generator),
        149..220 => about_a_charge(generator),
        220..430 => super::payments::random(generator),
        430 => scripts::many_refunds(generator),
        431 => scripts::debtor(generator),
        432 => scripts::collector(generator),
        433..440 => scripts::holder(generator),
        440..442 => scripts::leaver(generator),
        442..444 => subscribing::gatherer(generator),
        444 => subscribing::goer(generator),
        445..448 => subscribing::saver(generator),
        448..450 => subscribing::queuer(generator),
        450..560 => subscribing::random(generator),
        560..564 => policies::story(generator),
        564..577 => {
            let amount = generator.random.random_range(1..8);
            ("tg:heap".into(), take("CREDIT", amount))
        }
        _ => {
            let account = generator.account();
            let command = random_command(generator, &account);
            (account, command)
        }
    }
}

/// The most that one credit may bring.
pub(crate) fn whale() -> (Name, Command) {
    ("tg:whale".into(), credit("RUB", 1_000_000_000_000_000))
}

/// A lot that is not like others.
pub(crate) fn hoard(generator: &mut Generator) -> (Name, Command) {
    let mut command = credit("CREDIT", 1);
    if let Command::Credit(credit) = &mut command {
        credit.priority = generator.random.random_range(-500..500);
    }
    ("tg:hoard".into(), command)
}

/// A lot that is not like others, of what nothing is paid with.
pub(crate) fn heaped(number: i32) -> Command {
    let mut command = credit("XP", 1);
    if let Command::Credit(credit) = &mut command {
        credit.priority = number;
    }
    command
}

/// A command that any account may be asked for.
pub(crate) fn random_command(generator: &mut Generator, account: &str) -> Command {
    match generator.random.random_range(0..1_000) {
        0..230 => charge(generator),
        230..300 => {
            let mut command = credit("RUB", generator.random.random_range(1..5_000));
            if let Command::Credit(credit) = &mut command {
                let (currency, amount) = ("RUB", generator.random.random_range(1..5_000));
                credit.cost_basis = Some(Money {
                    currency: currency.into(),
                    amount,
                });
            }
            command
        }
        300..400 => lot(generator),
        400..424 => bad_credit(generator),
        424..560 => place_hold(generator),
        560..640 => transfer(generator, account),
        640..700 => {
            let amount = generator.random.random_range(1..400);
            let delta = if generator.random.random_bool(0.6) {
                amount
            } else {
                -amount
            };
            let asset = asset(generator);
            Command::Adjust(Adjust {
                asset,
                change: Change::Delta(delta),
            })
        }
        700..740 => {
            let asset = asset(generator);
            let known = generator
                .known
                .get(&(account.into(), asset.clone()))
                .copied();
            let expected = known.unwrap_or(0);
            let available = match generator.random.random_bool(0.3) {
                true => expected,
                false => generator.random.random_range(0..300),
            };
            set_to(&asset, available, expected)
        }
        740..780 => place_hold(generator),
        780..820 => charge(generator),
        820..850 => Command::OpenAccount(OpenAccount {}),
        850..862 => Command::UnblockAccount(UnblockAccount {}),
        862..880 => Command::CloseAccount(CloseAccount {}),
        880..900 => Command::Sweep(Sweep {}),
        _ => policies::random(generator),
    }
}

fn asset(generator: &mut Generator) -> Name {
    ["RUB", "RUB", "CREDIT", "FREE_OP", "XP"][generator.random.random_range(0..5)].into()
}

pub(crate) fn set_to(asset: &str, available: i64, expected: i64) -> Command {
    let change = Change::SetTo {
        available,
        expected,
    };
    Command::Adjust(Adjust {
        asset: asset.into(),
        change,
    })
}

fn credit(asset: &str, amount: i64) -> Command {
    Command::Credit(Credit {
        asset: asset.into(),
        amount,
        funding: Funding::Purchased,
        source: "TEST".into(),
        priority: 0,
        lot_expire_time: None,
        scope: Vec::new(),
        cost_basis: None,
    })
}

/// A given lot that ends within milliseconds or seconds, or never.
fn lot(generator: &mut Generator) -> Command {
    let random = &mut generator.random;
    let end = match random.random_range(0..4) {
        0 => None,
        1 => Some(random.random_range(20_000..60_000)),
        2 => Some(random.random_range(60_000..500_000)),
        _ => Some(random.random_range(500_000..4_000_000)),
    };
    // Round, so that some lots are alike.
    let end = end.map(|us| (generator.now.0 + us) / 20_000 * 20_000);
    let scope = match random.random_range(0..5) {
        0 => vec!["generate".into()],
        1 => vec!["edit".into(), "train".into()],
        _ => Vec::new(),
    };
    let amount = [1, 7, 100, 1_000][random.random_range(0..4)];
    let priority = random.random_range(-1..=1);
    let bought = random.random_bool(0.3);
    Command::Credit(Credit {
        asset: asset(generator),
        amount,
        funding: if bought {
            Funding::Purchased
        } else {
            Funding::Granted
        },
        source: "GIFT".into(),
        priority,
        lot_expire_time: end.map(ledger_core::Timestamp),
        scope,
        cost_basis: None,
    })
}

fn bad_credit(generator: &mut Generator) -> Command {
    let mut command = credit("RUB", 10);
    let Command::Credit(credit) = &mut command else {
        return command;
    };
    match generator.random.random_range(0..5) {
        0 => credit.scope = vec!["nothing".into()],
        1 => credit.lot_expire_time = Some(generator.now.plus_us(-1)),
        2 => credit.amount = 1_000_000_000_000_001,
        3 => credit.amount = generator.random.random_range(-5..=0),
        _ => credit.asset = "GOLD".into(),
    }
    command
}

fn amount_of(asset: &str, amount: i64) -> Option<AssetAmount> {
    Some(AssetAmount {
        asset: asset.into(),
        amount,
    })
}

fn operation(generator: &mut Generator) -> Option<Name> {
    let names = ["generate", "generate", "edit", "edit", "train", "look"];
    Some(names[generator.random.random_range(0..names.len())].into())
}

fn charge(generator: &mut Generator) -> Command {
    let operation = operation(generator);
    let asset = asset(generator);
    let random = &mut generator.random;
    let quantity = random.random_range(1..=3);
    let mut charge = Charge {
        operation,
        quantity,
        explicit_price: None,
        max_price: None,
        attributes: std::collections::BTreeMap::new(),
        confirmed: random.random_bool(0.5),
    };
    match random.random_range(0..100) {
        0..30 => {
            charge.operation = charge.operation.filter(|_| random.random_bool(0.3));
            charge.explicit_price = amount_of(&asset, random.random_range(0..300));
        }
        30..33 => charge.operation = Some("nothing".into()),
        33..36 => charge.quantity = 1_000_001,
        36..38 => charge.explicit_price = amount_of("GOLD", 1),
        38..40 => charge.explicit_price = amount_of("RUB", 1_000_000_000_000_001),
        40..50 => charge.max_price = amount_of("FREE_OP", 1),
        50..55 => charge.max_price = amount_of("RUB", 100_000),
        55..57 => charge.operation = None,
        _ => {}
    }
    Command::Charge(charge)
}

fn place_hold(generator: &mut Generator) -> Command {
    let Command::Charge(charge) = charge(generator) else {
        unreachable!()
    };
    let random = &mut generator.random;
    let duration = match random.random_range(0..10) {
        0..6 => Some(random.random_range(1_000..50_000)),
        6 => Some(31 * DAY_US).filter(|_| random.random_bool(0.2)),
        7..9 => Some(random.random_range(100_000..5_000_000)),
        _ => None,
    };
    let policies = [
        None,
        Some(OverrunPolicy::Reject),
        Some(OverrunPolicy::Cap),
        Some(OverrunPolicy::OverdrawAvailable),
    ];
    Command::PlaceHold(PlaceHold {
        operation: charge.operation,
        quantity: charge.quantity,
        explicit_price: charge.explicit_price,
        max_price: charge.max_price,
        duration,
        overrun_policy: policies[random.random_range(0..4)],
        attributes: charge.attributes,
        confirmed: charge.confirmed,
    })
}

/// One of the latest, one of any, or none at all.
fn target(generator: &mut Generator, of_holds: bool) -> (Name, Target) {
    let account = generator.account();
    let position = generator.random.random_range(1..2_000_000);
    if generator.random.random_bool(0.05) {
        return (account, Target::Position(position));
    }
    let is_mixed_up = generator.random.random_bool(0.03);
    let queue = match of_holds != is_mixed_up {
        true => &mut generator.holds,
        false => &mut generator.charges,
    };
    let known = queue.make_contiguous();
    let recent = &known[known.len().saturating_sub(20)..];
    recent
        .choose(&mut generator.random)
        .cloned()
        .unwrap_or((account, Target::Position(1)))
}

fn about_a_hold(generator: &mut Generator) -> (Name, Command) {
    let (account, hold) = target(generator, true);
    let now = generator.now;
    let random = &mut generator.random;
    let command = match random.random_range(0..100) {
        0..15 => {
            let more = random.random_range(10_000..2_000_000);
            Command::ExtendHold(ExtendHold {
                hold,
                hold_expire_time: now.plus_us(more),
            })
        }
        15..20 => {
            let end = now.plus_us(31 * DAY_US);
            Command::ExtendHold(ExtendHold {
                hold,
                hold_expire_time: end,
            })
        }
        20..26 => {
            let end = now.plus_us(-1);
            Command::ExtendHold(ExtendHold {
                hold,
                hold_expire_time: end,
            })
        }
        26..45 => Command::ReleaseHold(ReleaseHold { hold }),
        _ => {
            let amount = match random.random_range(0..4) {
                0 => Some(random.random_range(0..50)),
                1 => Some(random.random_range(50..3_000)),
                _ => None,
            };
            let keep_open = random.random_bool(0.3);
            Command::CaptureHold(CaptureHold {
                hold,
                amount,
                keep_open,
            })
        }
    };
    (account, command)
}

fn about_a_charge(generator: &mut Generator) -> (Name, Command) {
    let (account, charge) = target(generator, false);
    let amount = match generator.random.random_range(0..4) {
        0 => Some(generator.random.random_range(1..20)),
        1 => Some(generator.random.random_range(20..2_000)),
        _ => None,
    };
    (account, Command::Refund(Refund { charge, amount }))
}

fn transfer(generator: &mut Generator, account: &str) -> Command {
    let other = generator.account();
    let destination_account = match generator.random.random_range(0..20) {
        0 => account.into(),
        1 => format!("tg:ghost{}", generator.counter).into(),
        _ => other,
    };
    let asset = if generator.random.random_bool(0.8) {
        "RUB".into()
    } else {
        asset(generator)
    };
    let amount = generator.random.random_range(1..500);
    Command::Transfer(Transfer {
        destination_account,
        asset,
        amount,
    })
}

/// Another price, another grace, no opening on first use for a while, another
/// book's, or nonsense.
fn catalog(generator: &mut Generator) -> Command {
    let grace = format!(
        "refund_grace = \"{}s\"",
        generator.random.random_range(0..3)
    );
    let text = CATALOG.replace("refund_grace = \"1s\"", &grace);
    let policies = ["refuse_if_spent", "take_what_is_left", "leave_deficit"];
    let policy = policies[generator.random.random_range(0..3)];
    let text = text.replace(
        "payment_refund = \"leave_deficit\"",
        &format!("payment_refund = \"{policy}\""),
    );
    let text = match generator.random.random_range(0..15) {
        0 => {
            let back = generator.request_for(HOUSE, apply(CATALOG));
            generator.later.push_back(back);
            text.replace("open_on_first_use = true", "open_on_first_use = false")
        }
        1 => text.replace("amount = 250", "amount = 300"),
        2 => text.replace("book = \"test\"", "book = \"other\""),
        3 | 11 => text.replace("kind = \"points\"", "kind = \"dust\""),
        4 => text.replace(
            "asset = \"CREDIT\", amount = 3",
            "asset = \"CREDIT\", amount = 2",
        ),
        // What was asked for before costs and gives what it did.
        5 => text.replace("RUB = 39900", "RUB = 39901"),
        6 => text.replace("weight = 1", "weight = 4"),
        // So is what is subscribed to.
        7 => text.replace("period = \"1 day\"", "period = \"2 days\""),
        8 => text.replace("grace = \"20h\"", "grace = \"2h\""),
        9 => text.replace("RUB = 9000", "RUB = 9001"),
        10 => text.replace("subscriptions.s4", "subscriptions.s5"),
        _ => policies::changed(generator, &text),
    };
    let expected = policies::expected_version(generator);
    let mut command = apply(&text);
    if let Command::ApplyCatalog(apply) = &mut command {
        apply.expected_version = expected;
    }
    command
}
