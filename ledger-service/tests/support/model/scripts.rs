//! Stories that chance alone does not tell: each in an account of its own, step
//! by step over the next rounds.

use ledger_core::{
    Command, Name,
    command::{CaptureHold, CloseAccount, OpenAccount, Refund, RefundPayment, ReleaseHold, Target},
    payment::RefundVia,
};

use rand::Rng as _;

use super::{
    generate::Generator,
    intents::set_to,
    payments::{create_for, failed_back, heard_of, heard_of_package, said_back},
    policies::AT_OPENING,
};
use crate::support::ask::{hold, take};

/// More refunds than may run.
pub(crate) fn many_refunds(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:m{}", generator.counter).into();
    let id = format!("m-{}", generator.counter);
    let first = heard_of(&id, 20_000);
    let asked = generator.request_for(&account, first);
    let payment = Target::Request(asked.request_id.unwrap());
    generator.later.push_back(asked);
    for amount in 1..=20 {
        let refund = Command::RefundPayment(RefundPayment {
            payment,
            amount: Some(amount),
            via: RefundVia::Provider,
            document_number: None,
        });
        later(generator, &account, refund);
        if amount == 17 {
            later(generator, &account, said_back(&id, "m9", 9));
        }
    }
    (account, Command::OpenAccount(OpenAccount {}))
}

/// More debts than are told apart, some of which are settled.
pub(crate) fn debtor(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:d{}", generator.counter).into();
    let count = 20;
    let id = |index: usize, counter: u64| format!("d{index}-{counter}");
    let counter = generator.counter;
    for index in 0..count {
        later(generator, &account, heard_of(&id(index, counter), 1_000));
    }
    let spent = generator.request_for(&account, take("RUB", 1_000 * 19 + 500));
    let charge = Target::Request(spent.request_id.unwrap());
    generator.later.push_back(spent);
    for index in 0..count {
        let back = format!("back-{}", id(index, counter));
        let amount = 500 + 20 * i64::try_from(index).unwrap();
        later(
            generator,
            &account,
            said_back(&id(index, counter), &back, amount),
        );
    }
    for index in [1, 17, 18] {
        let back = format!("again-{}", id(index, counter));
        later(
            generator,
            &account,
            said_back(&id(index, counter), &back, 100),
        );
    }
    for amount in [300, 2_500, 1_700] {
        let amount = Some(amount);
        later(
            generator,
            &account,
            Command::Refund(Refund { charge, amount }),
        );
    }
    later(
        generator,
        &account,
        heard_of(&format!("d-{counter}"), 4_000),
    );
    (account, Command::OpenAccount(OpenAccount {}))
}

/// More of a package than one account may have.
pub(crate) fn collector(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:c{}", generator.counter).into();
    let id = generator.counter;
    for number in 1..=2 {
        let heard = heard_of_package("founder", &format!("c{number}-{id}"));
        later(generator, &account, heard);
    }
    // Both origins ask, and one of them sells it.
    for _ in 0..2 {
        later(generator, &account, create_for("founder"));
    }
    (account, Command::OpenAccount(OpenAccount {}))
}

/// Debts of what a hold or a refund has reserved, which then comes back.
pub(crate) fn holder(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:h{}", generator.counter).into();
    let id = format!("h-{}", generator.counter);
    let heard = generator.request_for(&account, heard_of(&id, 10_000));
    let payment = Target::Request(heard.request_id.unwrap());
    generator.later.push_back(heard);
    let ends = generator.random.random_range(0..4);
    if ends == 3 {
        let refund = Command::RefundPayment(RefundPayment {
            payment,
            amount: Some(4_000),
            via: RefundVia::Provider,
            document_number: None,
        });
        later(generator, &account, refund);
        later(generator, &account, take("RUB", 6_000));
        later(
            generator,
            &account,
            said_back(&id, &format!("{id}/1"), 6_000),
        );
        later(generator, &account, failed_back(&id, 4_000));
    } else {
        let duration = if ends == 0 { 30_000 } else { 10_000_000 };
        let held = generator.request_for(&account, hold("RUB", 6_000, duration));
        let hold = Target::Request(held.request_id.unwrap());
        generator.later.push_back(held);
        later(
            generator,
            &account,
            said_back(&id, &format!("{id}/1"), 9_000),
        );
        let end = match ends {
            1 => Command::ReleaseHold(ReleaseHold { hold }),
            2 => Command::CaptureHold(CaptureHold {
                hold,
                amount: Some(500),
                keep_open: false,
            }),
            // Time ends it.
            _ => take("RUB", 1),
        };
        let end = generator.request_for(&account, end);
        generator.much_later.push_back(end);
    }
    (account, Command::OpenAccount(OpenAccount {}))
}

/// Who has nothing left and leaves, while a refund runs that reserves nothing.
pub(crate) fn leaver(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:l{}", generator.counter).into();
    let id = format!("l-{}", generator.counter);
    let heard = generator.request_for(&account, heard_of(&id, 10_000));
    let payment = Target::Request(heard.request_id.unwrap());
    generator.later.push_back(heard);
    for (asset, amount) in AT_OPENING.into_iter().chain([("RUB", 10_000)]) {
        later(generator, &account, set_to(asset, 0, amount));
    }
    let refund = Command::RefundPayment(RefundPayment {
        payment,
        amount: None,
        via: RefundVia::Provider,
        document_number: None,
    });
    let close = || Command::CloseAccount(CloseAccount {});
    for command in [refund, close(), failed_back(&id, 10_000), close()] {
        let request = generator.request_for(&account, command);
        generator.much_later.push_back(request);
    }
    (account, Command::OpenAccount(OpenAccount {}))
}

pub(crate) fn later(generator: &mut Generator, account: &str, command: Command) {
    let request = generator.request_for(account, command);
    generator.later.push_back(request);
}
