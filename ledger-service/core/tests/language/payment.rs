//! Lines about payments: to commands, and from events.

use ledger_core::{
    Command, Money, Name, Payload, Rejection,
    account::Lot,
    command::{CreatePayment, RecordPayment, RecordRefund, RefundPayment, Target},
    event::{Debt, PlannedLot, ProviderId},
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
};

use super::{
    Words,
    clock::START,
    command::{Scope, label, money, number, target},
    render::{part, time},
};

/// `ask ann package ID CURRENCY`, `ask ann top_up AMOUNT CURRENCY`,
/// `ask ann plan ID CURRENCY`, `ask ann renewal LABEL`.
pub(crate) fn ask(words: &mut Words, scope: &Scope<'_>) -> Command {
    let upgrade_of = words.option("upgrade");
    let upgrade_of = upgrade_of.map(|name| label(&name, scope).position);
    let purpose = match words.word(2) {
        "plan" => Purpose::Subscription {
            plan: words.word(3).into(),
            currency: words.word(4).into(),
            upgrade_of,
        },
        "renewal" => Purpose::Renewal {
            subscription: label(words.word(3), scope).position,
        },
        "package" => Purpose::Package {
            package: words.word(3).into(),
            currency: words.word(4).into(),
        },
        "top_up" => Purpose::TopUp(Money {
            amount: number(words.word(3)),
            currency: words.word(4).into(),
        }),
        other => panic!("ask A package ID CURRENCY, or top_up AMOUNT CURRENCY, not `{other}`"),
    };
    let (provider, merchant_account) = merchant(words);
    Command::CreatePayment(CreatePayment {
        automatic: words.flag("automatic"),
        provider,
        merchant_account,
        purpose,
    })
}

/// `pay ann AMOUNT CURRENCY [pending|waiting|canceled]`.
pub(crate) fn pay(words: &mut Words, scope: &Scope<'_>) -> Command {
    let test = words.flag("test");
    let flags = [
        ("pending", PaymentStatus::Pending),
        ("waiting", PaymentStatus::WaitingForCapture),
        ("canceled", PaymentStatus::Canceled),
    ];
    let status = flags
        .into_iter()
        .find_map(|(flag, status)| words.flag(flag).then_some(status))
        .unwrap_or(PaymentStatus::Succeeded);
    let amount = Money {
        amount: number(words.word(2)),
        currency: words.word(3).into(),
    };
    let package = words.option("package").map(|package| Purpose::Package {
        package: package.into(),
        currency: amount.currency.clone(),
    });
    let plan = words.option("plan").map(|plan| Purpose::Subscription {
        plan: plan.into(),
        currency: amount.currency.clone(),
        upgrade_of: None,
    });
    let renewal = words.option("renewal").map(|name| Purpose::Renewal {
        subscription: label(&name, scope).position,
    });
    let (provider, merchant_account) = merchant(words);
    Command::RecordPayment(RecordPayment {
        amount,
        provider,
        merchant_account,
        provider_ids: ids(words, "payment", "p1"),
        income_amount: words.option("income").map(|text| money(&text)),
        test,
        status,
        payment: of(words, "of", scope),
        purpose: package.or(plan).or(renewal),
        cancellation_reason: words.option("why").map(Name::from),
    })
}

/// `payback ann LABEL [AMOUNT] [outside]`.
pub(crate) fn payback(words: &mut Words, scope: &Scope<'_>) -> Command {
    let via = if words.flag("outside") {
        RefundVia::Outside
    } else {
        RefundVia::Provider
    };
    Command::RefundPayment(RefundPayment {
        payment: target(words, scope),
        amount: words.find(3).map(number),
        via,
        document_number: words.option("document").map(Name::from),
    })
}

/// `paidback ann AMOUNT CURRENCY [failed]`.
pub(crate) fn paidback(words: &mut Words, scope: &Scope<'_>) -> Command {
    let status = if words.flag("failed") {
        RefundStatus::Failed
    } else {
        RefundStatus::Succeeded
    };
    let (provider, merchant_account) = merchant(words);
    let refund = words.option("refund");
    Command::RecordRefund(RecordRefund {
        provider,
        merchant_account,
        payment: of(words, "of", scope),
        payment_id: words.option("payment").map(Name::from),
        refund: refund.map(|name| label(&name, scope).position),
        provider_ids: ids(words, "refund", "r1"),
        amount: Money {
            amount: number(words.word(2)),
            currency: words.word(3).into(),
        },
        status,
        failure_reason: words.option("why").map(Name::from),
    })
}

fn merchant(words: &mut Words) -> (Name, Name) {
    let provider = words.option("provider");
    let merchant = words.option("merchant");
    (
        provider.map_or_else(|| "yookassa".into(), Name::from),
        merchant.map_or_else(|| "shop-1".into(), Name::from),
    )
}

