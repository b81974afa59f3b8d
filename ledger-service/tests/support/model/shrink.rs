//! Making a failure small: the requests of the log that have to do with it, run
//! again one by one on a single engine, with as many left out as possible.
//!
//! Times are shifted to the new beginning, and the steps keep their pace, so
//! that what was due then is due now.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    time::{Duration, Instant},
};

use ledger_core::{
    Command, Name, Payload, Request, RequestId, Timestamp,
    command::{RecordPayment, Target},
    event::HOUSE,
    payment::Purpose,
};
use ledger_service::{engine::log::decode, store::SharedStore};

use super::{
    BOOKS,
    generate::{Ask, Manner, What},
    judge::{Answered, Failure},
    ledger::{Flaw, named_ids},
    session::Session,
};
use crate::support::database::Database;

/// How long shrinking may take.
const TIME_MAX: Duration = Duration::from_secs(60);

/// The longest pause between two steps that is waited for; in a longer one,
/// clocks are moved on.
const PAUSE_US_MAX: i64 = 50_000;

/// What the log shows to have been asked, and when it was recorded.
#[derive(Clone)]
struct Step {
    at: Timestamp,
    book: usize,
    what: What,
    /// The refunds and subscriptions that its request began, which later ones
    /// may name.
    begun: Vec<u64>,
}

impl Step {
    fn requests(&self) -> &[Request] {
        match &self.what {
            What::Call(requests, _) => requests,
            What::Read(_) => &[],
        }
    }
}

/// The failure, and the smallest script that was found for it.
pub(crate) struct Shrunk {
    pub(crate) steps: usize,
    pub(crate) script: String,
}

/// Makes a failure small.
pub(crate) async fn shrink(store: &SharedStore, failure: &Failure, flaw: Option<Flaw>) -> Shrunk {
    let began = Instant::now();
    let mut steps = related(load(store, failure).await, &failure.accounts);
    let Some(mut message) = fails(&steps, flaw).await else {
        let from = steps.len().saturating_sub(40);
        let script = format!(
            "not on one engine alone; the last of {} related requests:\n{}",
            steps.len(),
            print(&steps[from..])
        );
        return Shrunk {
            steps: steps.len(),
            script,
        };
    };
    let mut size = steps.len().div_ceil(2);
    while size > 0 && began.elapsed() < TIME_MAX {
        let mut from = 0;
        let mut is_smaller = false;
        while from < steps.len() && began.elapsed() < TIME_MAX {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(steps.len()));
            match fails(&fewer, flaw).await {
                Some(smaller) => (steps, message, is_smaller) = (fewer, smaller, true),
                None => from += size,
            }
        }
        if !is_smaller || size > 1 {
            size /= 2;
        }
    }
    Shrunk {
        steps: steps.len(),
        script: format!("{}{message}", print(&steps)),
    }
}

/// All requests of the logs, with targets by request, and what was asked
/// without leaving an event, if that is what went wrong.
async fn load(store: &SharedStore, failure: &Failure) -> Vec<Step> {
    let mut steps = load_book(store, 0).await;
    steps.extend(load_book(store, 1).await);
    steps.sort_by_key(|step| step.at);
    if let Some(what) = &failure.asked {
        let at = steps.last().map_or(Timestamp(0), |step| step.at).plus_us(1);
        steps.push(Step {
            at,
            book: failure.book,
            what: what.clone(),
            begun: Vec::new(),
        });
    }
    steps
}

async fn load_book(store: &SharedStore, book: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut by_position: HashMap<u64, RequestId> = HashMap::new();
    let mut position = 0;
    loop {
        let rows = store.read_after(BOOKS[book], position, 2_000);
        let rows = rows.await.unwrap();
        let Some(last) = rows.last() else { break };
        position = last.position;
        for row in &rows {
            let event = decode(row).unwrap().event;
            by_position.extend(event.request_id.map(|id| (event.position, id)));
            let is_begun = begins(&event.payload);
            let begun = is_begun.then_some(event.position);
            let Some(command) = &event.request else {
                steps.last_mut().unwrap().begun.extend(begun);
                continue;
            };
            let request = Request {
                account: event.account,
                request_id: event.request_id,
                origin: event.origin,
                annotations: event.annotations,
                expires_at: None,
                command: minicbor::decode(command).unwrap(),
            };
            steps.push(Step {
                at: event.recorded_at,
                book,
                what: What::Call(vec![request], Manner::Plain),
                begun: begun.into_iter().collect(),
            });
        }
    }
    // The session brings the first catalog itself.
    steps.remove(0);
    let requests = steps.iter_mut().flat_map(|step| match &mut step.what {
        What::Call(requests, _) => &mut requests[..],
        What::Read(_) => &mut [],
    });
    for request in requests {
        if let Some(target) = target_of(&mut request.command)
            && let Target::Position(position) = *target
            && let Some(id) = by_position.get(&position)
        {
            *target = Target::Request(*id);
        }
    }
    steps
}

const fn target_of(command: &mut Command) -> Option<&mut Target> {
    match command {
        Command::ExtendHold(extend) => Some(&mut extend.hold),
        Command::CaptureHold(capture) => Some(&mut capture.hold),
        Command::ReleaseHold(release) => Some(&mut release.hold),
        Command::Refund(refund) => Some(&mut refund.charge),
        Command::RecordPayment(said) => said.payment.as_mut(),
        Command::RefundPayment(refund) => Some(&mut refund.payment),
        Command::RecordRefund(said) => said.payment.as_mut(),
        _ => None,
    }
}

