//! The own fields of commands about payments.

use ledger_core::{
    Command, Money, Name,
    command::{
        CancelSubscription, CreatePayment, RecordPayment, RecordRefund, RefundPayment,
        ResumeSubscription, Target,
    },
    event::ProviderId,
    limits::AMOUNT_MAX,
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
};
use ledger_proto::v1;

use super::{
    Fields,
    fields::{AmountField, REQUIRED, TargetField},
    mutation::Setting,
    text,
};

/// How many ids of a provider a payment or a refund may bring at once.
const PROVIDER_IDS_MAX: usize = 8;
/// The providers that there are.
const PROVIDERS: [&str; 4] = ["yookassa", "telegram_stars", "telegram_payments", "manual"];

const MONEY: AmountField = AmountField {
    whole: "amount",
    unit: "amount.currency",
    amount: "amount.amount",
};
const INCOME: AmountField = AmountField {
    whole: "income_amount",
    unit: "income_amount.currency",
    amount: "income_amount.amount",
};
const TOP_UP: AmountField = AmountField {
    whole: "purpose.top_up",
    unit: "purpose.top_up.currency",
    amount: "purpose.top_up.amount",
};

pub(in crate::grpc) fn create_payment(
    message: v1::CreatePaymentRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let (provider, merchant_account) =
        fields.merchant("", message.provider, message.merchant_account);
    let automatic = message.automatic;
    fields.check(message.purpose.is_some(), "purpose", REQUIRED);
    let purpose = fields.purpose(message.purpose, setting.book);
    if let Some(Purpose::Subscription { .. }) = purpose {
        fields.refuse("purpose.subscription", "is asked for by StartSubscription");
    }
    Command::CreatePayment(CreatePayment {
        provider,
        merchant_account,
        purpose: purpose.unwrap_or_else(|| Purpose::TopUp(no_money())),
        automatic,
    })
}

pub(in crate::grpc) fn start_subscription(
    message: v1::StartSubscriptionRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let (provider, merchant_account) =
        fields.merchant("", message.provider, message.merchant_account);
    fields.check(message.subscription.is_some(), "subscription", REQUIRED);
    let purpose = message
        .subscription
        .map(|said| fields.subscription("subscription", said, setting.book));
    Command::CreatePayment(CreatePayment {
        provider,
        merchant_account,
        purpose: purpose.unwrap_or_else(|| Purpose::TopUp(no_money())),
        automatic: false,
    })
}

pub(in crate::grpc) fn cancel_subscription(
    message: v1::CancelSubscriptionRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let named = message.subscription;
    Command::CancelSubscription(CancelSubscription {
        subscription: fields.subscription_name("subscription", named, setting.book),
    })
}

pub(in crate::grpc) fn resume_subscription(
    message: v1::ResumeSubscriptionRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let named = message.subscription;
    Command::ResumeSubscription(ResumeSubscription {
        subscription: fields.subscription_name("subscription", named, setting.book),
    })
}

pub(in crate::grpc) fn record_payment(
    message: v1::RecordPaymentRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let status = recorded_status(message.status(), fields);
    let (provider, merchant_account) =
        fields.merchant("", message.provider, message.merchant_account);
    fields.check(message.amount.is_some(), MONEY.whole, REQUIRED);
    let amount = fields.money(&MONEY, message.amount, 1);
    let income_amount = fields.money(&INCOME, message.income_amount, 0);
    let is_small = income_amount
        .as_ref()
        .is_none_or(|income| income.amount <= AMOUNT_MAX);
    fields.check(is_small, INCOME.amount, "must be at most 10^15");
    let payment = fields.event_of("payment", message.payment, setting.book);
    let least = usize::from(payment.is_none());
    let is_unknown = message.purpose.is_none() || payment.is_none();
    let rule = "is only of a payment that nobody created";
    fields.check(is_unknown, "purpose", rule);
    let is_canceled = status == PaymentStatus::Canceled;
    let provider_ids = fields.provider_ids(message.provider_ids, "payment", least);
    Command::RecordPayment(RecordPayment {
        provider,
        merchant_account,
        provider_ids,
        amount: amount.unwrap_or_else(no_money),
        income_amount,
        test: message.test,
        status,
        payment: payment.map(Target::Position),
        purpose: fields.purpose(message.purpose, setting.book),
        cancellation_reason: fields.provider_reason(
            "cancellation_reason",
            message.cancellation_reason,
            is_canceled,
        ),
    })
}

