//! What is asked for about subscriptions and automatic top-ups: bought, renewed,
//! changed, canceled, and stories of them.

use ledger_core::{
    Command, Event, Money, Name, Payload,
    command::{
        CancelSubscription, CloseAccount, CreatePayment, OpenAccount, RecordPayment, RefundPayment,
        ResumeSubscription, Sweep, Target,
    },
    payment::{PaymentStatus, Purpose, RefundVia},
};
use rand::{Rng as _, seq::IndexedRandom as _};

use super::{
    generate::Generator,
    intents::set_to,
    payments::{self, Order, create_for, heard_of, payment_id, said_back},
};
use crate::support::ask::take;

/// A subscription that somebody has started.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    account: Name,
    position: u64,
    plan: Name,
}

/// What plans cost.
const PRICES: [(&str, &str, i64); 12] = [
    ("day", "RUB", 9_000),
    ("day", "XTR", 60),
    ("week", "RUB", 15_000),
    ("queued", "RUB", 5_000),
    ("line", "RUB", 4_000),
    ("once", "RUB", 30_000),
    ("stars", "XTR", 250),
    ("long", "RUB", 90_000),
    ("s1", "RUB", 100),
    ("s2", "RUB", 100),
    ("s3", "RUB", 100),
    ("s4", "RUB", 100),
];

/// The plans that most of it is about.
const USUAL: [&str; 6] = ["day", "day", "week", "week", "queued", "line"];

/// An account and a command about a subscription.
pub(crate) fn random(generator: &mut Generator) -> (Name, Command) {
    match generator.random.random_range(0..100) {
        0..24 => (generator.account(), create(plan(generator, None), false)),
        24..42 => {
            let (account, subscription) = known(generator);
            let renewal = Purpose::Renewal { subscription };
            match generator.random.random_range(0..10) {
                // Asked for twice, or bought before that is paid.
                0..2 => {
                    later(generator, &account, create(renewal.clone(), false));
                }
                2..6 => bought_meanwhile(generator, &account, subscription),
                _ => {}
            }
            (account, create(renewal, false))
        }
        42..54 => {
            let (account, old) = known(generator);
            (account, create(plan(generator, Some(old)), false))
        }
        54..62 => {
            let (account, subscription) = known(generator);
            let cancel = Command::CancelSubscription(CancelSubscription { subscription });
            if generator.random.random_bool(0.3) {
                // Regretted at once.
                let resume = Command::ResumeSubscription(ResumeSubscription { subscription });
                let request = generator.request_for(&account, resume);
                generator.later.push_back(request);
            }
            (account, cancel)
        }
        62..70 => {
            let (account, subscription) = known(generator);
            let resume = Command::ResumeSubscription(ResumeSubscription { subscription });
            (account, resume)
        }
        70..84 => heard(generator),
        _ => (generator.account(), automatic(generator)),
    }
}

/// The plan of a subscription is bought again.
fn bought_meanwhile(generator: &mut Generator, account: &str, subscription: u64) {
    let mut known = generator.subscribed.iter();
    let Some(known) = known.find(|known| known.position == subscription) else {
        return;
    };
    let currency = if known.plan == "stars" { "XTR" } else { "RUB" };
    let purpose = purpose(&known.plan, currency, None);
    let Some(price) = price_of(generator, &purpose) else {
        return;
    };
    generator.ids += 1;
    let id = format!("p-{}", generator.ids);
    later(generator, account, heard_for(purpose, &id, price));
}

/// A subscription of somebody, or none.
fn known(generator: &mut Generator) -> (Name, u64) {
    let all = generator.subscribed.make_contiguous();
    let recent = &all[all.len().saturating_sub(12)..];
    let some = match generator.random.random_bool(0.7) {
        true => recent.choose(&mut generator.random).cloned(),
        false => all.choose(&mut generator.random).cloned(),
    };
    let account = generator.account();
    match some.filter(|_| generator.random.random_bool(0.96)) {
        Some(known) if generator.random.random_bool(0.98) => (known.account, known.position),
        Some(known) => (account, known.position),
        None => (account, generator.random.random_range(1..1_000_000)),
    }
}

fn plan(generator: &mut Generator, upgrade_of: Option<u64>) -> Purpose {
    let random = &mut generator.random;
    let (plan, currency) = match random.random_range(0..100) {
        0..60 => (USUAL[random.random_range(0..USUAL.len())], "RUB"),
        60..94 => {
            let (plan, currency, _) = PRICES[random.random_range(0..PRICES.len())];
            (plan, currency)
        }
        94..97 => ("nothing", "RUB"),
        _ => ("line", ["XTR", "USD"][random.random_range(0..2)]),
    };
    let plan = match upgrade_of {
        Some(_) if random.random_bool(0.5) => "week",
        Some(_) if random.random_bool(0.5) => "long",
        _ => plan,
    };
    purpose(plan, currency, upgrade_of)
}

