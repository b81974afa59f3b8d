//! Events and commands are a file format: bytes that were written once must
//! stay readable, and mean the same, for ever.
//!
//! `golden/events/v1` has, for each kind of event and each command, the bytes
//! in hex and what they mean as text. They are never edited. A new kind gets
//! its files by `BLESS=1 cargo nextest run -p ledger-core --test golden`,
//! which writes only what is not there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;
#[path = "golden/payment.rs"]
mod payment;
#[path = "golden/policy.rs"]
mod policy;
#[path = "golden/subscription.rs"]
mod subscription;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt, fs,
    path::PathBuf,
};

use driver::sources;
use ledger_core::{
    Command, Event, Money, Payload, RequestId, Timestamp,
    account::{Funding, Lot},
    catalog::OverrunPolicy,
    command::{
        Adjust, ApplyCatalog, AssetAmount, BlockAccount, CaptureHold, Change, Charge, CloseAccount,
        Credit, ExtendHold, OpenAccount, PlaceHold, RecordPayment, Refund, ReleaseHold, Sweep,
        Target, Transfer, UnblockAccount, encode,
    },
    event::{
        Adjusted, Annotations, Balance, CatalogApplied, Credited, Debited, FORMAT, HoldCaptured,
        HoldEnded, HoldExtended, HoldPlaced, LotExpired, PaidWith, ProviderId, Reason, Refunded,
        TransferReceived, TransferSent,
    },
};

const NOW: Timestamp = driver::START;
const LATER: Timestamp = Timestamp(NOW.0 + driver::DAY);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events/v1")
}

/// A lot with the least there can be.
fn plain_lot() -> Lot {
    Lot {
        id: 1,
        asset: "FREE_OP".into(),
        amount: 4,
        funding: Funding::Granted,
        source: "WELCOME".into(),
        priority: 0,
        expires_at: None,
        scope: Vec::new(),
        basis: 0,
        currency: None,
        created_at: NOW,
        ..Lot::default()
    }
}

/// A lot with everything there can be.
fn full_lot() -> Lot {
    Lot {
        id: 300,
        asset: "RUB".into(),
        amount: 100_000,
        funding: Funding::Purchased,
        source: "PAYMENT".into(),
        priority: -7,
        expires_at: Some(LATER),
        scope: vec!["draw".into(), "train".into()],
        basis: 99_999,
        currency: Some("RUB".into()),
        created_at: NOW,
        ..Lot::default()
    }
}

fn event(payload: Payload) -> Event {
    Event {
        format: FORMAT,
        book: "shop".into(),
        position: 1000,
        account: "tg:123456789".into(),
        version: 12,
        previous_position: 997,
        origin: "bot".into(),
        request_id: None,
        annotations: Annotations::default(),
        recorded_at: NOW,
        catalog_version: 3,
        request: None,
        call_id: None,
        call_hash: None,
        balances: Vec::new(),
        payload,
    }
}

/// An envelope with every optional field.
fn full_envelope() -> Event {
    let metadata = [("model", "gpt-image-1"), ("task_id", "77")];
    let command = Command::Adjust(Adjust {
        asset: "RUB".into(),
        change: Change::Delta(5),
    });
    Event {
        request_id: Some(RequestId([0x5a; 16])),
        call_id: Some(RequestId([0xa5; 16])),
        call_hash: Some(vec![0x3c; 32].into()),
        annotations: Annotations {
            external_id: Some("task-77".into()),
            metadata: metadata
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            occurred_at: Some(Timestamp(NOW.0 - 1)),
            person: Some("anna".into()),
            reason: Some(Reason {
                code: "COMPENSATION".into(),
                text: Some("за сбой".to_owned()),
            }),
        },
        request: Some(encode(&command).into()),
        balances: vec![
            Balance {
                asset: "FREE_OP".into(),
                balance: 4,
                held: 1,
                deficit: 0,
            },
            Balance {
                asset: "RUB".into(),
                balance: 100_000,
                held: 0,
                deficit: 0,
            },
        ],
        ..event(Payload::Adjusted(Adjusted {
            asset: "RUB".into(),
            delta: 5,
            parts: Vec::new(),
            lot: Some(plain_lot()),
            ..Adjusted::default()
        }))
    }
}

