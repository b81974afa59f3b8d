//! Statistics of a book.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::{Name, event::PaidWith};
use ledger_proto::v1;

use super::{asset_amount, paid_with};
use crate::{
    grpc::names::account_name,
    projections::{Metric, paid_with_key},
    store::{Figure, Statistics, StatisticsQuery},
};

/// The figures of one span of days and one origin: sums by key, by what is counted.
#[derive(Default)]
struct Figures<'a>(BTreeMap<Metric, BTreeMap<&'a str, i64>>);

/// What was found, without what the question itself says.
pub(in crate::grpc) fn statistics(
    book: &str,
    found: &Statistics,
    query: &StatisticsQuery,
) -> v1::GetStatisticsResponse {
    let all_time = by_origin(&found.all_time);
    let period = by_origin(&found.period);
    let none = Figures::default();
    let of =
        |figures: &BTreeMap<Option<&Name>, Figures<'_>>, origin: Option<&Name>, is_all: bool| {
            let figures = figures.get(&origin).unwrap_or(&none);
            let mut message = figures.message();
            let is_over_all = origin.is_none() && query.origin.is_none();
            if is_all && is_over_all {
                add_open(figures, &mut message);
            }
            if !is_all {
                let mut active = found.active.iter();
                let own = active.find(|(of, _)| of.as_ref() == origin);
                message.active_accounts = Some(own.map_or(0, |(_, count)| *count));
            }
            Some(message)
        };
    let origins: BTreeSet<&Name> = all_time.keys().copied().flatten().collect();
    let origins = origins.into_iter().map(|origin| v1::OriginStatistics {
        origin: origin.into(),
        all_time: of(&all_time, Some(origin), true),
        period: of(&period, Some(origin), false),
    });
    let top = found.top.iter().map(|top| v1::TopAccount {
        account: account_name(book, &top.account),
        operations: top.operations,
        spent: query
            .top_asset
            .as_ref()
            .map(|asset| asset_amount(asset, top.spent)),
    });
    v1::GetStatisticsResponse {
        all_time: of(&all_time, None, true),
        period: of(&period, None, false),
        origins: origins.collect(),
        top_accounts: top.collect(),
        ..v1::GetStatisticsResponse::default()
    }
}

/// Figures by origin; without one over all. Numbers that this version does not know
/// are of another's.
fn by_origin(found: &[Figure]) -> BTreeMap<Option<&Name>, Figures<'_>> {
    let mut figures = BTreeMap::<Option<&Name>, Figures<'_>>::new();
    for figure in found {
        if let Some(metric) = Metric::of_number(figure.metric) {
            let of_origin = figures.entry(figure.origin.as_ref()).or_default();
            let sums = of_origin.0.entry(metric).or_default();
            sums.insert(figure.key.as_str(), figure.value);
        }
    }
    figures
}

/// How many holds are open: those that were placed and have not ended.
fn add_open(figures: &Figures<'_>, message: &mut v1::Statistics) {
    let open = |placed: i64, ended: i64| Some(placed.saturating_sub(ended).max(0));
    if let Some(counts) = &mut message.operations {
        let ended = figures.total(Metric::HoldsEnded);
        counts.open = open(figures.total(Metric::HoldsPlaced), ended);
    }
    for operation in &mut message.operations_by_type {
        if let Some(counts) = &mut operation.counts {
            let ended = figures.sum(Metric::HoldsEnded, &operation.operation);
            counts.open = open(
                figures.sum(Metric::HoldsPlaced, &operation.operation),
                ended,
            );
        }
    }
}