fn purpose(plan: &str, currency: &str, upgrade_of: Option<u64>) -> Purpose {
    Purpose::Subscription {
        plan: plan.into(),
        currency: currency.into(),
        upgrade_of,
    }
}

fn create(purpose: Purpose, automatic: bool) -> Command {
    Command::CreatePayment(CreatePayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        purpose,
        automatic,
    })
}

/// What is bought because little is left, or is not.
fn automatic(generator: &mut Generator) -> Command {
    let random = &mut generator.random;
    let package = |package: &str, currency: &str| Purpose::Package {
        package: package.into(),
        currency: currency.into(),
    };
    let purpose = match random.random_range(0..20) {
        0 => package("mild", "XTR"),
        1 => package("optimal", "RUB"),
        2 => plan(generator, None),
        _ => package("mild", "RUB"),
    };
    create(purpose, true)
}

/// What a purpose costs, as far as anybody knows.
pub(crate) fn price_of(generator: &Generator, purpose: &Purpose) -> Option<Money> {
    let (plan, currency) = match purpose {
        Purpose::Subscription { plan, currency, .. } => (plan.clone(), currency.as_str()),
        Purpose::Renewal { subscription } => {
            let mut known = generator.subscribed.iter();
            let known = known.find(|known| known.position == *subscription)?;
            let currency = if known.plan == "stars" { "XTR" } else { "RUB" };
            (known.plan.clone(), currency)
        }
        Purpose::TopUp(_) | Purpose::Package { .. } => return None,
    };
    let mut prices = PRICES.iter();
    let found = prices.find(|price| (price.0, price.1) == (plan.as_str(), currency))?;
    Some(Money {
        currency: currency.into(),
        amount: found.2,
    })
}

/// A success that nobody has asked for.
fn heard(generator: &mut Generator) -> (Name, Command) {
    let (account, subscription) = known(generator);
    let purpose = match generator.random.random_bool(0.4) {
        true => Purpose::Renewal { subscription },
        false => plan(generator, None),
    };
    let random = &mut generator.random;
    let amount = random.random_range(-1..10_000);
    let is_off = random.random_bool(0.1);
    let other = Money {
        currency: "RUB".into(),
        amount,
    };
    let price = price_of(generator, &purpose).filter(|_| !is_off);
    generator.ids += 1;
    let id = format!("p-{}", generator.ids);
    let command = heard_for(purpose, &id, price.unwrap_or(other));
    (account, command)
}

fn heard_for(purpose: Purpose, id: &str, amount: Money) -> Command {
    let mut command = heard_of(id, 0);
    if let Command::RecordPayment(said) = &mut command {
        said.purpose = Some(purpose);
        said.amount = amount;
    }
    command
}

/// Learns of subscriptions from an event.
pub(crate) fn learn(generator: &mut Generator, event: &Event) {
    if let Payload::SubscriptionStarted(started) = &event.payload {
        generator.subscribed.push_back(Known {
            account: event.account.clone(),
            position: event.position,
            plan: started.plan.clone(),
        });
        while generator.subscribed.len() > 40 {
            generator.subscribed.pop_front();
        }
    }
    if let Payload::SubscriptionPastDue(due) = &event.payload
        && generator.random.random_bool(0.9)
    {
        let subscription = due.subscription;
        asked(generator, &event.account, Purpose::Renewal { subscription });
    }
}

/// What was asked for is often paid soon, and what renews by itself not always.
pub(crate) fn ordered(generator: &mut Generator, order: &Order) {
    if !generator.random.random_bool(0.7) {
        return;
    }
    let status = match generator.random.random_bool(0.2) {
        true => PaymentStatus::Canceled,
        false => PaymentStatus::Succeeded,
    };
    let said = Command::RecordPayment(RecordPayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        provider_ids: vec![payment_id(&order.id)],
        amount: order.amount.clone(),
        income_amount: None,
        test: false,
        status,
        payment: Some(order.target),
        purpose: None,
        cancellation_reason: None,
    });
    let request = generator.request_for(&order.account, said);
    generator.later.push_back(request);
}

fn later(generator: &mut Generator, account: &str, command: Command) -> Target {
    let request = generator.request_for(account, command);
    let target = Target::Request(request.request_id.unwrap());
    generator.later.push_back(request);
    target
}

/// Asks for a payment that is likely to be paid.
fn asked(generator: &mut Generator, account: &Name, purpose: Purpose) {
    let request = generator.request_for(account, create(purpose, false));
    let id = request.request_id.unwrap();
    payments::note(generator, account, id, &request.command);
    generator.later.push_back(request);
}

fn much_later(generator: &mut Generator, account: &str, command: Command) {
    let request = generator.request_for(account, command);
    generator.much_later.push_back(request);
}