/// `id=p1,charge:c7`; none for `id=-`.
fn ids(words: &mut Words, main: &str, usual: &str) -> Vec<ProviderId> {
    let text = words.option("id").unwrap_or_else(|| usual.to_owned());
    if text == "-" {
        return Vec::new();
    }
    text.split(',')
        .map(|id| match id.split_once(':') {
            Some((kind, id)) => (kind, id),
            None => (main, id),
        })
        .map(|(kind, id)| ProviderId {
            kind: kind.into(),
            id: id.into(),
        })
        .collect()
}

fn of(words: &mut Words, option: &str, scope: &Scope<'_>) -> Option<Target> {
    let name = words.option(option)?;
    Some(scope.target(label(&name, scope)))
}

/// An event of a payment, one line.
pub(crate) fn event(payload: &Payload) -> Option<String> {
    Some(match payload {
        Payload::PaymentCreated(it) => {
            let gives: Vec<String> = it.gives.iter().map(planned).collect();
            let gives = gives.join(", ");
            format!("PaymentCreated {} giving {gives}", said(&it.amount))
        }
        Payload::PaymentStatusRecorded(it) => {
            let ids = new_ids(&it.provider_ids.ids);
            format!("PaymentStatusRecorded {:?}{ids}", it.status)
        }
        Payload::PaymentSucceeded(it) => {
            let test = if it.test { " in test mode" } else { "" };
            let money = said(&it.amount);
            format!("PaymentSucceeded {money} by {}{test}", it.provider)
        }
        Payload::PaymentCanceled(it) => {
            let why = it.reason.as_ref();
            let why = why.map_or_else(String::new, |reason| format!(" because {reason}"));
            format!("PaymentCanceled{why}")
        }
        Payload::PaymentFeeRecorded(it) => {
            format!("PaymentFeeRecorded leaving {}", said(&it.income))
        }
        Payload::PaymentRefundStarted(it) => format!(
            "PaymentRefundStarted {}{}{}",
            said(&it.amount),
            taking(", reserving ", &it.parts),
            owing(", missing ", &it.missing),
        ),
        Payload::PaymentRefunded(it) => {
            let document = it.document_number.as_ref();
            let outside = match it.via {
                RefundVia::Provider => String::new(),
                RefundVia::Outside => document.map_or_else(
                    || " outside".to_owned(),
                    |number| format!(" outside by {number}"),
                ),
            };
            format!(
                "PaymentRefunded {}{outside}{}{}{}{}",
                said(&it.amount),
                taking(", taking reserved ", &it.reserved),
                taking(", taking ", &it.parts),
                owing(", owing ", &it.debts),
                leaving(&it.gives),
            )
        }
        Payload::PaymentRefundFailed(it) => {
            let why = it.reason.as_ref();
            let why = why.map_or_else(String::new, |reason| format!(" because {reason}"));
            let back = taking(", back ", &it.parts);
            format!("PaymentRefundFailed{why}{back}{}", settling(&it.settled))
        }
        Payload::SubscriptionStarted(it) => format!(
            "SubscriptionStarted {} until {} for {}",
            it.plan,
            time(it.ends_at),
            said(&it.paid)
        ),
        Payload::SubscriptionRenewed(it) => {
            let how = match (it.begins, it.waits) {
                (true, _) => " and begins",
                (false, true) => " and waits",
                (false, false) => "",
            };
            let (from, until) = (time(it.starts_at), time(it.ends_at));
            let ended = taking(", ending ", &it.ended);
            let resumed = if it.resumes { " and is resumed" } else { "" };
            format!("SubscriptionRenewed from {from} until {until}{how}{resumed}{ended}")
        }
        Payload::SubscriptionPastDue(it) => {
            let passes: Vec<String> = it.passes.iter().map(|id| format!(" #{id}")).collect();
            let until = time(it.until);
            format!(
                "SubscriptionPastDue until {until}, keeping{}",
                passes.concat()
            )
        }
        Payload::SubscriptionCanceled(_) => "SubscriptionCanceled".to_owned(),
        Payload::SubscriptionResumed(_) => "SubscriptionResumed".to_owned(),
        Payload::SubscriptionEnded(it) => {
            let ended = taking(", ending ", &it.ended);
            format!("SubscriptionEnded {:?}{ended}", it.reason)
        }
        Payload::SubscriptionRescheduled(it) => {
            let periods = it.periods.iter();
            let periods: Vec<String> = periods
                .map(|it| format!("from {} until {}", time(it.starts_at), time(it.ends_at)))
                .collect();
            format!("SubscriptionRescheduled {}", periods.join(", "))
        }
        Payload::PaymentAnomaly(it) => {
            format!("PaymentAnomaly {:?} {}", it.kind, said(&it.amount))
        }
        _ => return None,
    })
}

