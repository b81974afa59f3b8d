//! What is asked for about payments: in the order of life, out of it, twice, and
//! at once in two places.

use ledger_core::{
    Command, Event, Money, Name, Payload, RequestId,
    command::{CreatePayment, RecordPayment, RecordRefund, RefundPayment, Target},
    event::ProviderId,
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
};
use rand::{Rng as _, seq::IndexedRandom as _};

use super::{generate::Generator, subscribing};

/// A payment that was asked for, or heard of.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) account: Name,
    pub(crate) target: Target,
    /// Its first event, once that is known.
    position: Option<u64>,
    /// It is known to have succeeded.
    is_paid: bool,
    /// Its id at its provider.
    pub(crate) id: Name,
    pub(crate) amount: Money,
}

/// A refund of one.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    order: Order,
    /// What asked for it.
    pub(crate) request: Option<RequestId>,
    /// The event that began it, once that is known.
    pub(crate) refund: Option<u64>,
    /// Its id at the provider.
    id: Name,
    pub(crate) amount: i64,
}

/// What packages cost.
const PRICES: [(&str, &str, i64); 7] = [
    ("optimal", "RUB", 39_900),
    ("optimal", "XTR", 250),
    ("strict", "RUB", 10_000),
    ("mild", "RUB", 10_000),
    ("mild", "XTR", 70),
    ("founder", "RUB", 100),
    ("twin", "RUB", 700),
];

/// An account and a command about a payment.
pub(crate) fn random(generator: &mut Generator) -> (Name, Command) {
    let (account, command) = match generator.random.random_range(0..100) {
        0..22 => (payer(generator), create(generator)),
        22..54 => said(generator),
        54..60 => (payer(generator), heard(generator)),
        60..76 => pay_back(generator),
        _ => said_of_refund(generator),
    };
    if generator.random.random_bool(0.03) {
        return (payer(generator), command);
    }
    (account, command)
}

/// One of the ten, one with so many lots that equal ones become one, or one that
/// is full.
fn payer(generator: &mut Generator) -> Name {
    match generator.random.random_range(0..40) {
        0..4 => "tg:heap".into(),
        4 => "tg:hoard".into(),
        _ => generator.account(),
    }
}

fn money(currency: &str, amount: i64) -> Money {
    Money {
        currency: currency.into(),
        amount,
    }
}

fn fresh(generator: &mut Generator, prefix: &str) -> Name {
    generator.ids += 1;
    format!("{prefix}-{}", generator.ids).into()
}

fn create(generator: &mut Generator) -> Command {
    Command::CreatePayment(CreatePayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        purpose: purpose(generator),
        automatic: false,
    })
}

fn purpose(generator: &mut Generator) -> Purpose {
    let random = &mut generator.random;
    match random.random_range(0..100) {
        0..55 => {
            let (name, currency, _) = PRICES[random.random_range(0..PRICES.len())];
            package_for(name, currency)
        }
        55..59 => package_for("nothing", "RUB"),
        59..63 => package_for("strict", ["XTR", "USD"][random.random_range(0..2)]),
        63..66 => Purpose::TopUp(money("USD", 5_000)),
        66..70 => Purpose::TopUp(money("RUB", random.random_range(-1..5_000))),
        70..74 => Purpose::TopUp(money("XTR", random.random_range(0..40))),
        74..84 => Purpose::TopUp(money("XTR", 5 * random.random_range(2..60))),
        _ => Purpose::TopUp(money("RUB", random.random_range(5_000..30_000))),
    }
}

/// What a purpose costs; nothing if it cannot be had.
pub(crate) fn price_of(purpose: &Purpose) -> Option<Money> {
    match purpose {
        Purpose::TopUp(money) => Some(money.clone()),
        Purpose::Subscription { .. } | Purpose::Renewal { .. } => None,
        Purpose::Package { package, currency } => {
            let mut prices = PRICES.iter();
            let found = prices.find(|price| (price.0, price.1) == (package, currency))?;
            Some(money(currency, found.2))
        }
    }
}

fn order(generator: &mut Generator) -> Option<Order> {
    let orders = generator.orders.make_contiguous();
    // One of the latest is perhaps not there yet, and an old one done.
    let (latest, late) = (
        orders.len().saturating_sub(4),
        orders.len().saturating_sub(30),
    );
    let some = match generator.random.random_range(0..20) {
        0 => &orders[latest..],
        1..15 => &orders[late..latest],
        _ => orders,
    };
    some.choose(&mut generator.random).cloned()
}

