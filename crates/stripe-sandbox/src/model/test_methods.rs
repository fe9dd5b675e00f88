//! Stripe's test payment methods (<https://docs.stripe.com/testing>) and their outcomes.

/// Outcome of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Test outcome: immediate success.
    Succeeds,
    /// Test outcome: decline by the issuer.
    Declined(Decline),
    /// Success after an action of the customer on a page.
    NeedsAction,
}

/// Reason of a decline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decline {
    pub(crate) code: &'static str,
    pub(crate) decline_code: Option<&'static str>,
    pub(crate) message: &'static str,
}

/// Most common decline.
pub(crate) const GENERIC_DECLINE: Decline =
    Decline { code: "card_declined", decline_code: Some("generic_decline"), message: "Your card was declined." };

/// Outcome of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundOutcome {
    /// Refund outcome: immediate success.
    Succeeds,
    /// Refund outcome: pending at first, success later.
    SucceedsLater,
    /// Refund outcome: success at first, failure later.
    FailsLater,
}

/// Test method and its outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestMethod {
    pub(crate) token: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) last4: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) refund: RefundOutcome,
}

/// Token of payment methods with a page, such as PayPal in `payment_method_data`.
pub(crate) const REDIRECT: &str = "redirect";

const fn card(token: &'static str, brand: &'static str, last4: &'static str, outcome: Outcome) -> TestMethod {
    TestMethod { token, kind: "card", brand, last4, outcome, refund: RefundOutcome::Succeeds }
}

const fn declined(
    token: &'static str,
    last4: &'static str,
    decline_code: &'static str,
    text: &'static str,
) -> TestMethod {
    let decline = Decline { code: "card_declined", decline_code: Some(decline_code), message: text };
    card(token, "visa", last4, Outcome::Declined(decline))
}

const fn declined_with_code(
    token: &'static str,
    last4: &'static str,
    code: &'static str,
    text: &'static str,
) -> TestMethod {
    let decline = Decline { code, decline_code: None, message: text };
    card(token, "visa", last4, Outcome::Declined(decline))
}

const fn refunding(token: &'static str, last4: &'static str, refund: RefundOutcome) -> TestMethod {
    TestMethod { refund, ..card(token, "visa", last4, Outcome::Succeeds) }
}

const DECLINED: &str = "Your card was declined.";

const METHODS: &[TestMethod] = &[
    card("pm_card_visa", "visa", "4242", Outcome::Succeeds),
    card("pm_card_visa_debit", "visa", "5556", Outcome::Succeeds),
    card("pm_card_mastercard", "mastercard", "4444", Outcome::Succeeds),
    card("pm_card_mastercard_debit", "mastercard", "8210", Outcome::Succeeds),
    card("pm_card_amex", "amex", "0005", Outcome::Succeeds),
    card("pm_card_discover", "discover", "1117", Outcome::Succeeds),
    card("pm_card_diners", "diners", "0004", Outcome::Succeeds),
    card("pm_card_jcb", "jcb", "0505", Outcome::Succeeds),
    card("pm_card_unionpay", "unionpay", "0005", Outcome::Succeeds),
    card("pm_card_authenticationRequired", "visa", "3184", Outcome::NeedsAction),
    card("pm_card_threeDSecure2Required", "visa", "3220", Outcome::NeedsAction),
    card("pm_card_threeDSecureRequired", "visa", "3063", Outcome::NeedsAction),
    declined("pm_card_chargeDeclined", "0002", "generic_decline", DECLINED),
    declined(
        "pm_card_chargeDeclinedInsufficientFunds",
        "9995",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    declined("pm_card_chargeDeclinedLostCard", "9987", "lost_card", DECLINED),
    declined("pm_card_chargeDeclinedStolenCard", "9979", "stolen_card", DECLINED),
    declined("pm_card_chargeDeclinedFraudulent", "0019", "fraudulent", DECLINED),
    declined(
        "pm_card_chargeDeclinedVelocityLimitExceeded",
        "6975",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    declined_with_code("pm_card_chargeDeclinedExpiredCard", "0069", "expired_card", "Your card has expired."),
    declined_with_code(
        "pm_card_chargeDeclinedIncorrectCvc",
        "0127",
        "incorrect_cvc",
        "Your card's security code is incorrect.",
    ),
    declined_with_code(
        "pm_card_chargeDeclinedProcessingError",
        "0119",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    refunding("pm_card_pendingRefund", "7726", RefundOutcome::SucceedsLater),
    refunding("pm_card_refundFail", "5126", RefundOutcome::FailsLater),
    TestMethod {
        token: "pm_paypal",
        kind: "paypal",
        brand: "",
        last4: "",
        outcome: Outcome::Succeeds,
        refund: RefundOutcome::Succeeds,
    },
    TestMethod {
        token: REDIRECT,
        kind: "",
        brand: "",
        last4: "",
        outcome: Outcome::NeedsAction,
        refund: RefundOutcome::Succeeds,
    },
];

/// Returns the test method of a token in the ledger.
pub(crate) fn by_token(token: &str) -> Option<&'static TestMethod> {
    METHODS.iter().find(|method| method.token == token)
}

/// Returns the test method of a name in a request. Declines have aliases with a brand: `pm_card_visa_chargeDeclined…`.
pub(crate) fn by_name(name: &str) -> Option<&'static TestMethod> {
    if name == REDIRECT {
        return None;
    }
    by_token(name).or_else(|| {
        let rest = name.strip_prefix("pm_card_visa_chargeDeclined")?;
        by_token(&format!("pm_card_chargeDeclined{rest}"))
    })
}

/// Returns the name of a brand or type shown to a customer: `visa` is `Visa`, `amazon_pay` is `Amazon pay`.
pub(crate) fn title(name: &str) -> String {
    if name == "paypal" {
        return "PayPal".to_owned();
    }
    let spaced = name.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decline_has_an_alias_with_its_brand() {
        let plain = by_name("pm_card_chargeDeclined").unwrap();
        assert_eq!(by_name("pm_card_visa_chargeDeclined").unwrap().token, plain.token);
        assert!(by_name("pm_card_unknown").is_none());
        assert!(by_name(REDIRECT).is_none());
    }

    #[test]
    fn tokens_are_unique() {
        for method in METHODS {
            assert_eq!(METHODS.iter().filter(|other| other.token == method.token).count(), 1);
        }
    }
}
