//! The conversation, decided purely: an update makes a [`Decision`], the
//! ledger's answer to it makes a [`Reply`]. Nothing here calls anything.
//!
//! Request ids come from the update itself, so that an update handled twice
//! asks the ledger the same thing twice and is charged once. The prompt of an
//! operation goes nowhere: the ledger has no use for it.

use uuid::Uuid;

use crate::{
    ledger::{Charged, Failure, Quantity, Refusal, Wallet},
    limits,
    telegram::update::{Event, PreCheckout, PrivateMessage, Update},
    texts::{Language, Text},
};

/// The paid operation's id in the catalog.
const GENERATE: &str = "generate";

/// What to do about an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Ignore,
    /// Keep it for a person.
    Park {
        /// Why.
        reason: String,
    },
    /// Say no to a checkout.
    RefuseCheckout(PreCheckout),
    /// Ask the ledger and answer the user.
    Converse(Turn),
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Where to answer.
    pub chat_id: i64,
    /// In which language.
    pub language: Language,
    /// Whose account it is about.
    pub account: String,
    /// What to ask the ledger.
    pub step: Step,
}

/// What a turn asks of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open the account, or find it open.
    Open {
        /// The same forever for one user of one bot.
        request_id: Uuid,
    },
    /// Read what it has.
    Balance,
    /// Charge an operation.
    Charge {
        /// The operation.
        operation: &'static str,
        /// The same for one update.
        request_id: Uuid,
        /// Our own id of the charge.
        external_id: String,
        /// When it is too late for it, Unix milliseconds.
        expires_at_ms: i64,
    },
    /// Nothing; say this.
    Say(Text),
}

/// What the ledger said to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The account is open and has this.
    Opened(Wallet),
    /// The account has this.
    Balance(Wallet),
    /// The operation is paid.
    Charged(Charged),
}

/// What to do about the ledger's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Tell the user; that is all.
    Tell(Text),
    /// Tell the user, and keep the update for a person.
    TellAndPark(Text),
    /// Ask again later.
    AskAgain,
}

/// Decides what to do about an update of the bot of this name.
#[must_use]
pub fn decide(bot: &str, update: Update) -> Decision {
    let Update { update_id, event } = update;
    match event {
        Event::Private(message) => Decision::Converse(turn(bot, update_id, &message)),
        Event::Money { kind } => Decision::Park {
            reason: format!("{kind} is not handled in this version"),
        },
        Event::PreCheckout(query) => Decision::RefuseCheckout(query),
        Event::Elsewhere | Event::Other => Decision::Ignore,
    }
}

fn turn(bot: &str, update_id: u64, message: &PrivateMessage) -> Turn {
    Turn {
        chat_id: message.chat_id,
        language: Language::of(message.language_code.as_deref()),
        account: format!("tg:{}", message.user_id),
        step: step(bot, update_id, message),
    }
}

fn step(bot: &str, update_id: u64, message: &PrivateMessage) -> Step {
    let (command, rest) = command(&message.text);
    match command.as_str() {
        // What follows is the user's to choose: nothing may depend on it.
        "/start" => {
            let own_id = format!("{bot}:{}", message.user_id);
            Step::Open {
                request_id: ledger_proto::request_id::derive("open", &own_id, 0),
            }
        }
        "/balance" => Step::Balance,
        "/generate" if rest.is_empty() => Step::Say(Text::GenerateUsage),
        "/generate" => {
            let external_id = format!("{bot}:{update_id}");
            let at_ms = message.date_s.saturating_mul(1000);
            Step::Charge {
                operation: GENERATE,
                request_id: ledger_proto::request_id::derive("charge", &external_id, at_ms),
                external_id,
                expires_at_ms: expires_at_ms(at_ms),
            }
        }
        _ => Step::Say(Text::Help),
    }
}

/// A message keeps its time through outages on either side of the inbox.
fn expires_at_ms(said_at_ms: u64) -> i64 {
    let age_max_ms = i64::try_from(limits::CHARGE_AGE_MAX.as_millis()).unwrap_or(i64::MAX);
    i64::try_from(said_at_ms)
        .unwrap_or(i64::MAX)
        .saturating_add(age_max_ms)
}

