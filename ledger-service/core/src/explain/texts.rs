//! The explanation as a message to the account's owner: plain text that fits into
//! one message of Telegram.
//!
//! What always has to be there is written first: the balances, what expires next,
//! the open holds. The room that is left goes to the lines, the latest first; those
//! that find none are part of what was there before.

use super::{Line, LineKind, Upcoming, upcoming, words};
use crate::{
    account::{Account, Hold, Lot},
    catalog::{AssetKind, Catalog, Language, Text},
    event::{Event, Payload},
    name::Name,
    primitives::Timestamp,
};

/// The longest text, in UTF-16 code units, as Telegram counts the characters of a
/// message.
pub const TEXT_UTF16_UNITS_MAX: usize = 4_096;

/// How many coming expiries, and how many open holds, a text shows of one asset.
const UPCOMING_SHOWN_MAX: usize = 5;
/// How many sources of lots one line names.
const SOURCES_SHOWN_MAX: usize = 2;
/// Room for saying how many assets are left out.
const FOOTER_UTF16_UNITS: usize = 64;

/// What a text is about.
#[derive(Clone, Copy, Debug)]
pub struct Explained<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The lines that add up to the balances of `account`.
    pub lines: &'a [Line<'a>],
    /// The account at that moment.
    pub account: &'a Account,
    /// The asset that was asked for; all if absent.
    pub asset: Option<&'a str>,
    /// There are events before the lines.
    pub has_earlier: bool,
}

/// The explanation as plain text, at most [`TEXT_UTF16_UNITS_MAX`] long.
#[must_use]
pub fn text(explained: &Explained<'_>, catalog: &Catalog, language: Language) -> String {
    let writer = Writer {
        explained,
        catalog,
        language,
    };
    let at = writer.moment(explained.now);
    let zone = &catalog.time_zone;
    let header = format!("{} {at} ({zone})\n", writer.words().balance_at);
    let (sections, left_out) = writer.sections(units(&header));
    let mut text = header;
    if sections.is_empty() {
        text.push('\n');
        text.push_str(writer.words().nothing);
    }
    for section in sections {
        text.push('\n');
        text.push_str(&section.rendered(&writer));
    }
    if left_out > 0 {
        text.push_str(&format!("\n{}: {left_out}", writer.words().more_assets));
    }
    text.trim_end().to_owned()
}

/// What users call a line: the catalog's title of its operation, of why a person
/// acted, or of where its lots are from; nothing if the catalog has none.
#[must_use]
pub fn title<'c>(line: &Line<'_>, catalog: &'c Catalog, language: Language) -> Option<&'c str> {
    let event = line.event?;
    let operation = event
        .payload
        .operation()
        .and_then(|id| catalog.operations.get(id));
    let text = match (operation, reason(event, catalog)) {
        (Some(operation), _) => operation.title.as_ref(),
        (None, Some(reason)) => Some(reason),
        (None, None) => {
            let mut sources = line.lots.iter().map(|lot| lot.source.as_str());
            sources.find_map(|source| catalog.sources.get(source))
        }
    };
    text.map(|text| text.get(language))
}

/// What users call the reason of a correction, if the catalog says. What staff wrote
/// is for staff.
fn reason<'c>(event: &Event, catalog: &'c Catalog) -> Option<&'c Text> {
    let is_correction = matches!(event.payload, Payload::Adjusted(_));
    let reason = event
        .annotations
        .reason
        .as_ref()
        .filter(|_| is_correction)?;
    catalog.reasons.get(reason.code.as_str())
}

/// What a text says of one asset.
struct Section {
    asset: Name,
    /// The balance, and what is held.
    heading: String,
    /// The sum of what no line shows.
    before_amount: i64,
    /// Whether something is before the lines.
    has_before: bool,
    /// The lines, the earliest first.
    lines: Vec<String>,
    /// Coming expiries and open holds.
    ending: Vec<String>,
}

impl Section {
    /// Its size without lines: with the longest amount that could be before them.
    fn bare_units(&self, writer: &Writer<'_>) -> usize {
        let before = units(&writer.before(&self.asset, i64::MIN));
        let ending = self.ending.iter().map(|line| units(line));
        // An empty line goes ahead.
        ending.fold(
            units(&self.heading)
                .saturating_add(before)
                .saturating_add(1),
            usize::saturating_add,
        )
    }

    fn rendered(self, writer: &Writer<'_>) -> String {
        let mut text = self.heading;
        if self.has_before {
            text.push_str(&writer.before(&self.asset, self.before_amount));
        }
        text.extend(self.lines);
        text.extend(self.ending);
        text
    }
}

struct Writer<'a> {
    explained: &'a Explained<'a>,
    catalog: &'a Catalog,
    language: Language,
}

