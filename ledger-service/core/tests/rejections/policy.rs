//! What the catalog says beyond prices.

use super::{Case, case};

/// Each with what is refused next.
pub(crate) fn cases() -> Vec<Case> {
    let rich = ["credit ann 9000 TOKEN"];
    let cases = vec![
        case(
            &rich,
            "charge ann generate x100001 attr.size=big",
            "QUANTITY_TOO_LARGE",
        )
        .also("charge ann generate attr.size=big", "INVALID_ATTRIBUTE"),
        case(
            &rich,
            "charge ann generate attr.size=big attr.model=gpt-image-1.5",
            "INVALID_ATTRIBUTE",
        )
        .also(
            "charge ann generate attr.model=gpt-image-1.5",
            "VARIANT_NOT_AVAILABLE",
        ),
        case(
            &rich,
            "charge ann generate attr.model=gpt-image-1.5 price=1:NOPE",
            "VARIANT_NOT_AVAILABLE",
        )
        .also("charge ann generate price=1:NOPE", "UNKNOWN_ASSET"),
        case(
            &rich,
            "charge ann generate x21 price=1_000_000_000_000_001:TOKEN",
            "AMOUNT_TOO_LARGE",
        )
        .also("charge ann generate x21", "RATE_LIMITED"),
        case(&rich, "charge ann train x3 origin=other", "RATE_LIMITED")
            .also("charge ann train origin=other", "NOT_SOLD_HERE"),
        case(&[], "charge ann train x3", "RATE_LIMITED")
            .also("charge ann train", "INSUFFICIENT_FUNDS"),
        case(
            &rich,
            "charge ann price=4001:TOKEN max=1:TOKEN",
            "PRICE_CHANGED",
        )
        .also("charge ann price=4001:TOKEN", "CONFIRMATION_REQUIRED"),
        case(
            &["credit ann 1 FIRST"],
            "credit ann 2 FIRST",
            "AMOUNT_TOO_LARGE",
        )
        .also("credit ann 1 FIRST", "BADGE_ALREADY_GRANTED"),
        case(&[], "credit ann 2 UNLIMITED", "AMOUNT_TOO_LARGE"),
        case(&rich, "charge ann price=-1:FIRST", "ASSET_NOT_SPENDABLE")
            .also("charge ann price=-1:TOKEN", "AMOUNT_NOT_POSITIVE"),
        case(
            &["open bob"],
            "transfer ann to bob 0 UNLIMITED",
            "ASSET_NOT_SPENDABLE",
        )
        .also("transfer ann to bob 0 TOKEN", "AMOUNT_NOT_POSITIVE"),
        case(
            &rich,
            "charge ann price=1:TOKEN attr.a=b",
            "INVALID_ATTRIBUTE",
        ),
        case(
            &[],
            "apply other_book expecting=7",
            "CATALOG_FOR_OTHER_BOOK",
        )
        .also("apply plain expecting=7", "CATALOG_CHANGED"),
    ];
    cases.into_iter().map(|case| case.under("policy")).collect()
}
