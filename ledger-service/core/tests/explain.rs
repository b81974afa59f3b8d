//! Explanations as the account's owner reads them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;

use driver::{DAY, HOUR, Ledger, MINUTE};
use ledger_core::{
    Command, Context, Event,
    account::Funding,
    catalog::{Attributes, Language},
    command::{
        Adjust, AssetAmount, CaptureHold, Change, Charge, Credit, PlaceHold, Refund, Target,
    },
    decide::{at_present, pending},
    event::{Annotations, Reason},
    explain::{Explained, TEXT_UTF16_UNITS_MAX, lines, text},
};

const CATALOG: &str = r#"
schema = 1
book = "shop"
time_zone = "Europe/Moscow"
assets.RUB = { kind = "money", exponent = 2, title = { ru = "рубли", en = "roubles" } }
assets.FREE_OP = { kind = "allowance", title = { ru = "бесплатные операции", en = "free operations" } }
assets.DAILY = { kind = "allowance" }
assets.CLUB = { kind = "pass" }
sources.WELCOME = { ru = "подарок новому пользователю", en = "welcome gift" }
sources.PROMOCODE = { ru = "промокод", en = "promo code" }
reasons.COMPENSATION = { ru = "извинение за сбой", en = "sorry for the failure" }
grants_on_opening = [{ asset = "FREE_OP", amount = 2 }]
recurring_grants.daily = { asset = "DAILY", amount = 3, period = "day" }
operations.generate.title = { ru = "генерация", en = "generation" }
operations.generate.prices = [
    { asset = "CLUB" },
    { asset = "FREE_OP", amount = 1 },
    { asset = "RUB", amount = 1000 },
]
operations.generate.quantity_max = 5
"#;

fn charge(quantity: i64, price: Option<AssetAmount>) -> Command {
    Command::Charge(Charge {
        operation: Some("generate".into()),
        quantity,
        explicit_price: price,
        max_price: None,
        attributes: Attributes::new(),
        confirmed: false,
    })
}

fn credit(asset: &str, amount: i64, expires_after_us: Option<i64>, source: &str) -> Credit {
    Credit {
        asset: asset.into(),
        amount,
        funding: Funding::Granted,
        source: source.into(),
        priority: 0,
        lot_expire_time: expires_after_us.map(|us| driver::START.plus_us(us)),
        scope: Vec::new(),
        cost_basis: None,
    }
}

/// The text of the last `shown` events of an account and what is not recorded.
fn told(
    ledger: &Ledger,
    id: &str,
    shown: usize,
    asset: Option<&str>,
    language: Language,
) -> String {
    let account = ledger.account(id);
    let context = Context {
        book: &ledger.book,
        now: ledger.now,
        catalog: &ledger.catalog,
        catalog_version: ledger.catalog_version,
        next_position: ledger.next_position(),
    };
    let events: Vec<&Event> = ledger
        .events
        .iter()
        .filter(|event| event.account == *id)
        .collect();
    let (earlier, last) = events.split_at(events.len().saturating_sub(shown));
    let before = earlier.last().map_or(&[][..], |event| &event.balances);
    let unrecorded = pending(id, &account, &context);
    let lines = lines(before, last.iter().copied().chain(&unrecorded), asset);
    let explained = Explained {
        now: ledger.now,
        lines: &lines,
        account: &at_present(id, &account, &context),
        asset,
        has_earlier: !earlier.is_empty(),
    };
    let text = text(&explained, &ledger.catalog, language);
    assert!(text.encode_utf16().count() <= TEXT_UTF16_UNITS_MAX);
    text
}