/// One that is likely to be there to be paid back.
fn paid_order(generator: &mut Generator) -> Option<Order> {
    let paid: Vec<Order> = generator
        .orders
        .iter()
        .filter(|order| order.is_paid)
        .cloned()
        .collect();
    if paid.is_empty() || generator.random.random_bool(0.45) {
        return order(generator);
    }
    paid.choose(&mut generator.random).cloned()
}

pub(crate) fn payment_id(id: &Name) -> ProviderId {
    ProviderId {
        kind: "payment".into(),
        id: id.clone(),
    }
}

/// What a provider says of a payment that was asked for.
fn said(generator: &mut Generator) -> (Name, Command) {
    let Some(order) = order(generator) else {
        return (payer(generator), heard(generator));
    };
    let other = self::order(generator);
    let random = &mut generator.random;
    let status = match random.random_range(0..20) {
        0..3 => PaymentStatus::Pending,
        3..5 => PaymentStatus::WaitingForCapture,
        5..9 => PaymentStatus::Canceled,
        _ => PaymentStatus::Succeeded,
    };
    let is_named = random.random_bool(0.75);
    let mut provider_ids = vec![payment_id(&order.id)];
    match random.random_range(0..40) {
        0..8 => provider_ids.push(ProviderId {
            kind: "charge".into(),
            id: order.id.clone(),
        }),
        8 if is_named => provider_ids.clear(),
        9 => provider_ids.extend(other.map(|other| payment_id(&other.id))),
        _ => {}
    }
    provider_ids.dedup();
    let mut amount = order.amount.clone();
    match random.random_range(0..16) {
        0 => amount.amount += 1,
        1 => amount.currency = "XTR".into(),
        _ => {}
    }
    let merchant = if random.random_bool(0.04) {
        "shop-2"
    } else {
        "shop"
    };
    let income = order.amount.amount - random.random_range(0..3);
    let income = money(&order.amount.currency, income);
    let command = Command::RecordPayment(RecordPayment {
        provider: "yookassa".into(),
        merchant_account: merchant.into(),
        provider_ids,
        amount,
        income_amount: Some(income).filter(|_| random.random_bool(0.3)),
        test: random.random_bool(0.1),
        status,
        payment: Some(order.target).filter(|_| is_named),
        purpose: None,
        cancellation_reason: (status == PaymentStatus::Canceled).then(|| "expired".into()),
    });
    at_once(generator, &order.account, &command);
    if status == PaymentStatus::Canceled && generator.random.random_bool(0.3) {
        // The user has paid all the same.
        let mut paid = command.clone();
        if let Command::RecordPayment(said) = &mut paid {
            said.status = PaymentStatus::Succeeded;
        }
        let request = generator.request_for(&order.account, paid);
        generator.later.push_back(request);
    }
    (order.account, command)
}

/// A success that nobody has asked for.
fn heard(generator: &mut Generator) -> Command {
    let fresh = fresh(generator, "p");
    let old = order(generator).map(|order| order.id);
    let purpose = Some(purpose(generator)).filter(|_| generator.random.random_bool(0.7));
    let random = &mut generator.random;
    let id = old.filter(|_| random.random_bool(0.2)).unwrap_or(fresh);
    let mut amount = match purpose.as_ref().map(price_of) {
        Some(Some(price)) => price,
        Some(None) => money("RUB", 100),
        None => {
            let currency = ["RUB", "RUB", "RUB", "XTR", "USD"][random.random_range(0..5)];
            money(currency, random.random_range(1..20_000))
        }
    };
    if random.random_bool(0.15) {
        amount.amount += random.random_range(-3..3);
    }
    let mut provider_ids = vec![payment_id(&id)];
    if random.random_bool(0.3) {
        provider_ids.push(ProviderId {
            kind: "charge".into(),
            id,
        });
    }
    let income = money(&amount.currency, random.random_range(-1..20_000));
    let command = Command::RecordPayment(RecordPayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        provider_ids,
        amount,
        income_amount: Some(income).filter(|_| random.random_bool(0.2)),
        test: random.random_bool(0.1),
        status: PaymentStatus::Succeeded,
        payment: None,
        purpose,
        cancellation_reason: None,
    });
    let account = generator.account();
    at_once(generator, &account, &command);
    command
}