impl Writer<'_> {
    /// The sections that fit, with as many lines as fit, and how many assets are
    /// left out.
    fn sections(&self, used: usize) -> (Vec<Section>, usize) {
        let mut free = TEXT_UTF16_UNITS_MAX
            .saturating_sub(used)
            .saturating_sub(FOOTER_UTF16_UNITS);
        let mut sections = Vec::new();
        let mut left_out = 0_usize;
        let assets = self.explained.account.assets.iter();
        for (asset, _) in assets.filter(|(asset, _)| self.is_shown(asset)) {
            let section = self.bare_section(asset);
            match free.checked_sub(section.bare_units(self)) {
                Some(rest) if left_out == 0 => {
                    free = rest;
                    sections.push(section);
                }
                _ => left_out = left_out.saturating_add(1),
            }
        }
        self.add_lines(&mut sections, free);
        (sections, left_out)
    }

    /// Whether there is something to say about an asset.
    fn is_shown(&self, asset: &str) -> bool {
        let Explained { account, lines, .. } = self.explained;
        match self.explained.asset {
            Some(asked) => asked == asset,
            None => {
                account.totals(asset).balance != 0 || lines.iter().any(|line| line.asset == *asset)
            }
        }
    }

    fn bare_section(&self, asset: &Name) -> Section {
        Section {
            heading: self.heading(asset),
            before_amount: 0,
            has_before: false,
            lines: Vec::new(),
            ending: self.ending(asset),
            asset: asset.clone(),
        }
    }

    /// Adds lines while there is room, the latest first.
    fn add_lines(&self, sections: &mut [Section], mut free: usize) {
        let mut is_full = false;
        for line in self.explained.lines.iter().rev() {
            let section = sections
                .iter_mut()
                .find(|section| section.asset == line.asset);
            let Some(section) = section else { continue };
            if line.kind != LineKind::Before && line.amount == 0 && !is_operation(line.kind) {
                // What is held is among the open holds.
                continue;
            }
            let shown = self.line(line);
            let rest = free.checked_sub(units(&shown));
            match rest {
                Some(rest) if !is_full && line.kind != LineKind::Before => {
                    free = rest;
                    section.lines.push(shown);
                }
                _ => {
                    is_full = is_full || line.kind != LineKind::Before;
                    section.has_before = true;
                    section.before_amount = section.before_amount.saturating_add(line.amount);
                }
            }
        }
        for section in sections {
            section.has_before = section.has_before || self.explained.has_earlier;
            section.lines.reverse();
        }
    }

    fn words(&self) -> &'static words::Words {
        words::words(self.language)
    }

    fn moment(&self, at: Timestamp) -> String {
        words::moment(at, &self.catalog.time_zone, self.language)
    }

    fn amount(&self, asset: &str, minor: i64) -> String {
        words::amount(self.catalog, asset, minor, self.language)
    }

    fn asset_kind(&self, asset: &str) -> Option<AssetKind> {
        self.catalog.assets.get(asset).map(|known| known.kind)
    }

    /// `Токены: 12 (удержано 2, доступно 10)`.
    fn heading(&self, asset: &str) -> String {
        let totals = self.explained.account.totals(asset);
        let title = self
            .catalog
            .assets
            .get(asset)
            .and_then(|known| known.title.as_ref());
        let title = title.map_or_else(|| asset.to_owned(), |title| capitalised(self.say(title)));
        let balance = self.amount(asset, totals.balance);
        let mut heading = format!("{title}: {balance}");
        if totals.held != 0 {
            let (held, available) = (totals.held, totals.available());
            heading.push_str(&format!(
                " ({} {}, {} {})",
                self.words().held,
                self.amount(asset, held),
                self.words().available,
                self.amount(asset, available),
            ));
        }
        if totals.deficit != 0 {
            let owed = self.amount(asset, totals.deficit);
            heading.push_str(&format!(" ({} {owed})", self.words().owed));
        }
        heading.push('\n');
        heading
    }

    fn before(&self, asset: &str, minor: i64) -> String {
        format!("  {}: {}\n", self.words().before, self.amount(asset, minor))
    }

    /// `  24.11.2026 10:05  −10,00 ₽  генерация ×2 (из: подарок)`.
    fn line(&self, line: &Line<'_>) -> String {
        let at = line
            .event
            .map_or(self.explained.now, |event| event.recorded_at);
        let at = self.moment(at);
        let what = self.what(line);
        if line.amount == 0 {
            return format!("  {at}  {what} – {}\n", self.words().for_free);
        }
        let amount = words::change(self.catalog, &line.asset, line.amount, self.language);
        format!("  {at}  {amount}  {what}\n")
    }

    fn what(&self, line: &Line<'_>) -> String {
        let kind = self.asset_kind(&line.asset);
        let name = words::name(line.kind, kind, self.language);
        let operation = line.event.and_then(|event| event.payload.operation());
        let operation = operation.map(|id| self.operation(id));
        let quantity = line.event.map_or(1, |event| quantity(&event.payload));
        let mut what = match (operation, line.kind) {
            (Some(operation), LineKind::Charged | LineKind::Captured) => operation,
            (Some(operation), _) => format!("{name}: {operation}"),
            (None, _) => name.to_owned(),
        };
        if quantity > 1 {
            what.push_str(&format!(" ×{quantity}"));
        }
        let reason = line.event.and_then(|event| reason(event, self.catalog));
        if let Some(reason) = reason {
            what.push_str(&format!(": {}", self.say(reason)));
        }
        let sources = self.sources(&line.lots);
        match (sources.is_empty(), line.kind) {
            (true, _) | (_, LineKind::Adjusted) => {}
            (false, LineKind::Charged | LineKind::Captured) => {
                what.push_str(&format!(" ({}: {sources})", self.words().from));
            }
            (false, _) => what.push_str(&format!(" ({sources})")),
        }
        what
    }

    /// What users call the sources of lots, as far as the catalog says.
    fn sources(&self, lots: &[Lot]) -> String {
        let mut sources: Vec<&str> = Vec::new();
        for lot in lots {
            let title = self.catalog.sources.get(lot.source.as_str());
            if let Some(title) = title.map(|title| self.say(title))
                && !sources.contains(&title)
            {
                sources.push(title);
            }
        }
        let is_cut = sources.len() > SOURCES_SHOWN_MAX;
        sources.truncate(SOURCES_SHOWN_MAX);
        let shown = sources.join(", ");
        if is_cut {
            format!("{shown}, …")
        } else {
            shown
        }
    }

    fn operation(&self, id: &str) -> String {
        let operation = self.catalog.operations.get(id);
        let title = operation.and_then(|operation| operation.title.as_ref());
        title.map_or(id, |title| self.say(title)).to_owned()
    }

    fn say<'t>(&self, text: &'t Text) -> &'t str {
        text.get(self.language)
    }

    /// Coming expiries, then open holds.
    fn ending(&self, asset: &str) -> Vec<String> {
        let account = self.explained.account;
        let expiries = upcoming(account, Some(asset));
        let holds: Vec<&Hold> = account
            .holds
            .iter()
            .filter(|hold| hold.asset == *asset && hold.held() > 0)
            .collect();
        let mut lines: Vec<String> = expiries
            .iter()
            .take(UPCOMING_SHOWN_MAX)
            .map(|expiry| self.expiry(expiry))
            .collect();
        lines.extend(self.more(expiries.len()));
        lines.extend(
            holds
                .iter()
                .take(UPCOMING_SHOWN_MAX)
                .map(|hold| self.hold(hold)),
        );
        lines.extend(self.more(holds.len()));
        lines
    }

    fn more(&self, count: usize) -> Option<String> {
        let hidden = count
            .checked_sub(UPCOMING_SHOWN_MAX)
            .filter(|hidden| *hidden > 0)?;
        Some(format!("  {}: {hidden}\n", self.words().more))
    }

    /// `  сгорит 01.12.2026 00:00: 2 (подарок), останется 10`.
    fn expiry(&self, expiry: &Upcoming) -> String {
        let at = self.moment(expiry.expires_at);
        if self.asset_kind(&expiry.asset) == Some(AssetKind::Pass) {
            return format!("  {} {at}\n", self.words().valid_until);
        }
        let amount = self.amount(&expiry.asset, expiry.amount);
        let left = self.amount(&expiry.asset, expiry.left_amount);
        let sources = self.sources(&expiry.lots);
        let sources = if sources.is_empty() {
            sources
        } else {
            format!(" ({sources})")
        };
        let words = self.words();
        format!(
            "  {} {at}: {amount}{sources}, {} {left}\n",
            words.expires, words.left
        )
    }

    /// `  удержано 10,00 ₽ до 25.11.2026 13:20: генерация`.
    fn hold(&self, hold: &Hold) -> String {
        let amount = self.amount(&hold.asset, hold.held());
        let until = self.moment(hold.expires_at);
        let operation = hold.operation.as_deref().map(|id| self.operation(id));
        let operation = operation.map_or_else(String::new, |operation| format!(": {operation}"));
        let words = self.words();
        format!(
            "  {} {amount} {} {until}{operation}\n",
            words.held, words.until
        )
    }
}

fn is_operation(kind: LineKind) -> bool {
    matches!(kind, LineKind::Charged | LineKind::Captured)
}

/// How many of an operation an event is about.
fn quantity(payload: &Payload) -> i64 {
    match payload {
        Payload::Debited(debited) => debited.quantity,
        Payload::HoldCaptured(captured) => captured.quantity,
        _ => 1,
    }
}

/// The length of a text as Telegram counts it.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn capitalised(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}