fn back(payment: Target, amount: Option<i64>) -> Command {
    Command::RefundPayment(RefundPayment {
        payment,
        amount,
        via: RefundVia::Provider,
        document_number: None,
    })
}

/// More periods than may be paid for, of which some are paid back: begun while
/// they wait and done when they run, in part, and at once.
pub(crate) fn queuer(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:q{}", generator.counter).into();
    let plan = ["queued", "line"][generator.random.random_range(0..2)];
    let purpose = || purpose(plan, "RUB", None);
    let price = price_of(generator, &purpose()).unwrap();
    let id = |number: usize, counter: u64| format!("q{number}-{counter}");
    let counter = generator.counter;
    let mut paid = Vec::new();
    for number in 0..7 {
        let heard = heard_for(purpose(), &id(number, counter), price.clone());
        paid.push(later(generator, &account, heard));
    }
    later(generator, &account, create(purpose(), false));
    for _ in 0..3 {
        let number = generator.random.random_range(0..7);
        let amount = match generator.random.random_bool(0.5) {
            true => None,
            false => Some(generator.random.random_range(1..price.amount)),
        };
        later(generator, &account, back(paid[number], amount));
        let said = said_back(
            &id(number, counter),
            &format!("back-{counter}-{number}"),
            amount.unwrap_or(price.amount),
        );
        if generator.random.random_bool(0.5) {
            later(generator, &account, said);
        } else {
            much_later(generator, &account, said);
        }
    }
    much_later(generator, &account, Command::Sweep(Sweep {}));
    (account, Command::OpenAccount(OpenAccount {}))
}

/// More subscriptions than an account may have.
pub(crate) fn gatherer(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:g{}", generator.counter).into();
    let counter = generator.counter;
    let plans = ["s1", "s2", "s3", "s4", "day", "week", "queued", "line"];
    let bought = |plan: &str, id: String, generator: &Generator| {
        let purpose = purpose(plan, "RUB", None);
        let price = price_of(generator, &purpose).unwrap();
        heard_for(purpose, &id, price)
    };
    for plan in plans {
        let heard = bought(plan, format!("g{plan}-{counter}"), generator);
        later(generator, &account, heard);
    }
    // What takes the place of one of them may be had.
    let asked = create(purpose("long", "RUB", None), false);
    later(generator, &account, asked);
    let heard = bought("long", format!("glong-{counter}"), generator);
    later(generator, &account, heard);
    (account, Command::OpenAccount(OpenAccount {}))
}

/// Who buys by itself until the month's cap.
pub(crate) fn saver(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:a{}", generator.counter).into();
    let counter = generator.counter;
    let package = || Purpose::Package {
        package: "mild".into(),
        currency: "RUB".into(),
    };
    // Step by step: what is about a payment of the same batch waits for the next.
    for number in 0..3 {
        let asked = generator.request_for(&account, create(package(), true));
        let mut paid = heard_of(&format!("a{number}-{counter}"), 10_000);
        if let Command::RecordPayment(said) = &mut paid {
            said.payment = asked.request_id.map(Target::Request);
        }
        generator.much_later.push_back(asked);
        // The second one finds the first one open.
        for command in [create(package(), true), paid, take("CREDIT", 3)] {
            much_later(generator, &account, command);
        }
    }
    (account, Command::OpenAccount(OpenAccount {}))
}

/// Who leaves before what was asked for is paid, and buys more than may be had.
pub(crate) fn goer(generator: &mut Generator) -> (Name, Command) {
    let account: Name = format!("tg:o{}", generator.counter).into();
    let counter = generator.counter;
    let mut asked = Vec::new();
    for command in [
        create(purpose("day", "RUB", None), false),
        create_for("optimal"),
        create_for("founder"),
        create_for("founder"),
        create_for("founder"),
    ] {
        asked.push(later(generator, &account, command));
    }
    let paid = |payment: Target, amount: i64, number: usize| {
        let mut command = heard_of(&format!("o{number}-{counter}"), amount);
        if let Command::RecordPayment(said) = &mut command {
            said.payment = Some(payment);
        }
        command
    };
    if generator.random.random_bool(0.5) {
        for (number, payment) in asked.iter().enumerate().skip(2) {
            later(generator, &account, paid(*payment, 100, number));
        }
    }
    for (asset, amount) in [("FREE_OP", 2), ("CREDIT", 5)] {
        later(generator, &account, set_to(asset, 0, amount));
    }
    later(generator, &account, Command::CloseAccount(CloseAccount {}));
    for (number, amount) in [(0, 9_000), (1, 39_900)] {
        later(generator, &account, paid(asked[number], amount, number));
    }
    later(generator, &account, back(asked[0], None));
    let said = said_back(&format!("o1-{counter}"), &format!("ob-{counter}"), 39_900);
    later(generator, &account, said);
    (account, Command::OpenAccount(OpenAccount {}))
}