fn recorded_status(status: v1::PaymentStatus, fields: &mut Fields) -> PaymentStatus {
    match status {
        v1::PaymentStatus::Pending => PaymentStatus::Pending,
        v1::PaymentStatus::WaitingForCapture => PaymentStatus::WaitingForCapture,
        v1::PaymentStatus::Succeeded => PaymentStatus::Succeeded,
        v1::PaymentStatus::Canceled => PaymentStatus::Canceled,
        _ => {
            let rule = "must be pending, waiting for capture, succeeded or canceled";
            fields.refuse("status", rule);
            PaymentStatus::Pending
        }
    }
}

pub(in crate::grpc) fn refund_payment(
    message: v1::RefundPaymentRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let via = match message.via() {
        v1::RefundVia::Unspecified | v1::RefundVia::Provider => RefundVia::Provider,
        v1::RefundVia::Outside => RefundVia::Outside,
    };
    let payment = fields.target(
        setting.book,
        &TargetField::Event("payment", message.payment),
    );
    if let Some(amount) = message.amount {
        fields.at_least("amount", amount, 1);
    }
    let has_document = !message.document_number.is_empty();
    if via == RefundVia::Outside {
        let is_document = text::is_id(&message.document_number);
        fields.check(is_document, "document_number", text::ID_RULE);
    } else {
        let rule = "is only of a refund outside of the provider";
        fields.check(!has_document, "document_number", rule);
    }
    Command::RefundPayment(RefundPayment {
        payment,
        amount: message.amount,
        via,
        document_number: has_document.then(|| message.document_number.into()),
    })
}

pub(in crate::grpc) fn record_refund(
    message: v1::RecordRefundRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    use v1::record_refund_request::Target as Said;
    let (provider, merchant_account) = fields.merchant(
        "",
        message.provider.clone(),
        message.merchant_account.clone(),
    );
    let status = match message.status() {
        v1::RefundStatus::Succeeded => RefundStatus::Succeeded,
        v1::RefundStatus::Failed => RefundStatus::Failed,
        _ => {
            fields.refuse("status", "must be succeeded or failed");
            RefundStatus::Failed
        }
    };
    let (payment, payment_id) = match message.target {
        Some(Said::Payment(name)) => (fields.event_of("payment", name, setting.book), None),
        Some(Said::ProviderPaymentId(id)) => {
            fields.check(text::is_id(&id), "provider_payment_id", text::ID_RULE);
            (None, Some(id.into()))
        }
        None => {
            let rule = "one of `payment` and `provider_payment_id` is required";
            fields.refuse("payment", rule);
            (None, None)
        }
    };
    fields.check(message.amount.is_some(), MONEY.whole, REQUIRED);
    let amount = fields.money(&MONEY, message.amount, 1);
    let least = usize::from(status == RefundStatus::Succeeded);
    Command::RecordRefund(RecordRefund {
        provider,
        merchant_account,
        payment: payment.map(Target::Position),
        payment_id,
        refund: fields.event_of("refund", message.refund, setting.book),
        provider_ids: fields.provider_ids(message.provider_ids, "refund", least),
        amount: amount.unwrap_or_else(no_money),
        status,
        failure_reason: fields.provider_reason(
            "failure_reason",
            message.failure_reason,
            status == RefundStatus::Failed,
        ),
    })
}

fn no_money() -> Money {
    Money {
        currency: Name::default(),
        amount: 0,
    }
}

impl Fields {
    /// A provider and a shop or bot of it, the fields below `prefix`.
    pub(in crate::grpc) fn merchant(
        &mut self,
        prefix: &str,
        provider: String,
        merchant_account: String,
    ) -> (Name, Name) {
        let is_provider = PROVIDERS.contains(&provider.as_str());
        let rule = "must be yookassa, telegram_stars, telegram_payments or manual";
        self.check(is_provider, &format!("{prefix}provider"), rule);
        let is_merchant = text::is_id(&merchant_account);
        let field = format!("{prefix}merchant_account");
        self.check(is_merchant, &field, text::ID_RULE);
        (provider.into(), merchant_account.into())
    }

    /// One id of a provider.
    pub(in crate::grpc) fn provider_id(&mut self, field: &str, id: v1::ProviderId) -> ProviderId {
        let v1::ProviderId { kind, id } = id;
        self.check(
            text::is_kind(&kind),
            &format!("{field}.kind"),
            text::KIND_RULE,
        );
        self.check(text::is_id(&id), &format!("{field}.id"), text::ID_RULE);
        ProviderId {
            kind: kind.into(),
            id: id.into(),
        }
    }