fn debited() -> Payload {
    Payload::Debited(Debited {
        operation: Some("draw".into()),
        quantity: 2,
        asset: "RUB".into(),
        amount: 100_004,
        paid_with: PaidWith::Mixed,
        parts: vec![plain_lot(), full_lot()],
        ..Debited::default()
    })
}

fn refunded() -> Payload {
    Payload::Refunded(Refunded {
        charge: 998,
        operation: Some("draw".into()),
        asset: "RUB".into(),
        amount: 100_004,
        refundable: 0,
        parts: vec![full_lot(), plain_lot()],
        graced: vec![300],
        uncounted: true,
        ..Refunded::default()
    })
}

fn hold_placed() -> Payload {
    Payload::HoldPlaced(HoldPlaced {
        operation: None,
        quantity: 1,
        asset: "RUB".into(),
        amount: 100_000,
        parts: vec![full_lot()],
        overrun: OverrunPolicy::OverdrawAvailable,
        expires_at: LATER,
        ..HoldPlaced::default()
    })
}

fn hold_captured() -> Payload {
    Payload::HoldCaptured(HoldCaptured {
        hold: 990,
        operation: Some("draw".into()),
        asset: "RUB".into(),
        amount: 8,
        paid_with: PaidWith::Granted,
        held_parts: vec![plain_lot()],
        free_parts: vec![plain_lot()],
        released: vec![full_lot()],
        graced: vec![300],
        uncovered: 9,
        is_final: true,
        late: false,
        counted: true,
        ..HoldCaptured::default()
    })
}

fn hold_ended(parts: Vec<Lot>, graced: Vec<u64>) -> HoldEnded {
    HoldEnded {
        hold: 990,
        operation: Some("draw".into()),
        asset: "RUB".into(),
        amount: 100_000,
        parts,
        graced,
        settled: Vec::new(),
    }
}

fn transfer_sent() -> Payload {
    Payload::TransferSent(TransferSent {
        destination: "tg:2".into(),
        asset: "RUB".into(),
        amount: 100_000,
        parts: vec![full_lot()],
    })
}

fn transfer_received() -> Payload {
    Payload::TransferReceived(TransferReceived {
        source: "tg:2".into(),
        transfer: 999,
        asset: "RUB".into(),
        amount: 100_000,
        parts: vec![full_lot()],
    })
}

fn overrides() -> BTreeMap<String, String> {
    [("PRICE".to_owned(), "10".to_owned())].into()
}

fn catalog_applied() -> Payload {
    let text = "schema = 1\nbook = 'shop'\n".to_owned();
    Payload::CatalogApplied(CatalogApplied {
        catalog_version: 4,
        text,
        overrides: overrides(),
    })
}

/// One event of each kind, and one with every optional field of the envelope.
fn events() -> Vec<(String, Event)> {
    let payloads = vec![
        Payload::AccountOpened,
        Payload::AccountClosed,
        Payload::Credited(Credited {
            lot: full_lot(),
            payment: Some(999),
            ..Credited::default()
        }),
        debited(),
        refunded(),
        hold_placed(),
        Payload::HoldExtended(HoldExtended {
            hold: 990,
            expires_at: LATER,
        }),
        hold_captured(),
        Payload::HoldReleased(hold_ended(vec![full_lot()], vec![300])),
        Payload::HoldExpired(hold_ended(Vec::new(), Vec::new())),
        Payload::LotExpired(LotExpired { lot: full_lot() }),
        Payload::Adjusted(Adjusted {
            asset: "RUB".into(),
            delta: -100_000,
            parts: vec![full_lot()],
            lot: None,
            ..Adjusted::default()
        }),
        transfer_sent(),
        transfer_received(),
        Payload::AccountBlocked,
        Payload::AccountUnblocked,
        payment::succeeded_at_once(),
        catalog_applied(),
    ];
    let named = |payload: Payload| (format!("{:?}", payload.kind()), event(payload));
    let mut events: Vec<(String, Event)> = payloads.into_iter().map(named).collect();
    events.push(("every_optional_field".to_owned(), full_envelope()));
    let others = policy::events()
        .into_iter()
        .chain(payment::events())
        .chain(subscription::events());
    events.extend(others.map(|(name, payload)| (name.to_owned(), event(payload))));
    events
}

