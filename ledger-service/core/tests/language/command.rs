//! From a line to a command of the core.

use std::collections::BTreeMap;

use ledger_core::{
    Command, Money, Name, RequestId, Timestamp,
    account::Funding,
    catalog::{Attributes, OverrunPolicy},
    command::{
        Adjust, ApplyCatalog, AssetAmount, BlockAccount, CancelSubscription, CaptureHold, Change,
        Charge, CloseAccount, Credit, ExtendHold, OpenAccount, PlaceHold, Refund, ReleaseHold,
        ResumeSubscription, Sweep, Target, Transfer, UnblockAccount,
    },
    event::{Annotations, Reason},
};

use super::{
    Words,
    clock::{DAY, HOUR, MINUTE, SECOND, START},
    payment,
};

/// What a label stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) request_id: RequestId,
    /// Of the charge or hold among the events of the request, or the first.
    pub(crate) position: u64,
}

/// How targets are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetBy {
    Position,
    Request,
}

/// What a line needs to know of the lines before it.
pub(crate) struct Scope<'a> {
    pub(crate) labels: &'a BTreeMap<String, Label>,
    pub(crate) target_by: TargetBy,
    pub(crate) catalog_text: &'a dyn Fn(&str) -> String,
}

/// A line, understood.
pub(crate) struct Said {
    pub(crate) account: String,
    pub(crate) command: Command,
    pub(crate) annotations: Annotations,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) label: Option<String>,
    /// Names the subscription that the line starts.
    pub(crate) subscription: Option<String>,
    pub(crate) origin: String,
}

/// Reads a line that is a command.
pub(crate) fn read(words: &Words, scope: &Scope<'_>) -> Said {
    let mut words = words.clone();
    let label = words.option("as");
    let subscription = words.option("sub");
    let origin = words.option("origin").unwrap_or_else(|| "bot".to_owned());
    let expires_at = words.option("before").map(|text| time(&text));
    let annotations = annotations(&mut words);
    let (account, command) = command(&mut words, scope);
    words.finish();
    Said {
        account,
        command,
        annotations,
        expires_at,
        label,
        subscription,
        origin,
    }
}

fn annotations(words: &mut Words) -> Annotations {
    Annotations {
        external_id: words.option("external_id").map(Name::from),
        metadata: words.options("meta."),
        occurred_at: words.option("occurred").map(|text| time(&text)),
        person: words.option("person").map(Name::from),
        reason: words.option("reason").map(|code| Reason {
            code: code.into(),
            text: words.option("reason_text"),
        }),
    }
}

fn command(words: &mut Words, scope: &Scope<'_>) -> (String, Command) {
    let verb = words.word(0).to_owned();
    if verb == "apply" {
        let text = (scope.catalog_text)(words.word(1));
        let overrides = words.options("env.");
        return (
            "@house".to_owned(),
            Command::ApplyCatalog(ApplyCatalog {
                text,
                overrides,
                expected_version: words
                    .option("expecting")
                    .map(|text| text.parse().expect("a version")),
            }),
        );
    }
    let account = words.word(1).to_owned();
    let command = match verb.as_str() {
        "open" => Command::OpenAccount(OpenAccount {}),
        "close" => Command::CloseAccount(CloseAccount {}),
        "block" => Command::BlockAccount(BlockAccount {}),
        "unblock" => Command::UnblockAccount(UnblockAccount {}),
        "sweep" => Command::Sweep(Sweep {}),
        "credit" => credit(words),
        "charge" => charge(words),
        "hold" => hold(words),
        "extend" => Command::ExtendHold(ExtendHold {
            hold: target(words, scope),
            hold_expire_time: time(&words.option("until").expect("until=TIME")),
        }),
        "capture" => Command::CaptureHold(CaptureHold {
            keep_open: words.flag("keep_open"),
            hold: target(words, scope),
            amount: words.find(3).map(number),
        }),
        "release" => Command::ReleaseHold(ReleaseHold {
            hold: target(words, scope),
        }),
        "refund" => Command::Refund(Refund {
            charge: target(words, scope),
            amount: words.find(3).map(number),
        }),
        "transfer" => transfer(words),
        "adjust" => adjust(words),
        "ask" => payment::ask(words, scope),
        "cancel" => Command::CancelSubscription(CancelSubscription {
            subscription: label(words.word(2), scope).position,
        }),
        "resume" => Command::ResumeSubscription(ResumeSubscription {
            subscription: label(words.word(2), scope).position,
        }),
        "pay" => payment::pay(words, scope),
        "payback" => payment::payback(words, scope),
        "paidback" => payment::paidback(words, scope),
        _ => panic!("no such command: `{verb}`"),
    };
    (account, command)
}

fn credit(words: &mut Words) -> Command {
    let bought = words.flag("bought");
    Command::Credit(Credit {
        amount: number(words.word(2)),
        asset: words.word(3).into(),
        funding: if bought {
            Funding::Purchased
        } else {
            Funding::Granted
        },
        source: words
            .option("source")
            .map_or_else(|| "CREDIT".into(), Name::from),
        priority: words
            .option("priority")
            .map_or(0, |text| text.parse().expect("a priority")),
        lot_expire_time: words.option("expires").map(|text| time(&text)),
        scope: words
            .option("scope")
            .map_or_else(Vec::new, |text| text.split(',').map(Name::from).collect()),
        cost_basis: words.option("paid").map(|text| money(&text)),
    })
}

