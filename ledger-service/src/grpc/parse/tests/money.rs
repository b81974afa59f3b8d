//! Fields of what brings money and allowances in.

use ledger_core::{Money, account::Funding, command};

use super::*;

fn credit_message() -> v1::CreditRequest {
    v1::CreditRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        amount: amount("RUB", 100),
        ..Default::default()
    }
}

#[test]
fn a_credit_has_defaults_and_an_ordered_scope() {
    let expected = command::Credit {
        asset: "RUB".into(),
        amount: 100,
        funding: Funding::Granted,
        source: "CREDIT".into(),
        priority: 0,
        lot_expire_time: None,
        scope: vec!["edit".into(), "merge".into()],
        cost_basis: None,
    };
    let scope = ["merge", "edit", "merge"].map(str::to_owned).to_vec();
    let message = v1::CreditRequest {
        scope,
        ..credit_message()
    };
    assert_eq!(command(message, credit), Command::Credit(expected));
}

#[test]
fn credits_are_checked() {
    let rule = "is for FUNDING_PURCHASED only";
    let table = [
        (
            v1::CreditRequest {
                amount: None,
                ..credit_message()
            },
            ("amount", "is required"),
        ),
        (
            v1::CreditRequest {
                amount: amount("RUB", 0),
                ..credit_message()
            },
            ("amount.amount", "must be above 0"),
        ),
        (
            v1::CreditRequest {
                amount: amount("1RUB", 1),
                ..credit_message()
            },
            ("amount.asset", ASSET_RULE),
        ),
        (
            v1::CreditRequest {
                funding: 7,
                ..credit_message()
            },
            ("funding", "is no funding that this service knows"),
        ),
        (
            v1::CreditRequest {
                source: "promo".to_owned(),
                ..credit_message()
            },
            ("source", text::CODE_RULE),
        ),
        (
            v1::CreditRequest {
                priority: 1_001,
                ..credit_message()
            },
            ("priority", "must be -1000 to 1000"),
        ),
        (
            v1::CreditRequest {
                cost_basis: money("RUB", 1),
                ..credit_message()
            },
            ("cost_basis", rule),
        ),
        (
            v1::CreditRequest {
                funding: 2,
                cost_basis: money("RUB", -1),
                ..credit_message()
            },
            ("cost_basis.amount", "must be 0 or more"),
        ),
        (
            v1::CreditRequest {
                funding: 2,
                cost_basis: money("RU", 1),
                ..credit_message()
            },
            ("cost_basis.currency", "must be 3 letters of A-Z"),
        ),
        (
            v1::CreditRequest {
                scope: vec!["Edit".to_owned()],
                ..credit_message()
            },
            ("scope", text::OPERATION_RULE),
        ),
        (
            v1::CreditRequest {
                scope: vec!["edit".to_owned(); 17],
                ..credit_message()
            },
            ("scope", "must be at most 16 operations"),
        ),
    ];
    for (message, expected) in table {
        wrong(message, credit, &[expected]);
    }
}

fn payment_message(ids: &[(&str, &str)]) -> v1::RecordPaymentRequest {
    let id = |(kind, id): &(&str, &str)| v1::ProviderId {
        kind: (*kind).to_owned(),
        id: (*id).to_owned(),
    };
    v1::RecordPaymentRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        provider: "yookassa".to_owned(),
        merchant_account: "100500".to_owned(),
        provider_ids: ids.iter().map(id).collect(),
        amount: money("RUB", 10_000),
        status: v1::PaymentStatus::Succeeded.into(),
        ..Default::default()
    }
}

#[test]
fn payments_have_exactly_one_payment_id() {
    let good = payment_message(&[("payment", "p-1"), ("charge", "p-1")]);
    let Command::RecordPayment(payment) = command(good, record_payment) else {
        panic!("a payment")
    };
    assert_eq!(
        payment.amount,
        Money {
            currency: "RUB".into(),
            amount: 10_000
        }
    );
    assert_eq!(payment.provider_ids.len(), 2);
    let one = ("provider_ids", "must have exactly one id of kind `payment`");
    wrong(
        payment_message(&[]),
        record_payment,
        &[("provider_ids", "must be 1 to 8 ids"), one],
    );
    wrong(payment_message(&[("charge", "c")]), record_payment, &[one]);
    let two = payment_message(&[("payment", "p-1"), ("payment", "p-1")]);
    wrong(
        two,
        record_payment,
        &[one, ("provider_ids[1]", "is given twice")],
    );
    let odd = payment_message(&[("payment", "p\n1"), ("Charge", "")]);
    let expected = [
        ("provider_ids[0].id", text::ID_RULE),
        ("provider_ids[1].kind", text::KIND_RULE),
        ("provider_ids[1].id", text::ID_RULE),
    ];
    wrong(odd, record_payment, &expected);
}

#[test]
fn payments_are_checked() {
    let message = v1::RecordPaymentRequest {
        provider: "paypal".to_owned(),
        merchant_account: "a\0".to_owned(),
        amount: None,
        income_amount: money("rub", 1_000_000_000_000_001),
        ..payment_message(&[("payment", "p-1")])
    };
    let expected = [
        (
            "provider",
            "must be yookassa, telegram_stars, telegram_payments or manual",
        ),
        ("merchant_account", text::ID_RULE),
        ("amount", "is required"),
        ("income_amount.currency", "must be 3 letters of A-Z"),
        ("income_amount.amount", "must be at most 10^15"),
    ];
    wrong(message, record_payment, &expected);
}