    /// Ids of a provider, `least` at least; exactly one of kind `main`, if there
    /// are any.
    fn provider_ids(
        &mut self,
        ids: Vec<v1::ProviderId>,
        main: &str,
        least: usize,
    ) -> Vec<ProviderId> {
        const FIELD: &str = "provider_ids";
        let is_sized = (least..=PROVIDER_IDS_MAX).contains(&ids.len());
        let rule = format!("must be {least} to {PROVIDER_IDS_MAX} ids");
        self.check(is_sized, FIELD, &rule);
        let of_main = ids.iter().filter(|id| id.kind == main).count();
        if !ids.is_empty() || least > 0 {
            let rule = format!("must have exactly one id of kind `{main}`");
            self.check(of_main == 1, FIELD, &rule);
        }
        let mut read = Vec::with_capacity(ids.len().min(PROVIDER_IDS_MAX));
        for (index, id) in ids.into_iter().take(PROVIDER_IDS_MAX).enumerate() {
            let id = self.provider_id(&format!("{FIELD}[{index}]"), id);
            if read.contains(&id) {
                self.refuse(&format!("{FIELD}[{index}]"), "is given twice");
            }
            read.push(id);
        }
        read
    }

    /// What a payment is for, if that is said.
    fn purpose(&mut self, purpose: Option<v1::PaymentPurpose>, book: &str) -> Option<Purpose> {
        use v1::payment_purpose::Purpose as Said;
        match purpose?.purpose {
            Some(Said::TopUp(money)) => self.money(&TOP_UP, Some(money), 1).map(Purpose::TopUp),
            Some(Said::Package(v1::PackagePurchase { package, currency })) => {
                let prefix = "purpose.package";
                let (package, currency) = self.offered((prefix, "package"), package, currency);
                Some(Purpose::Package { package, currency })
            }
            Some(Said::Subscription(said)) => {
                Some(self.subscription("purpose.subscription", said, book))
            }
            Some(Said::Renewal(v1::SubscriptionRenewal { subscription })) => {
                let field = "purpose.renewal.subscription";
                Some(Purpose::Renewal {
                    subscription: self.subscription_name(field, subscription, book),
                })
            }
            None => {
                self.refuse("purpose", "must say what the payment is for");
                None
            }
        }
    }

    /// Something of the catalog that is bought, and the currency.
    fn offered(
        &mut self,
        (prefix, kind): (&str, &str),
        id: String,
        currency: String,
    ) -> (Name, Name) {
        let field = format!("{prefix}.{kind}");
        self.check(text::is_operation(&id), &field, text::OPERATION_RULE);
        let field = format!("{prefix}.currency");
        self.check(text::is_currency(&currency), &field, text::CURRENCY_RULE);
        (id.into(), currency.into())
    }

    /// A subscription that is bought.
    fn subscription(
        &mut self,
        prefix: &str,
        said: v1::SubscriptionPurchase,
        book: &str,
    ) -> Purpose {
        let (plan, currency) = self.offered((prefix, "plan"), said.plan, said.currency);
        Purpose::Subscription {
            plan,
            currency,
            upgrade_of: self.event_of("subscription.upgrade_of", said.upgrade_of, book),
        }
    }

    /// The name of a subscription.
    pub(in crate::grpc) fn subscription_name(
        &mut self,
        field: &'static str,
        name: String,
        book: &str,
    ) -> u64 {
        self.check(!name.is_empty(), field, REQUIRED);
        self.event_of(field, name, book).unwrap_or(0)
    }

    /// An event of the account's book, if one is named.
    fn event_of(&mut self, field: &'static str, name: String, book: &str) -> Option<u64> {
        if name.is_empty() {
            return None;
        }
        match self.target(book, &TargetField::Event(field, name)) {
            Target::Position(position) => Some(position),
            Target::Request(_) => None,
        }
    }

    /// A provider's word for why something did not come about.
    fn provider_reason(&mut self, field: &str, reason: String, may_be: bool) -> Option<Name> {
        if reason.is_empty() {
            return None;
        }
        self.check(text::is_kind(&reason), field, text::KIND_RULE);
        self.check(may_be, field, "is only of what did not come about");
        Some(reason.into())
    }
}