fn story() -> Ledger {
    let mut ledger = Ledger::new(CATALOG);
    let paid = Credit {
        funding: Funding::Purchased,
        ..credit("RUB", 30_000, None, "PAYMENT")
    };
    ledger.run("ann", Command::Credit(paid)).unwrap();
    ledger.now = ledger.now.plus_us(HOUR);
    let gift = credit("RUB", 5_000, Some(10 * DAY), "PROMOCODE");
    ledger.run("ann", Command::Credit(gift)).unwrap();
    ledger.run("ann", charge(2, None)).unwrap();
    ledger.now = ledger.now.plus_us(MINUTE);
    let charged = ledger.run("ann", charge(1, None)).unwrap();
    let refund = Refund {
        charge: Target::Position(charged.last().unwrap().position),
        amount: Some(400),
    };
    ledger.run("ann", Command::Refund(refund)).unwrap();
    let place = PlaceHold {
        operation: Some("generate".into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        duration: None,
        overrun_policy: None,
        attributes: Attributes::new(),
        confirmed: false,
    };
    let held = ledger
        .run("ann", Command::PlaceHold(place.clone()))
        .unwrap();
    ledger.run("ann", Command::PlaceHold(place)).unwrap();
    let capture = CaptureHold {
        hold: Target::Position(held.last().unwrap().position),
        amount: None,
        keep_open: false,
    };
    ledger.run("ann", Command::CaptureHold(capture)).unwrap();
    let mut request = ledger.request(
        "ann",
        Command::Adjust(Adjust {
            asset: "RUB".into(),
            change: Change::Delta(150),
        }),
    );
    request.annotations = Annotations {
        reason: Some(Reason {
            code: "COMPENSATION".into(),
            text: Some("only for staff".into()),
        }),
        ..Annotations::default()
    };
    ledger.submit(&request).unwrap();
    ledger
}

#[test]
fn a_balance_is_explained_in_russian() {
    let expected = "\
Баланс на 01.01.2026 04:01 (Europe/Moscow)

DAILY: 3
  01.01.2026 03:00  +3  регулярное начисление
  сгорит 02.01.2026 00:00: 3, останется 0

Бесплатные операции: 0
  01.01.2026 03:00  +2  начислено (подарок новому пользователю)
  01.01.2026 04:00  −2  генерация ×2 (из: подарок новому пользователю)

Рубли: 335,50 ₽ (удержано 10,00 ₽, доступно 325,50 ₽)
  01.01.2026 03:00  +300,00 ₽  пополнение
  01.01.2026 04:00  +50,00 ₽  начислено (промокод)
  01.01.2026 04:01  −10,00 ₽  генерация (из: промокод)
  01.01.2026 04:01  +4,00 ₽  возврат: генерация (промокод)
  01.01.2026 04:01  −10,00 ₽  генерация (из: промокод)
  01.01.2026 04:01  +1,50 ₽  корректировка: извинение за сбой
  сгорит 11.01.2026 03:00: 24,00 ₽ (промокод), останется 311,50 ₽
  удержано 10,00 ₽ до 01.01.2026 04:16: генерация";
    assert_eq!(told(&story(), "ann", 50, None, Language::Ru), expected);
}

#[test]
fn a_balance_is_explained_in_english_by_its_last_lines() {
    let expected = "\
Balance at 2026-01-01 04:01 (Europe/Moscow)

Roubles: 335.50 RUB (held 10.00 RUB, available 325.50 RUB)
  before: 344.00 RUB
  2026-01-01 04:01  −10.00 RUB  generation (from: promo code)
  2026-01-01 04:01  +1.50 RUB  adjustment: sorry for the failure
  will expire 2026-01-11 03:00: 24.00 RUB (promo code), leaving 311.50 RUB
  held 10.00 RUB until 2026-01-01 04:16: generation";
    assert_eq!(
        told(&story(), "ann", 3, Some("RUB"), Language::En),
        expected
    );
}

#[test]
fn what_nobody_has_written_down_is_a_line_too() {
    let mut ledger = story();
    ledger.now = ledger.now.plus_us(11 * DAY);
    let told = told(&ledger, "ann", 1, Some("RUB"), Language::Ru);
    let expected = "\
Баланс на 12.01.2026 04:01 (Europe/Moscow)

Рубли: 301,50 ₽
  было: 334,00 ₽
  01.01.2026 04:01  +1,50 ₽  корректировка: извинение за сбой
  12.01.2026 04:01  −34,00 ₽  сгорело (промокод)";
    assert_eq!(told, expected);
}

#[test]
fn an_account_that_does_not_exist_has_what_it_would_get() {
    let ledger = Ledger::new(CATALOG);
    let expected = "\
Balance at 2026-01-01 03:00 (Europe/Moscow)

DAILY: 3
  2026-01-01 03:00  +3  recurring grant
  will expire 2026-01-02 00:00: 3, leaving 0

Free operations: 2
  2026-01-01 03:00  +2  granted (welcome gift)";
    assert_eq!(told(&ledger, "bob", 50, None, Language::En), expected);
    let nothing = told(&ledger, "bob", 50, Some("RUB"), Language::En);
    assert!(
        nothing.ends_with("\n\nNothing has happened yet."),
        "{nothing}"
    );
}

#[test]
fn a_pass_and_what_it_pays_are_told() {
    let mut ledger = Ledger::new(CATALOG);
    let pass = credit("CLUB", 1, Some(30 * DAY), "PROMOCODE");
    ledger.run("ann", Command::Credit(pass)).unwrap();
    ledger.run("ann", charge(1, None)).unwrap();
    let expected = "\
Баланс на 01.01.2026 03:00 (Europe/Moscow)

CLUB: 1
  01.01.2026 03:00  +1  начислено (промокод)
  01.01.2026 03:00  генерация – без списания
  действует до 31.01.2026 03:00";
    assert_eq!(
        told(&ledger, "ann", 50, Some("CLUB"), Language::Ru),
        expected
    );
}

/// Five hundred lines do not fit: the earliest become a part of what was before.
#[test]
fn a_long_story_fits_into_a_message() {
    let mut ledger = Ledger::new(CATALOG);
    let much = credit("RUB", 1_000_000, None, "PROMOCODE");
    ledger.run("ann", Command::Credit(much)).unwrap();
    for number in 1..=500_i64 {
        let price = AssetAmount {
            asset: "RUB".into(),
            amount: number,
        };
        ledger.now = ledger.now.plus_us(MINUTE);
        ledger.run("ann", charge(1, Some(price))).unwrap();
        let lot = credit("RUB", number, Some(30 * DAY + number), "PROMOCODE");
        if number % 50 == 0 {
            ledger.run("ann", Command::Credit(lot)).unwrap();
        }
    }
    for language in [Language::Ru, Language::En] {
        for asset in [None, Some("RUB")] {
            let told = told(&ledger, "ann", 500, asset, language);
            let length = told.encode_utf16().count();
            assert!(length > TEXT_UTF16_UNITS_MAX - 400, "{length}");
            // What it says adds up, read as a person would.
            let cents = |text: &str| -> i64 {
                let digits = text.replace('−', "-").replace([',', '.', '+'], "");
                digits.parse().unwrap()
            };
            let section = told.split("\n\n").last().unwrap();
            let mut sum = 0;
            for line in section.lines().skip(1) {
                let words: Vec<&str> = line.split_whitespace().collect();
                match (words[0], words[1]) {
                    ("было:" | "before:", amount) => sum += cents(amount),
                    ("сгорит" | "will" | "и" | "and", _) => {}
                    _ => sum += cents(words[2]),
                }
            }
            let heading = section.lines().next().unwrap();
            let balance = heading.split_once(": ").unwrap().1;
            assert_eq!(sum, cents(balance.split(' ').next().unwrap()), "{told}");
        }
    }
}

/// Sixty-four assets with the longest titles are more than a message holds.
#[test]
fn many_assets_fit_into_a_message() {
    let mut text = CATALOG.to_owned();
    let title = "ж".repeat(64);
    for number in 0..59 {
        let id = format!("A{number}");
        text.push_str(&format!(
            "assets.{id} = {{ kind = \"credits\", title = {{ ru = \"{title}\", en = \"{title}\" }} }}\n"
        ));
    }
    let mut ledger = Ledger::new(&text);
    for number in 0..59 {
        let lot = credit(&format!("A{number}"), 1_000_000, Some(DAY), "WELCOME");
        ledger.run("ann", Command::Credit(lot)).unwrap();
    }
    let told = told(&ledger, "ann", 500, None, Language::Ru);
    let last = told.lines().last().unwrap();
    let left_out: usize = last
        .strip_prefix("Ещё видов средств: ")
        .unwrap()
        .parse()
        .unwrap();
    // Besides the first line and the last.
    let sections = told.split("\n\n").count() - 2;
    assert_eq!(left_out + sections, 61, "{told}");
    assert!(sections >= 10, "{sections}");
}