fn charge(words: &mut Words) -> Command {
    let confirmed = words.flag("confirmed");
    let (operation, quantity) = order(words);
    Command::Charge(Charge {
        operation,
        quantity,
        explicit_price: words.option("price").map(|text| asset_amount(&text)),
        max_price: words.option("max").map(|text| asset_amount(&text)),
        attributes: attributes(words),
        confirmed,
    })
}

fn hold(words: &mut Words) -> Command {
    let confirmed = words.flag("confirmed");
    let (operation, quantity) = order(words);
    Command::PlaceHold(PlaceHold {
        operation,
        quantity,
        explicit_price: words.option("price").map(|text| asset_amount(&text)),
        max_price: words.option("max").map(|text| asset_amount(&text)),
        duration: words.option("for").map(|text| duration(&text)),
        overrun_policy: words.option("overrun").map(|text| overrun(&text)),
        attributes: attributes(words),
        confirmed,
    })
}

/// `attr.model=a attr.quality=high`.
fn attributes(words: &mut Words) -> Attributes {
    let said = words.options("attr.").into_iter();
    said.map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// `ACCOUNT OPERATION xN`; the operation may be left out beside a price.
fn order(words: &Words) -> (Option<Name>, i64) {
    let (mut operation, mut quantity) = (None, 1);
    for index in 2..4 {
        let Some(word) = words.find(index) else { break };
        match word
            .strip_prefix('x')
            .and_then(|digits| digits.parse().ok())
        {
            Some(number) => quantity = number,
            None => operation = Some(word.into()),
        }
    }
    (operation, quantity)
}

fn transfer(words: &Words) -> Command {
    assert_eq!(words.word(2), "to", "transfer A to B AMOUNT ASSET");
    Command::Transfer(Transfer {
        destination_account: words.word(3).into(),
        amount: number(words.word(4)),
        asset: words.word(5).into(),
    })
}

fn adjust(words: &Words) -> Command {
    let change = match words.word(3) {
        "by" => Change::Delta(number(words.word(4))),
        "to" => {
            assert_eq!(words.word(5), "seen", "adjust A ASSET to N seen N");
            Change::SetTo {
                available: number(words.word(4)),
                expected: number(words.word(6)),
            }
        }
        other => panic!("adjust A ASSET by N, or to N seen N, not `{other}`"),
    };
    Command::Adjust(Adjust {
        asset: words.word(2).into(),
        change,
    })
}

/// The target of a line's third word.
pub(crate) fn target(words: &Words, scope: &Scope<'_>) -> Target {
    scope.target(label(words.word(2), scope))
}

/// A label; `?` names nothing there is.
pub(crate) fn label(name: &str, scope: &Scope<'_>) -> Label {
    if name == "?" {
        return Label {
            request_id: RequestId([0xee; 16]),
            position: 999_999,
        };
    }
    *scope
        .labels
        .get(name)
        .unwrap_or_else(|| panic!("no label `{name}`"))
}

impl Scope<'_> {
    /// How a label is named as a target.
    pub(crate) const fn target(&self, label: Label) -> Target {
        match self.target_by {
            TargetBy::Position => Target::Position(label.position),
            TargetBy::Request => Target::Request(label.request_id),
        }
    }
}

fn overrun(text: &str) -> OverrunPolicy {
    match text {
        "REJECT" => OverrunPolicy::Reject,
        "CAP" => OverrunPolicy::Cap,
        "OVERDRAW_AVAILABLE" => OverrunPolicy::OverdrawAvailable,
        _ => panic!("no such policy: `{text}`"),
    }
}

pub(crate) fn number(text: &str) -> i64 {
    text.replace('_', "")
        .parse()
        .unwrap_or_else(|_| panic!("not a number: `{text}`"))
}

/// `1000:RUB`.
fn asset_amount(text: &str) -> AssetAmount {
    let (amount, asset) = text.split_once(':').expect("AMOUNT:ASSET");
    AssetAmount {
        asset: asset.into(),
        amount: number(amount),
    }
}

pub(crate) fn money(text: &str) -> Money {
    let AssetAmount { asset, amount } = asset_amount(text);
    Money {
        currency: asset,
        amount,
    }
}

/// `T+1d2h`, or `T` for the beginning.
pub(crate) fn time(text: &str) -> Timestamp {
    let after = text
        .strip_prefix('T')
        .unwrap_or_else(|| panic!("not a time: `{text}`"));
    let (sign, after) = match after.strip_prefix('-') {
        Some(after) => (-1, after),
        None => (1, after.trim_start_matches('+')),
    };
    START.plus_us(sign * duration(after))
}

/// `1d2h30m5s`.
pub(crate) fn duration(text: &str) -> i64 {
    let mut sum = 0;
    let mut digits = String::new();
    for character in text.chars() {
        let unit = match character {
            'd' => DAY,
            'h' => HOUR,
            'm' => MINUTE,
            's' => SECOND,
            _ => {
                digits.push(character);
                continue;
            }
        };
        sum += number(&digits) * unit;
        digits.clear();
    }
    assert!(digits.is_empty(), "not a duration: `{text}`");
    sum
}
