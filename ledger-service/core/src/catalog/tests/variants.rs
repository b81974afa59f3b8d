//! Attributes and their combinations: chosen, and refused where they are wrong.

use super::*;
use crate::catalog::{AttributeProblem, Operation};
use crate::name::Name;

/// An operation that needs a size, and is not done with both of the best.
const OPERATION: &str = "\
[operations.x]
attributes.size = { values = ['s', 'm', 'l'] }
attributes.model = { values = ['a', 'b'], default = 'a' }
[[operations.x.variants]]
when = { model = 'a' }
prices = [{ asset = 'RUB', amount = 1 }]
[[operations.x.variants]]
when = { model = 'b', size = ['s', 'm'] }
prices = [{ asset = 'RUB', amount = 2 }]
[[operations.x.variants]]
when = { model = 'b', size = 'l' }
refused = true
";

type Attributes = BTreeMap<Name, Name>;

fn said(pairs: &[(&str, &str)]) -> Attributes {
    pairs
        .iter()
        .map(|(attribute, value)| ((*attribute).into(), (*value).into()))
        .collect()
}

fn operation() -> Operation {
    let catalog = accept(&format!("{HEAD}{OPERATION}"), &[]).catalog;
    catalog.operations["x"].clone()
}

#[test]
fn what_is_said_chooses_the_price() {
    let operation = operation();
    for (given, complete, amount) in [
        (
            said(&[("size", "l")]),
            said(&[("size", "l"), ("model", "a")]),
            1,
        ),
        (
            said(&[("size", "m"), ("model", "b")]),
            said(&[("size", "m"), ("model", "b")]),
            2,
        ),
    ] {
        let chosen = operation.choose(&given).expect("a price");
        assert_eq!(*chosen.attributes, complete);
        assert_eq!(chosen.prices[0].amount, amount);
    }
}

#[test]
fn what_cannot_be_chosen_is_said() {
    let operation = operation();
    let missing = AttributeProblem::Missing {
        attribute: "size".into(),
    };
    assert_eq!(operation.choose(&said(&[])), Err(missing));
    let unknown = AttributeProblem::Unknown {
        attribute: "colour".into(),
    };
    assert_eq!(operation.choose(&said(&[("colour", "red")])), Err(unknown));
    let not_allowed = AttributeProblem::NotAllowed {
        attribute: "size".into(),
        value: "xl".into(),
        allowed: vec!["l".into(), "m".into(), "s".into()],
    };
    assert_eq!(operation.choose(&said(&[("size", "xl")])), Err(not_allowed));
    let combination = said(&[("size", "l"), ("model", "b")]);
    let refused = AttributeProblem::Refused {
        combination: combination.clone(),
    };
    assert_eq!(operation.choose(&combination), Err(refused));
}

#[test]
fn wrong_variants_are_said_once() {
    let operation = |variants: &str| {
        format!(
            "[operations.x]\nattributes.m = {{ values = ['a', 'b'] }}\nvariants = [\n{variants}]"
        )
    };
    let (price, covers) = (
        "prices = [{ asset = 'RUB', amount = 1 }]",
        "{ when = { m = 'b' }, refused = true },\n",
    );
    for (variant, expected) in [
        (
            format!("{{ when = {{ n = 'a' }}, {price} }}"),
            "variants[1].when.n: no such attribute; did you mean m?",
        ),
        (
            format!("{{ when = {{ m = 'c' }}, {price} }}"),
            "variants[1].when.m: is not one of the values; did you mean a?",
        ),
        (
            format!("{{ when = {{ m = [] }}, {price} }}"),
            "variants[1].when.m: must have a value",
        ),
        (
            format!("{{ when = {{ m = ['a', 'a'] }}, {price} }}"),
            "variants[1].when.m[1]: given twice",
        ),
        (
            format!("{{ when = {{}}, {price} }}"),
            "variants[1].when: must name an attribute",
        ),
        (format!("{{ {price} }}"), "variants[1].when: is required"),
        (
            "{ when = { m = 'a' } }".to_owned(),
            "variants[1].prices: is required",
        ),
        (
            "{ when = { m = 'a' }, refused = false }".to_owned(),
            "variants[1].prices: is required",
        ),
    ] {
        let text = operation(&format!("{covers}{variant}"));
        check(&text, &[], &[&format!("line 11: operations.x.{expected}")]);
    }
    check(
        &operation(covers),
        &[],
        &["line 7: operations.x: has no price for m = a"],
    );
    check(
        &operation(""),
        &[],
        &["line 7: operations.x.prices: is required"],
    );
}

/// Variants are not held against attributes that are wrong themselves.
#[test]
fn wrong_attributes_are_said_once() {
    let variants = "variants = [{ when = { m = 'a' }, prices = [{ asset = 'RUB', amount = 1 }] }]";
    for (attributes, expected) in [
        (
            "{ m = { values = [] } }",
            "attributes.m.values: must have 1 to 64 items",
        ),
        (
            "{ m = { default = 'a' } }",
            "attributes.m.values: is required",
        ),
        (
            "{ m = { values = ['a', 'a'] } }",
            "attributes.m.values[1]: given twice",
        ),
        (
            "{ m = { values = ['a', 'b c'] } }",
            "attributes.m.values[1]: must be 1 to 63 letters, digits and . _ : -, beginning with a letter or digit",
        ),
        (
            "{ m = { values = ['a'], default = 'b' } }",
            "attributes.m.default: is not one of the values; did you mean a?",
        ),
    ] {
        let text = format!("[operations.x]\nattributes = {attributes}\n{variants}");
        check(&text, &[], &[&format!("line 8: operations.x.{expected}")]);
    }
}

#[test]
fn combinations_are_bounded() {
    let price = "prices = [{ asset = 'RUB', amount = 1 }]";
    let attributes = |count: usize, values: usize| {
        let values: Vec<String> = (0..values).map(|value| format!("'v{value}'")).collect();
        let values = values.join(", ");
        let lines: Vec<String> = (0..count)
            .map(|index| format!("attributes.a{index} = {{ values = [{values}] }}\n"))
            .collect();
        format!("[operations.x]\n{}{price}", lines.concat())
    };
    accept(&format!("{HEAD}{}", attributes(2, 32)), &[]);
    accept(&format!("{HEAD}{}", attributes(8, 2)), &[]);
    check(
        &attributes(3, 11),
        &[],
        &["line 8: operations.x.attributes: must have 1024 combinations of values or less"],
    );
    check(
        &attributes(9, 1),
        &[],
        &["line 8: operations.x.attributes: must have 8 attributes or less"],
    );
}