/// The steps of these accounts, of those they dealt with before or that named
/// the same ids of providers, and the catalogs.
fn related(steps: Vec<Step>, accounts: &[Name]) -> Vec<Step> {
    let mut accounts: BTreeSet<Name> = accounts.iter().cloned().collect();
    let mut kept: Vec<Step> = Vec::new();
    for step in steps.into_iter().rev() {
        let names = |request: &Request| {
            let other = request.command.other_account().cloned();
            let ids = named_ids(&request.command).into_iter();
            let ids = ids.map(|key| format!("{}:{}", key.2.kind, key.2.id).into());
            let own = [Some(request.account.clone()), other].into_iter().flatten();
            own.chain(ids).collect::<Vec<_>>()
        };
        let names: Vec<Name> = step.requests().iter().flat_map(names).collect();
        let is_related = names.is_empty()
            || names
                .iter()
                .any(|name| name == HOUSE || accounts.contains(name));
        if is_related {
            accounts.extend(names.into_iter().filter(|name| name != HOUSE));
            kept.push(step);
        }
    }
    kept.reverse();
    kept
}

/// Runs the steps on a new database; gives what is wrong, if anything is.
async fn fails(steps: &[Step], flaw: Option<Flaw>) -> Option<String> {
    let database = Database::sqlite();
    let mut session = match Session::open(&database, None, flaw).await {
        Ok(session) => session,
        Err(failure) => return Some(failure.what),
    };
    let mut last = steps.first()?.at;
    let mut due = session.now();
    // What the original began, where it is now.
    let mut moved: HashMap<u64, u64> = HashMap::new();
    for step in steps {
        // The pace of the original, or slower.
        due = due.plus_us(step.at.us_since(last)).max(session.now());
        last = step.at;
        if due.us_since(session.now()) > PAUSE_US_MAX {
            session.pass(due.us_since(session.now())).await;
        }
        if let Ok(wait) = u64::try_from(due.us_since(session.now())) {
            tokio::time::sleep(Duration::from_micros(wait)).await;
        }
        let shift = session.now().us_since(step.at);
        let what = match &step.what {
            What::Call(requests, manner) => What::Call(
                requests.iter().map(|r| shifted(r, shift, &moved)).collect(),
                *manner,
            ),
            read => read.clone(),
        };
        let ask = Ask {
            engine: 0,
            book: step.book,
            what,
        };
        let answers = session.round(&[ask]).await;
        let answers = match answers {
            Ok(answers) => answers,
            Err(failure) => return Some(failure.what),
        };
        let begun = answers.iter().flat_map(begun_by);
        moved.extend(step.begun.iter().copied().zip(begun));
    }
    None
}

/// Whether an event begins what later requests name by its position.
const fn begins(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::PaymentRefundStarted(_) | Payload::SubscriptionStarted(_)
    )
}

/// What an answer says was begun.
fn begun_by(answered: &Answered) -> Vec<u64> {
    let Answered::Call(Ok(results)) = answered else {
        return Vec::new();
    };
    let events = results.iter().flatten().flat_map(|answer| &answer.events);
    let events = events.map(|recorded| &recorded.event);
    let begun = events.filter(|event| begins(&event.payload));
    begun.map(|event| event.position).collect()
}

/// The position of what a command names that an earlier one began.
const fn named(command: &mut Command) -> Option<&mut u64> {
    match command {
        Command::RecordRefund(said) => said.refund.as_mut(),
        Command::CancelSubscription(it) => Some(&mut it.subscription),
        Command::ResumeSubscription(it) => Some(&mut it.subscription),
        Command::CreatePayment(create) => named_by(&mut create.purpose),
        Command::RecordPayment(RecordPayment {
            purpose: Some(purpose),
            ..
        }) => named_by(purpose),
        _ => None,
    }
}

const fn named_by(purpose: &mut Purpose) -> Option<&mut u64> {
    match purpose {
        Purpose::Subscription { upgrade_of, .. } => upgrade_of.as_mut(),
        Purpose::Renewal { subscription } => Some(subscription),
        Purpose::TopUp(_) | Purpose::Package { .. } => None,
    }
}

/// The same request, so much later.
fn shifted(request: &Request, by_us: i64, moved: &HashMap<u64, u64>) -> Request {
    let mut request = request.clone();
    if let Some(position) = named(&mut request.command) {
        *position = moved.get(position).copied().unwrap_or(*position);
    }
    let times = match &mut request.command {
        Command::Credit(credit) => credit.lot_expire_time.as_mut(),
        Command::ExtendHold(extend) => Some(&mut extend.hold_expire_time),
        _ => None,
    };
    for time in times.into_iter().chain(&mut request.expires_at) {
        *time = time.plus_us(by_us);
    }
    request
}

fn print(steps: &[Step]) -> String {
    let mut script = String::new();
    let Some(first) = steps.first() else {
        return script;
    };
    for step in steps {
        let ms = step.at.us_since(first.at) / 1_000;
        let manner = match &step.what {
            What::Call(_, Manner::Plain) => String::new(),
            What::Call(_, manner) => format!("  {manner:?}"),
            What::Read(accounts) => format!("  read {accounts:?}"),
        };
        let book = BOOKS[step.book];
        writeln!(script, "+{ms} ms  {book}{manner}").unwrap();
        for Request {
            account,
            annotations,
            command,
            request_id,
            ..
        } in step.requests()
        {
            let id = request_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
            let end = &id[id.len().saturating_sub(8)..];
            let text = match command {
                Command::ApplyCatalog(_) => "ApplyCatalog { … }".to_owned(),
                command => format!("{command:?}"),
            };
            writeln!(script, "    {account}  #{end}  {text}").unwrap();
            if *annotations != ledger_core::event::Annotations::default() {
                writeln!(script, "        {annotations:?}").unwrap();
            }
        }
    }
    script
}