fn said(money: &Money) -> String {
    format!("{} {}", money.amount, money.currency)
}

fn planned(planned: &PlannedLot) -> String {
    let lot = &planned.lot;
    let paid = lot.currency.as_ref();
    let paid = paid.map_or_else(String::new, |currency| {
        format!(" (paid {} {currency})", lot.basis)
    });
    let ends = planned.expires_after_us;
    let with_period = if planned.with_period {
        " each period"
    } else {
        ""
    };
    let ends = ends.map_or_else(
        || with_period.to_owned(),
        |us| {
            format!(
                " for {}",
                time(START.plus_us(us)).trim_start_matches("T+").to_owned()
            )
        },
    );
    format!("{} {} {}{paid}{ends}", lot.amount, lot.asset, lot.source)
}

/// What a period that waits still gives.
fn leaving(gives: &[PlannedLot]) -> String {
    if gives.is_empty() {
        return String::new();
    }
    let gives: Vec<String> = gives.iter().map(planned).collect();
    format!(", leaving {}", gives.join(", "))
}

fn new_ids(ids: &[ProviderId]) -> String {
    let ids: Vec<String> = ids
        .iter()
        .map(|id| format!(" {}:{}", id.kind, id.id))
        .collect();
    ids.concat()
}

/// Of several assets, so each part says its own.
fn taking(lead: &str, parts: &[Lot]) -> String {
    let words: Vec<String> = parts
        .iter()
        .map(|lot| format!("{} {}", lot.amount, part(lot, "of", Some(&lot.asset))))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!("{lead}{}", words.join(", "))
}

fn owing(lead: &str, debts: &[Debt]) -> String {
    let words: Vec<String> = debts
        .iter()
        .map(|debt| format!("{} {} of #{}", debt.amount, debt.asset, debt.lot))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!("{lead}{}", words.join(", "))
}

/// What of something that comes in pays what is owed.
pub(crate) fn settling(settled: &[Debt]) -> String {
    owing(", settling ", settled)
}

/// The details of a refusal about payments; nothing of others.
pub(crate) fn refusal(rejection: &Rejection) -> String {
    match rejection {
        Rejection::PackageNotAvailable {
            package,
            origin,
            currency,
        } => format!(" package={package} origin={origin} currency={currency}"),
        Rejection::PackageLimitReached { package, maximum } => {
            format!(" package={package} maximum={maximum}")
        }
        Rejection::TopUpNotOffered {
            currency,
            amount,
            minimum,
            maximum,
            multiple,
        } => format!(
            " currency={currency} amount={amount} minimum={minimum} maximum={maximum} multiple={multiple}"
        ),
        Rejection::PaymentAmountDiffers {
            currency,
            amount,
            expected,
        } => format!(" currency={currency} amount={amount} expected={expected}"),
        Rejection::PaymentAlreadyRecorded {
            event, kind, id, ..
        } => format!(" event={event} kind={kind} id={id}"),
        Rejection::PaymentNotSucceeded { payment, .. } => format!(" payment={payment}"),
        Rejection::RefundExceedsPayment {
            payment,
            currency,
            amount,
            refundable,
        } => format!(
            " payment={payment} currency={currency} amount={amount} refundable={refundable}"
        ),
        Rejection::PaymentSpent {
            payment,
            currency,
            amount,
            unspent,
        } => format!(" payment={payment} currency={currency} amount={amount} unspent={unspent}"),
        Rejection::PlanNotAvailable {
            plan,
            origin,
            currency,
        } => format!(" plan={plan} origin={origin} currency={currency}"),
        Rejection::SubscriptionRuns { subscription }
        | Rejection::SubscriptionNotRenewed { subscription } => {
            format!(" subscription={subscription}")
        }
        Rejection::UpgradeNotOffered { plan, from } => format!(" plan={plan} from={from}"),
        Rejection::RenewalAttemptOpen { payment, .. } => format!(" payment={payment}"),
        Rejection::AutoTopUpOpen { payment } => format!(" payment={payment}"),
        Rejection::AutoTopUpNotDue {
            asset,
            available,
            threshold,
        } => format!(" asset={asset} available={available} threshold={threshold}"),
        Rejection::AutoTopUpCapReached {
            currency,
            paid,
            maximum,
        } => format!(" currency={currency} paid={paid} maximum={maximum}"),
        Rejection::TooManySubscriptions { maximum } | Rejection::TooManyRefunds { maximum } => {
            format!(" maximum={maximum}")
        }
        Rejection::RefundAlreadyRecorded { payment, refund } => {
            format!(" payment={payment} refund={refund}")
        }
        _ => String::new(),
    }
}
