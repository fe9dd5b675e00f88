//! Payment methods that the hosted page offers.

use crate::model::test_methods;
use crate::pages::Choice;

/// Cards: token, effect, tone, detail.
const CARDS: &[(&str, &str, &str, &str)] = &[
    ("pm_card_visa", "Succeeds", "good", "The payment is captured at once."),
    ("pm_card_chargeDeclined", "Declined", "bad", "The bank rejects the payment without a reason."),
    ("pm_card_authenticationRequired", "Needs 3-D Secure", "warn", "The next page asks you to approve the payment."),
    ("pm_card_chargeDeclinedInsufficientFunds", "Insufficient funds", "bad", "The account does not cover the amount."),
    (
        "pm_card_refundFail",
        "Refund fails later",
        "warn",
        "The payment succeeds; a refund of it is returned by the bank.",
    ),
];

/// Returns the choices for an intent that allows these types of payment methods.
pub(super) fn choices(types: &[String]) -> Vec<Choice> {
    let cards = CARDS.iter().filter(|_| types.iter().any(|kind| kind == "card"));
    let cards = cards.filter_map(|(token, effect, tone, detail)| {
        let method = test_methods::by_token(token)?;
        Some(Choice {
            value: (*token).to_owned(),
            name: test_methods::title(method.brand),
            last4: Some(method.last4),
            effect,
            tone,
            detail,
        })
    });
    let others = types.iter().filter(|kind| *kind != "card").map(|kind| Choice {
        value: kind.clone(),
        name: test_methods::title(kind),
        last4: None,
        effect: "Needs approval",
        tone: "warn",
        detail: "The next page stands for the one of the provider.",
    });
    cards.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_a_test_method() {
        let cards = choices(&["card".to_owned()]);
        assert_eq!(cards.len(), CARDS.len());
        assert_eq!((cards[0].name.as_str(), cards[0].last4), ("Visa", Some("4242")));
    }

    #[test]
    fn only_allowed_types_are_offered() {
        let names = |types: &[&str]| {
            let types: Vec<_> = types.iter().map(|kind| (*kind).to_owned()).collect();
            choices(&types).into_iter().map(|choice| choice.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["paypal"]), ["PayPal"]);
        assert_eq!(names(&["card", "amazon_pay"]).last().map(String::as_str), Some("Amazon pay"));
    }
}