impl Figures<'_> {
    fn sums(&self, metric: Metric) -> impl Iterator<Item = (&str, i64)> {
        let sums = self.0.get(&metric).into_iter().flatten();
        sums.map(|(key, value)| (*key, *value))
    }

    fn sum(&self, metric: Metric, key: &str) -> i64 {
        let sums = self.0.get(&metric);
        sums.and_then(|sums| sums.get(key)).copied().unwrap_or(0)
    }

    fn total(&self, metric: Metric) -> i64 {
        let sums = self.sums(metric);
        sums.fold(0, |total, (_, value)| total.saturating_add(value))
    }

    /// Every key of any of these.
    fn keys(&self, metrics: &[Metric]) -> BTreeSet<&str> {
        let keys = metrics.iter().flat_map(|metric| self.sums(*metric));
        keys.map(|(key, _)| key).collect()
    }

    fn message(&self) -> v1::Statistics {
        let operations = self.keys(&[
            Metric::Charged,
            Metric::HoldsPlaced,
            Metric::HoldsCaptured,
            Metric::HoldsReleased,
            Metric::HoldsExpired,
            Metric::RefundedWhole,
        ]);
        let by_type = operations
            .into_iter()
            .map(|operation| v1::OperationStatistics {
                operation: operation.to_owned(),
                counts: Some(counts(|metric| self.sum(metric, operation))),
            });
        v1::Statistics {
            opened_accounts: self.total(Metric::AccountsOpened),
            closed_accounts: self.total(Metric::AccountsClosed),
            active_accounts: None,
            operations: Some(counts(|metric| self.total(metric))),
            operations_by_type: by_type.collect(),
            operations_by_attribute: self.attributes(),
            operations_by_payment: self.paid_with(),
            free_operations_by_source: self.sources(Metric::FreeBySource),
            grants_by_source: self.sources(Metric::GrantsBySource),
            assets: self.assets(),
            received: self.money(Metric::Received),
            payments: self.payments(),
            test_received: self.money(Metric::TestReceived),
            paid_back: self.money(Metric::PaidBack),
            subscriptions: self.plans(),
        }
    }

    fn attributes(&self) -> Vec<v1::AttributeStatistics> {
        let attribute = |(key, count): (&str, i64)| {
            let (attribute, value) = key.split_once('=').unwrap_or((key, ""));
            v1::AttributeStatistics {
                attribute: attribute.to_owned(),
                value: value.to_owned(),
                count,
            }
        };
        self.sums(Metric::ByAttribute).map(attribute).collect()
    }

    fn paid_with(&self) -> Vec<v1::PaidWithStatistics> {
        let ways = [
            PaidWith::Granted,
            PaidWith::Purchased,
            PaidWith::Mixed,
            PaidWith::Nothing,
            PaidWith::Pass,
        ];
        let told = ways.into_iter().map(|way| v1::PaidWithStatistics {
            paid_with: paid_with(way),
            count: self.sum(Metric::ByPaidWith, paid_with_key(way)),
        });
        told.filter(|told| told.count != 0).collect()
    }

    fn sources(&self, metric: Metric) -> Vec<v1::SourceStatistics> {
        let source = |(source, count): (&str, i64)| v1::SourceStatistics {
            source: source.to_owned(),
            count,
        };
        self.sums(metric).map(source).collect()
    }

    fn assets(&self) -> Vec<v1::AssetStatistics> {
        let assets = self.keys(&[
            Metric::Spent,
            Metric::Refunded,
            Metric::Bought,
            Metric::Granted,
            Metric::Expired,
            Metric::Adjusted,
        ]);
        let told = assets.into_iter().map(|asset| {
            let refunded = self.sum(Metric::Refunded, asset);
            v1::AssetStatistics {
                asset: asset.to_owned(),
                spent_amount: self.sum(Metric::Spent, asset).saturating_sub(refunded),
                refunded_amount: refunded,
                bought_amount: self.sum(Metric::Bought, asset),
                granted_amount: self.sum(Metric::Granted, asset),
                expired_amount: self.sum(Metric::Expired, asset),
                adjusted_amount: self.sum(Metric::Adjusted, asset),
            }
        });
        told.collect()
    }

    fn money(&self, metric: Metric) -> Vec<v1::Money> {
        let money = |(currency, amount): (&str, i64)| v1::Money {
            currency: currency.to_owned(),
            amount,
        };
        self.sums(metric).map(money).collect()
    }

    fn plans(&self) -> Vec<v1::PlanStatistics> {
        let plans = self.keys(&[Metric::SubscriptionsStarted, Metric::SubscriptionsEnded]);
        let plan = |plan: &str| v1::PlanStatistics {
            plan: plan.to_owned(),
            started: self.sum(Metric::SubscriptionsStarted, plan),
            ended: self.sum(Metric::SubscriptionsEnded, plan),
        };
        plans.into_iter().map(plan).collect()
    }

    fn payments(&self) -> Vec<v1::CurrencyCount> {
        let count = |(currency, count): (&str, i64)| v1::CurrencyCount {
            currency: currency.to_owned(),
            count,
        };
        self.sums(Metric::Payments).map(count).collect()
    }
}

/// How operations ended, as `sum` has it.
fn counts(sum: impl Fn(Metric) -> i64) -> v1::OperationCounts {
    v1::OperationCounts {
        charged: sum(Metric::Charged),
        held: sum(Metric::HoldsPlaced),
        captured: sum(Metric::HoldsCaptured),
        released: sum(Metric::HoldsReleased),
        expired: sum(Metric::HoldsExpired),
        refunded: sum(Metric::RefundedWhole),
        open: None,
    }
}