fn pay_back(generator: &mut Generator) -> (Name, Command) {
    let Some(order) = paid_order(generator) else {
        return (payer(generator), heard(generator));
    };
    let random = &mut generator.random;
    let whole = order.amount.amount.max(1);
    let amount = match random.random_range(0..20) {
        0..9 => None,
        9..18 => Some(random.random_range(1..=whole.div_euclid(2).max(1))),
        18 => Some(whole),
        _ => Some(random.random_range(0..=whole + 1)),
    };
    let via = match random.random_bool(0.2) {
        true => RefundVia::Outside,
        false => RefundVia::Provider,
    };
    let command = Command::RefundPayment(RefundPayment {
        payment: order.target,
        amount,
        via,
        document_number: (via == RefundVia::Outside).then(|| "17/2".into()),
    });
    if generator.random.random_bool(0.15) {
        // The provider is as fast as we are.
        let back = Back {
            request: None,
            refund: None,
            id: fresh(generator, "r"),
            amount: amount.unwrap_or(whole),
            order: order.clone(),
        };
        let said = refund_said(generator, &back);
        let request = generator.request_for(&order.account, said);
        generator.at_once.push_back(request);
    }
    (order.account, command)
}

/// Remembers a payment or a refund that is asked for.
pub(crate) fn note(generator: &mut Generator, account: &Name, id: RequestId, command: &Command) {
    let order = |id_there: Name, amount: Money| Order {
        account: account.clone(),
        target: Target::Request(id),
        position: None,
        is_paid: false,
        id: id_there,
        amount,
    };
    match command {
        Command::CreatePayment(create) => {
            let amount = price_of(&create.purpose);
            let amount = amount.or_else(|| subscribing::price_of(generator, &create.purpose));
            let Some(amount) = amount else { return };
            let id_there = fresh(generator, "p");
            generator.orders.push_back(order(id_there, amount));
        }
        Command::RecordPayment(said) if said.payment.is_none() => {
            let mut orders = generator.orders.iter();
            let id_there = said.provider_ids.first();
            if let Some(id_there) = id_there
                && orders.all(|order| order.id != id_there.id)
            {
                let order = order(id_there.id.clone(), said.amount.clone());
                generator.orders.push_back(order);
            }
        }
        Command::RefundPayment(refund) => {
            let mut orders = generator.orders.iter();
            let Some(order) = orders.find(|order| order.target == refund.payment).cloned() else {
                return;
            };
            let back = Back {
                request: Some(id),
                refund: None,
                id: fresh(generator, "r"),
                amount: refund.amount.unwrap_or(order.amount.amount),
                order,
            };
            generator.backs_asked.push_back(back);
        }
        _ => {}
    }
    while generator.orders.len() > 80 {
        generator.orders.pop_front();
    }
    for backs in [&mut generator.backs_asked, &mut generator.backs] {
        while backs.len() > 40 {
            backs.pop_front();
        }
    }
}

/// Learns of payments and refunds from an event.
pub(crate) fn learn(generator: &mut Generator, event: &Event) {
    let by_request = event.request_id.map(Target::Request);
    let is_begun =
        |order: &&mut Order| order.account == event.account && Some(order.target) == by_request;
    match &event.payload {
        Payload::PaymentRefundStarted(started) => {
            let mut backs = generator.backs_asked.iter();
            if let Some(back) = backs.find(|back| back.request == event.request_id) {
                generator.backs.push_back(Back {
                    refund: Some(event.position),
                    amount: started.amount.amount,
                    ..back.clone()
                });
            }
        }
        Payload::PaymentCreated(created) => {
            let is_named = generator.random.random_bool(0.2);
            if let Some(order) = generator.orders.iter_mut().find(is_begun) {
                order.position = Some(event.position);
                order.amount = created.amount.clone();
                if is_named {
                    order.target = Target::Position(event.position);
                }
                if created.period.is_some() || created.automatic_until.is_some() {
                    let order = order.clone();
                    subscribing::ordered(generator, &order);
                }
            }
        }
        Payload::PaymentSucceeded(said) => {
            let mut orders = generator.orders.iter_mut();
            let order = match said.payment {
                Some(_) => orders.find(|order| order.position == said.payment),
                None => orders.find(is_begun),
            };
            order.into_iter().for_each(|order| order.is_paid = true);
        }
        _ => {}
    }
}