/// The first word without `@BotName`, and what follows it.
fn command(text: &str) -> (String, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let word = word.split_once('@').map_or(word, |(word, _bot)| word);
    (word.to_ascii_lowercase(), rest.trim())
}

/// Decides what to say to what the ledger answered.
#[must_use]
pub fn reply(answer: Result<&Answer, &Failure>) -> Reply {
    match answer {
        Ok(Answer::Opened(wallet)) => Reply::Tell(Text::Greeting {
            wallet: wallet.clone(),
        }),
        Ok(Answer::Balance(wallet)) => Reply::Tell(Text::Balance {
            wallet: wallet.clone(),
        }),
        Ok(Answer::Charged(Charged { price, left })) => Reply::Tell(Text::Charged {
            price: price.clone(),
            left: left.clone(),
        }),
        // A user's own limit passes in its own time; holding the chat back
        // until then would look like a dead bot.
        Err(Failure::Transient { refusal, after }) if refusal.reason == "RATE_LIMITED" => {
            Reply::Tell(Text::RateLimited { wait: *after })
        }
        Err(Failure::Transient { .. }) => Reply::AskAgain,
        Err(Failure::Refused(refusal)) => no(refusal),
    }
}

fn no(refusal: &Refusal) -> Reply {
    match refusal.reason.as_str() {
        "INSUFFICIENT_FUNDS" => {
            insufficient_funds(refusal).map_or(Reply::TellAndPark(Text::Failed), Reply::Tell)
        }
        "ACCOUNT_BLOCKED" => Reply::Tell(Text::Blocked),
        "REQUEST_EXPIRED" => Reply::Tell(Text::Expired),
        _ => Reply::TellAndPark(Text::Failed),
    }
}

