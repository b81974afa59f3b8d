//! Payments: asking for them, what is said of them, paying them back.

use super::{Case, case};

const ASKED: &str = "ask ann top_up 10000 RUB as=order";
const PAID: &str = "pay ann 10000 RUB package=strict as=order";

/// Each with what is refused next.
pub(crate) fn cases() -> Vec<Case> {
    let cases = vec![
        case(&[], "ask ann package nothing EUR", "UNKNOWN_PACKAGE")
            .also("ask ann package founder EUR", "PACKAGE_NOT_AVAILABLE"),
        case(
            &[],
            "ask ann package founder RUB origin=quiz",
            "PACKAGE_NOT_AVAILABLE",
        ),
        case(
            &["pay ann 100 RUB package=founder"],
            "ask ann package founder XTR",
            "PACKAGE_NOT_AVAILABLE",
        )
        .also("ask ann package founder RUB", "PACKAGE_LIMIT_REACHED"),
        case(&[], "ask ann top_up 1 EUR", "UNKNOWN_CURRENCY")
            .also("ask ann top_up 1 RUB", "TOP_UP_NOT_OFFERED"),
        case(&[], "pay ann 4 XTR", "TOP_UP_NOT_OFFERED"),
        case(&[], "pay ann 1 RUB package=nothing", "UNKNOWN_PACKAGE")
            .also("pay ann 1 RUB package=optimal", "PAYMENT_AMOUNT_DIFFERS"),
        case(
            &["block ann reason=FRAUD"],
            "ask ann package nothing RUB",
            "ACCOUNT_BLOCKED",
        ),
        case(
            &[ASKED],
            "pay ann 10000 RUB of=? income=-1:RUB",
            "AMOUNT_NOT_POSITIVE",
        )
        .also("pay ann 10000 RUB of=?", "PAYMENT_NOT_FOUND"),
        case(&[PAID], "pay ann 10000 RUB", "PAYMENT_ALREADY_RECORDED"),
        case(&[ASKED], "payback ann order 0", "AMOUNT_NOT_POSITIVE")
            .also("payback ann order", "PAYMENT_NOT_SUCCEEDED"),
        case(&[], "payback ann ?", "PAYMENT_NOT_FOUND"),
        case(
            &[PAID, "charge ann draw"],
            "payback ann order 10001",
            "REFUND_EXCEEDS_PAYMENT",
        )
        .also("payback ann order", "PAYMENT_SPENT"),
        case(
            &[PAID],
            "paidback ann 0 RUB payment=p7",
            "AMOUNT_NOT_POSITIVE",
        )
        .also("paidback ann 1 RUB payment=p7", "PAYMENT_NOT_FOUND"),
        case(
            &[PAID, "paidback ann 10000 RUB payment=p1"],
            "paidback ann 10000 RUB payment=p1 refund=? id=r9",
            "REFUND_NOT_FOUND",
        )
        .also(
            "paidback ann 10000 RUB payment=p1",
            "REFUND_ALREADY_RECORDED",
        ),
        case(
            &[],
            "ask ann package mild RUB automatic",
            "AUTO_TOP_UP_NOT_OFFERED",
        ),
        case(
            &["credit ann 3 CREDIT"],
            "ask ann package optimal RUB automatic",
            "AUTO_TOP_UP_NOT_DUE",
        ),
        case(
            &["ask ann package optimal RUB automatic"],
            "ask ann package optimal RUB automatic",
            "AUTO_TOP_UP_OPEN",
        ),
        spent_by_itself(),
        many_refunds(),
    ];
    let selling = cases.into_iter().map(|case| case.under("selling"));
    let plans = periods().into_iter().map(|case| case.under("plans"));
    selling.chain(plans).collect()
}

const MONTH: &str = "pay ann 30000 RUB plan=month sub=month";

fn periods() -> Vec<Case> {
    vec![
        case(&[], "ask ann plan nothing EUR", "UNKNOWN_PLAN")
            .also("ask ann plan month EUR", "PLAN_NOT_AVAILABLE"),
        case(
            &["pay ann 300000 RUB plan=year"],
            "ask ann plan year EUR",
            "PLAN_NOT_AVAILABLE",
        )
        .also("ask ann plan year RUB", "SUBSCRIPTION_RUNS"),
        case(
            &[],
            "ask ann plan year RUB upgrade=?",
            "SUBSCRIPTION_NOT_FOUND",
        ),
        case(
            &[MONTH],
            "ask ann plan queued RUB upgrade=month",
            "UPGRADE_NOT_OFFERED",
        ),
        case(
            &[MONTH, "ask ann renewal month", "cancel ann month"],
            "ask ann renewal month",
            "SUBSCRIPTION_NOT_RENEWED",
        ),
        case(
            &[MONTH, "ask ann renewal month"],
            "ask ann renewal month",
            "RENEWAL_ATTEMPT_OPEN",
        )
        .also("ask ann renewal ?", "SUBSCRIPTION_NOT_FOUND"),
        case(
            &["block ann reason=FRAUD"],
            "ask ann renewal ?",
            "ACCOUNT_BLOCKED",
        )
        .also("cancel ann ?", "SUBSCRIPTION_NOT_FOUND"),
        many_subscriptions(),
    ]
}

fn many_subscriptions() -> Case {
    let lines = (1..=8).map(|n| format!("pay ann 100 RUB plan=p{n} id=x{n}"));
    case(&[], "ask ann plan p9 RUB", "TOO_MANY_SUBSCRIPTIONS").with(lines.collect())
}

fn spent_by_itself() -> Case {
    let lines = ["a", "b"].map(|id| {
        [
            format!("ask ann package optimal RUB automatic as={id}"),
            format!("pay ann 39900 RUB of={id} id={id}"),
            "charge ann draw x22".to_owned(),
        ]
    });
    case(
        &[],
        "ask ann package optimal RUB automatic",
        "AUTO_TOP_UP_CAP_REACHED",
    )
    .with(lines.concat())
}

fn many_refunds() -> Case {
    let lines = (1..=16).map(|_| "payback ann order 1".to_owned());
    case(
        &["pay ann 20000 RUB as=order"],
        "payback ann order 30000",
        "REFUND_EXCEEDS_PAYMENT",
    )
    .also("payback ann order 1", "TOO_MANY_REFUNDS")
    .with(lines.collect())
}