fn said_of_refund(generator: &mut Generator) -> (Name, Command) {
    let backs = generator.backs.make_contiguous();
    let known = backs.choose(&mut generator.random).cloned();
    let order = paid_order(generator);
    let is_found = generator.random.random_bool(0.15);
    let back = match (known, order) {
        (Some(back), _) if !is_found => back,
        (_, Some(order)) => Back {
            request: None,
            refund: None,
            id: fresh(generator, "r"),
            amount: generator
                .random
                .random_range(1..=order.amount.amount.max(1)),
            order,
        },
        _ => return (payer(generator), heard(generator)),
    };
    if is_found {
        // It may be said again.
        generator.backs.push_back(back.clone());
    }
    let command = refund_said(generator, &back);
    at_once(generator, &back.order.account, &command);
    (back.order.account, command)
}

fn refund_said(generator: &mut Generator, back: &Back) -> Command {
    let random = &mut generator.random;
    let status = match random.random_bool(0.3) {
        true => RefundStatus::Failed,
        false => RefundStatus::Succeeded,
    };
    let refund = match random.random_range(0..20) {
        0 => Some(random.random_range(1..1_000_000)),
        1..8 => back.refund,
        _ => None,
    };
    let mut provider_ids = vec![ProviderId {
        kind: "refund".into(),
        id: back.id.clone(),
    }];
    if status == RefundStatus::Failed && random.random_bool(0.5) {
        provider_ids.clear();
    }
    let (payment, payment_id) = match random.random_range(0..20) {
        0..9 => (Some(back.order.target), None),
        9 => (None, None),
        _ => (None, Some(back.order.id.clone())),
    };
    let mut amount = money(&back.order.amount.currency, back.amount);
    match random.random_range(0..25) {
        0 => amount.amount += random.random_range(1..50_000),
        1 => amount.currency = "XTR".into(),
        _ => {}
    }
    let merchant = if random.random_bool(0.03) {
        "shop-2"
    } else {
        "shop"
    };
    Command::RecordRefund(RecordRefund {
        provider: "yookassa".into(),
        merchant_account: merchant.into(),
        payment,
        payment_id,
        refund,
        provider_ids,
        amount,
        status,
        failure_reason: (status == RefundStatus::Failed).then(|| "refused".into()),
    })
}

/// Now and then the same is said again at the same time, to the same account or
/// another one, perhaps of another book.
fn at_once(generator: &mut Generator, account: &str, command: &Command) {
    if !generator.random.random_bool(0.12) {
        return;
    }
    for _ in 0..generator.random.random_range(1..=2) {
        let other = generator.account();
        let account = match generator.random.random_bool(0.7) {
            true => account,
            false => &other,
        };
        let request = generator.request_for(account, command.clone());
        generator.at_once.push_back(request);
    }
}

/// A top-up that nobody has asked for.
pub(crate) fn heard_of(id: &str, amount: i64) -> Command {
    crate::support::ask::payment(id, amount)
}

/// A refund of one that is done.
pub(crate) fn said_back(payment: &str, id: &str, amount: i64) -> Command {
    Command::RecordRefund(RecordRefund {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        payment: None,
        payment_id: Some(payment.into()),
        refund: None,
        provider_ids: vec![ProviderId {
            kind: "refund".into(),
            id: id.into(),
        }],
        amount: money("RUB", amount),
        status: RefundStatus::Succeeded,
        failure_reason: None,
    })
}

/// A package that nobody has asked for.
pub(crate) fn heard_of_package(package: &str, id: &str) -> Command {
    let purpose = package_for(package, "RUB");
    let mut command = heard_of(id, price_of(&purpose).unwrap().amount);
    if let Command::RecordPayment(said) = &mut command {
        said.purpose = Some(purpose);
    }
    command
}

/// Asking for a package.
pub(crate) fn create_for(package: &str) -> Command {
    Command::CreatePayment(CreatePayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        purpose: package_for(package, "RUB"),
        automatic: false,
    })
}

fn package_for(package: &str, currency: &str) -> Purpose {
    Purpose::Package {
        package: package.into(),
        currency: currency.into(),
    }
}

/// The refund of one that runs with this amount is not done.
pub(crate) fn failed_back(payment: &str, amount: i64) -> Command {
    let mut command = said_back(payment, "", amount);
    if let Command::RecordRefund(said) = &mut command {
        said.provider_ids.clear();
        said.status = RefundStatus::Failed;
    }
    command
}