fn insufficient_funds(refusal: &Refusal) -> Option<Text> {
    let asset = refusal.metadata.get("asset")?;
    let quantity = |key| {
        refusal.number(key).map(|amount| Quantity {
            asset: asset.clone(),
            amount,
        })
    };
    Some(Text::InsufficientFunds {
        required: quantity("required_amount")?,
        available: quantity("available_amount")?,
        shortfall: quantity("shortfall_amount")?,
        top_up: quantity("top_up_amount"),
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use tonic::Code;

    use super::{
        Answer, Charged, Decision, Event, Failure, Language, PreCheckout, PrivateMessage, Quantity,
        Refusal, Reply, Step, Text, Update, decide, reply,
    };

    fn said(text: &str) -> Update {
        let message = PrivateMessage {
            user_id: 700_000_001,
            chat_id: 700_000_001,
            language_code: Some("ru".to_owned()),
            text: text.to_owned(),
            date_s: 1_795_166_100,
        };
        Update {
            update_id: 881,
            event: Event::Private(message),
        }
    }

    fn step_of(text: &str) -> Step {
        match decide("media_lab", said(text)) {
            Decision::Converse(turn) => turn.step,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_make_steps() {
        let open = Step::Open {
            request_id: ledger_proto::request_id::derive("open", "media_lab:700000001", 0),
        };
        let charge = Step::Charge {
            operation: "generate",
            request_id: ledger_proto::request_id::derive(
                "charge",
                "media_lab:881",
                1_795_166_100_000,
            ),
            external_id: "media_lab:881".to_owned(),
            expires_at_ms: 1_795_166_700_000,
        };
        let cases = [
            ("/start", open.clone()),
            ("/start pay_01JD4Z8Q6T", open.clone()),
            ("/start@example_bot ../../etc", open),
            ("/balance", Step::Balance),
            ("/balance@example_bot", Step::Balance),
            ("  /Balance  ", Step::Balance),
            ("/generate a cat", charge.clone()),
            ("/generate\na cat", charge.clone()),
            ("/generate@example_bot кот", charge),
            ("/generate", Step::Say(Text::GenerateUsage)),
            ("/generate   ", Step::Say(Text::GenerateUsage)),
            ("/generated", Step::Say(Text::Help)),
            ("balance", Step::Say(Text::Help)),
            ("/", Step::Say(Text::Help)),
            ("", Step::Say(Text::Help)),
        ];
        for (text, expected) in cases {
            assert_eq!(step_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_turn_is_about_the_one_who_wrote() {
        let Decision::Converse(turn) = decide("media_lab", said("/balance")) else {
            panic!("no turn");
        };
        assert_eq!(
            (turn.account.as_str(), turn.chat_id),
            ("tg:700000001", 700_000_001)
        );
        assert_eq!(turn.language, Language::Russian);
    }

    #[test]
    fn other_updates_are_parked_refused_or_ignored() {
        let query = PreCheckout {
            query_id: "q".to_owned(),
            language_code: None,
        };
        let parked = Decision::Park {
            reason: "refunded_payment is not handled in this version".to_owned(),
        };
        let cases = [
            (
                Event::Money {
                    kind: "refunded_payment",
                },
                parked,
            ),
            (
                Event::PreCheckout(query.clone()),
                Decision::RefuseCheckout(query),
            ),
            (Event::Elsewhere, Decision::Ignore),
            (Event::Other, Decision::Ignore),
        ];
        for (event, expected) in cases {
            assert_eq!(
                decide(
                    "media_lab",
                    Update {
                        update_id: 1,
                        event
                    }
                ),
                expected
            );
        }
    }

    fn refused(reason: &str, metadata: &[(&str, &str)]) -> Failure {
        Failure::Refused(refusal(Code::FailedPrecondition, reason, metadata))
    }

    fn refusal(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Refusal {
        let metadata: HashMap<String, String> = metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Refusal {
            code,
            reason: reason.to_owned(),
            metadata,
            fields: Vec::new(),
        }
    }

    fn rub(amount: i64) -> Quantity {
        Quantity {
            asset: "RUB".to_owned(),
            amount,
        }
    }

    #[test]
    fn answers_are_told() {
        let wallet = vec![rub(100)];
        let charged = Charged {
            price: rub(1000),
            left: wallet.clone(),
        };
        let cases = [
            (
                Answer::Opened(wallet.clone()),
                Text::Greeting {
                    wallet: wallet.clone(),
                },
            ),
            (
                Answer::Balance(wallet.clone()),
                Text::Balance {
                    wallet: wallet.clone(),
                },
            ),
            (
                Answer::Charged(charged),
                Text::Charged {
                    price: rub(1000),
                    left: wallet,
                },
            ),
        ];
        for (answer, text) in cases {
            assert_eq!(reply(Ok(&answer)), Reply::Tell(text));
        }
    }

    #[test]
    fn refusals_are_told_and_failures_retried() {
        let amounts = [
            ("asset", "RUB"),
            ("required_amount", "1000"),
            ("available_amount", "250"),
            ("shortfall_amount", "750"),
        ];
        let poor = |top_up| {
            Reply::Tell(Text::InsufficientFunds {
                required: rub(1000),
                available: rub(250),
                shortfall: rub(750),
                top_up,
            })
        };
        let with_top_up: Vec<_> = amounts
            .into_iter()
            .chain([("top_up_amount", "10000")])
            .collect();
        let wait = Some(Duration::from_secs(90));
        let transient = |reason, after| Failure::Transient {
            refusal: refusal(Code::ResourceExhausted, reason, &[]),
            after,
        };
        let cases = [
            (refused("INSUFFICIENT_FUNDS", &amounts), poor(None)),
            (
                refused("INSUFFICIENT_FUNDS", &with_top_up),
                poor(Some(rub(10_000))),
            ),
            (
                refused("INSUFFICIENT_FUNDS", &[]),
                Reply::TellAndPark(Text::Failed),
            ),
            (refused("ACCOUNT_BLOCKED", &[]), Reply::Tell(Text::Blocked)),
            (refused("REQUEST_EXPIRED", &[]), Reply::Tell(Text::Expired)),
            (
                refused("UNKNOWN_OPERATION", &[]),
                Reply::TellAndPark(Text::Failed),
            ),
            (
                transient("RATE_LIMITED", wait),
                Reply::Tell(Text::RateLimited { wait }),
            ),
            (transient("", None), Reply::AskAgain),
        ];
        for (failure, expected) in cases {
            assert_eq!(reply(Err(&failure)), expected, "{failure}");
        }
    }
}
