//! Currencies of Stripe, and the format of amounts in its messages.

/// Currencies in lower case (<https://docs.stripe.com/currencies>).
const CURRENCIES: &[&str] = &[
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bif",
    "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc", "cve",
    "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq",
    "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jpy", "kes", "kgs", "khr", "kmf", "krw",
    "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr",
    "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "pab", "pen", "pgk", "php", "pkr", "pln",
    "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos", "srd", "std",
    "szl", "thb", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "uyu", "uzs", "vnd", "vuv", "wst", "xaf",
    "xcd", "xof", "xpf", "yer", "zar", "zmw",
];

/// Currencies without decimals.
const WITHOUT_DECIMALS: &[&str] =
    &["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"];

/// Returns the currency in lower case if Stripe supports it.
pub(crate) fn parse(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    CURRENCIES.contains(&lower.as_str()).then_some(lower)
}

/// Returns the list of all currencies for a message.
pub(crate) fn all() -> String {
    CURRENCIES.join(", ")
}

/// Formats an amount in the currency's smallest unit, such as `$12.34` or `12.34 CHF`.
pub(crate) fn format(amount: i64, currency: &str) -> String {
    let number = if WITHOUT_DECIMALS.contains(&currency) {
        amount.to_string()
    } else {
        format!("{}.{:02}", amount / 100, amount % 100)
    };
    match currency {
        "usd" => format!("${number}"),
        "eur" => format!("€{number}"),
        "gbp" => format!("£{number}"),
        "jpy" => format!("¥{number}"),
        other => format!("{number} {}", other.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amount_has_the_decimals_of_its_currency() {
        assert_eq!(format(1234, "usd"), "$12.34");
        assert_eq!(format(5, "eur"), "€0.05");
        assert_eq!(format(1234, "jpy"), "¥1234");
        assert_eq!(format(100, "chf"), "1.00 CHF");
    }

    #[test]
    fn currency_is_parsed_to_lower_case() {
        assert_eq!(parse("USD").as_deref(), Some("usd"));
        assert_eq!(parse("xyz"), None);
    }
}