fn price(amount: i64) -> Option<AssetAmount> {
    Some(AssetAmount {
        asset: "RUB".into(),
        amount,
    })
}

fn target() -> Target {
    Target::Request(RequestId([7; 16]))
}

/// One command of each kind.
fn commands() -> Vec<(&'static str, Command)> {
    let mut commands = first_commands();
    commands.extend(payment::commands());
    commands.extend(subscription::commands());
    commands
}

fn first_commands() -> Vec<(&'static str, Command)> {
    let asset = || "RUB".into();
    let operation = || Some("draw".into());
    let money = |amount| Money {
        currency: asset(),
        amount,
    };
    let set_to = Change::SetTo {
        available: 10,
        expected: 7,
    };
    vec![
        ("OpenAccount", Command::OpenAccount(OpenAccount {})),
        ("CloseAccount", Command::CloseAccount(CloseAccount {})),
        ("BlockAccount", Command::BlockAccount(BlockAccount {})),
        ("UnblockAccount", Command::UnblockAccount(UnblockAccount {})),
        (
            "Credit",
            Command::Credit(Credit {
                asset: asset(),
                amount: 100_000,
                funding: Funding::Purchased,
                source: "PACK".into(),
                priority: -7,
                lot_expire_time: Some(LATER),
                scope: vec!["draw".into()],
                cost_basis: Some(money(39_900)),
            }),
        ),
        (
            "Charge",
            Command::Charge(Charge {
                operation: operation(),
                quantity: 2,
                explicit_price: price(5),
                max_price: price(6),
                attributes: BTreeMap::new(),
                confirmed: false,
            }),
        ),
        (
            "PlaceHold",
            Command::PlaceHold(PlaceHold {
                operation: operation(),
                quantity: 2,
                explicit_price: price(5),
                max_price: price(6),
                duration: Some(driver::HOUR),
                overrun_policy: Some(OverrunPolicy::Cap),
                attributes: BTreeMap::new(),
                confirmed: false,
            }),
        ),
        (
            "ExtendHold",
            Command::ExtendHold(ExtendHold {
                hold: target(),
                hold_expire_time: LATER,
            }),
        ),
        (
            "CaptureHold",
            Command::CaptureHold(CaptureHold {
                hold: Target::Position(990),
                amount: Some(3),
                keep_open: true,
            }),
        ),
        (
            "ReleaseHold",
            Command::ReleaseHold(ReleaseHold { hold: target() }),
        ),
        (
            "Refund",
            Command::Refund(Refund {
                charge: target(),
                amount: Some(3),
            }),
        ),
        (
            "Transfer",
            Command::Transfer(Transfer {
                destination_account: "tg:2".into(),
                asset: asset(),
                amount: 3,
            }),
        ),
        (
            "Adjust",
            Command::Adjust(Adjust {
                asset: asset(),
                change: set_to,
            }),
        ),
        (
            "RecordPayment",
            Command::RecordPayment(RecordPayment {
                provider: "yookassa".into(),
                merchant_account: "506751".into(),
                provider_ids: vec![ProviderId {
                    kind: "payment".into(),
                    id: "22e1".into(),
                }],
                amount: money(30_000),
                income_amount: Some(money(28_950)),
                test: true,
                status: ledger_core::payment::PaymentStatus::Succeeded,
                payment: None,
                purpose: None,
                cancellation_reason: None,
            }),
        ),
        (
            "ApplyCatalog",
            Command::ApplyCatalog(ApplyCatalog {
                text: "schema = 1\n".to_owned(),
                overrides: overrides(),
                expected_version: None,
            }),
        ),
        ("Sweep", Command::Sweep(Sweep {})),
    ]
}

