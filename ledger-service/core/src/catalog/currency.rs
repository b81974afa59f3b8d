//! What is known of currencies: how many decimals their minor units have.
//!
//! Everybody who pays counts in the minor units of ISO 4217, so a book that
//! counted otherwise would be wrong by a power of ten. The source is ISO 4217
//! list one (currencies and funds in use), published by SIX as the standard's
//! maintenance agency.

/// Currencies with two decimals.
const TWO: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN \
    BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT \
    LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO \
    NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
    SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD \
    XCG YER ZAR ZMW ZWG";
/// Currencies without decimals.
const NONE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Currencies with three decimals.
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Currencies with four decimals.
const FOUR: &str = "CLF UYW";
/// Telegram Stars, which Telegram counts whole. No code of ISO 4217.
const STARS: &str = "XTR";

/// How many decimals the minor units of a currency have; nothing if the code
/// is not known.
pub(super) fn exponent(code: &str) -> Option<u8> {
    let lists = [(2, TWO), (0, NONE), (3, THREE), (4, FOUR), (0, STARS)];
    let has = |list: &str| list.split_ascii_whitespace().any(|known| known == code);
    lists
        .into_iter()
        .find_map(|(exponent, list)| has(list).then_some(exponent))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn currencies_have_their_decimals() {
        // Those of `bot-gateway/src/money.rs`, which always sends hundredths.
        let of_the_gateway = "RUB EUR USD KZT BYN UAH UZS TRY INR MDL AZN AMD";
        for code in of_the_gateway.split(' ') {
            assert_eq!(exponent(code), Some(2), "{code}");
        }
        for (code, expected) in [
            ("JPY", Some(0)),
            ("XTR", Some(0)),
            ("KWD", Some(3)),
            ("CLF", Some(4)),
            ("RUBLES", None),
            ("RU", None),
            ("", None),
            ("ABC", None),
        ] {
            assert_eq!(exponent(code), expected, "{code}");
        }
    }

    #[test]
    fn each_code_is_listed_once() {
        let lists = [TWO, NONE, THREE, FOUR, STARS].join(" ");
        let codes: Vec<&str> = lists.split_ascii_whitespace().collect();
        let different: BTreeSet<&str> = codes.iter().copied().collect();
        assert_eq!(different.len(), codes.len());
        let is_code = |code: &&str| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
        assert!(codes.iter().all(is_code));
    }
}