/// Compares a value with its golden files; writes them, if they are to be
/// blessed and are not there.
fn check<T: fmt::Debug + PartialEq>(
    name: &str,
    value: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> T,
) {
    let (hex_path, text_path) = (
        folder().join(format!("{name}.hex")),
        folder().join(format!("{name}.txt")),
    );
    if !hex_path.exists() && env::var_os("BLESS").is_some() {
        fs::create_dir_all(hex_path.parent().expect("a folder")).expect("it can be made");
        fs::write(&hex_path, to_lines(&to_hex(bytes))).expect("it can be written");
        fs::write(&text_path, format!("{value:#?}\n")).expect("it can be written");
    }
    let read = |path: &PathBuf| {
        fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}; see the top of this test", path.display()))
    };
    let frozen = from_hex(&read(&hex_path));
    let decoded = decode(&frozen);
    assert_eq!(
        format!("{decoded:#?}\n"),
        read(&text_path),
        "{name} means something else now"
    );
    assert_eq!(
        &decoded, value,
        "{name} is not the value that this test has"
    );
    assert_eq!(
        to_hex(bytes),
        to_hex(&frozen),
        "{name} is written otherwise now"
    );
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 64 digits a line.
fn to_lines(hex: &str) -> String {
    let lines = hex
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned());
    lines.map(|line| line + "\n").collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits");
    digits.chunks_exact(2).map(byte).collect()
}

#[test]
fn events_are_read_and_written_as_ever() {
    for (name, event) in events() {
        let decode = |bytes: &[u8]| Event::decode(bytes).expect("a golden event can be read");
        check(&name, &event, &encode(&event), decode);
    }
}

#[test]
fn commands_are_read_and_written_as_ever() {
    for (name, command) in commands() {
        let decode = |bytes: &[u8]| minicbor::decode::<Command>(bytes).expect("it can be read");
        check(
            &format!("commands/{name}"),
            &command,
            &encode(&command),
            decode,
        );
    }
}

/// Counted in the source, so that a new kind without a golden file fails.
#[test]
fn every_kind_and_every_command_has_its_files() {
    let kinds: BTreeSet<String> = events()
        .iter()
        .map(|(_, event)| format!("{:?}", event.payload.kind()))
        .collect();
    let list = sources::between("pub enum EventKind {", "}");
    let declared: BTreeSet<String> = list
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0.trim().to_owned()))
        .collect();
    assert_eq!(kinds, declared);
    assert_eq!(kinds.len(), driver::KINDS);

    let list = sources::between("\ncommands! {", "\n}\n");
    let is_command = |line: &&str| line.starts_with("    ") && !line.starts_with("     ");
    let first_word = |text: &str| text.split([' ', '(']).next().unwrap_or_default().to_owned();
    let declared: BTreeSet<String> = list
        .lines()
        .filter(is_command)
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(number, _)| number.parse::<u8>().is_ok())
        .map(|(_, rest)| first_word(rest))
        .collect();
    let made: BTreeSet<String> = commands()
        .iter()
        .map(|(_, command)| first_word(&format!("{command:?}")))
        .collect();
    assert_eq!(made, declared);
}

/// The number of a kind, its name and its place in the encoding are one.
#[test]
fn a_kind_is_numbered_as_it_is_encoded() {
    for (name, event) in events() {
        let encoded = encode(&event.payload);
        let mut decoder = minicbor::Decoder::new(&encoded);
        decoder.array().expect("a payload is a pair");
        let number = decoder.u8().expect("of which the number comes first");
        assert_eq!(number, event.payload.kind() as u8, "{name}");
    }
}

/// A file that no value above has would be frozen and unread.
#[test]
fn every_golden_file_is_read() {
    let read = |folder: PathBuf| {
        let entries = fs::read_dir(folder).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
            .count()
    };
    assert_eq!(read(folder()), events().len());
    assert_eq!(read(folder().join("commands")), commands().len());
}
