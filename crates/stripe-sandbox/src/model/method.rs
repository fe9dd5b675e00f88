//! Payment method: a test method under an id of its own.

use serde_json::{Value, json};
use sqlx::FromRow;

use crate::ids;
use crate::model::test_methods::{self, Outcome, REDIRECT, RefundOutcome, TestMethod};

/// Row of `payment_methods`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Method {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) token: String,
    pub(crate) r#type: String,
}

impl Method {
    /// Creates a payment method from a test method.
    pub(crate) fn of_test(test: &TestMethod, created: i64) -> Self {
        Self { id: ids::new("pm"), created, token: test.token.to_owned(), r#type: test.kind.to_owned() }
    }

    /// Creates a payment method of a type that redirects the customer to a page.
    pub(crate) fn redirect(kind: &str, created: i64) -> Self {
        Self { id: ids::new("pm"), created, token: REDIRECT.to_owned(), r#type: kind.to_owned() }
    }

    /// Returns the name shown to a customer, such as `Visa •••• 4242`.
    pub(crate) fn title(&self) -> String {
        match self.last4() {
            "" => test_methods::title(&self.r#type),
            last4 => format!("{} •••• {last4}", test_methods::title(self.brand())),
        }
    }

    /// Returns the outcome of a charge. An unknown token of an older ledger requires an action.
    pub(crate) fn outcome(&self) -> Outcome {
        test_methods::by_token(&self.token).map_or(Outcome::NeedsAction, |test| test.outcome)
    }

    /// Returns the outcome of a refund.
    pub(crate) fn refund_outcome(&self) -> RefundOutcome {
        test_methods::by_token(&self.token).map_or(RefundOutcome::Succeeds, |test| test.refund)
    }

    /// Returns Stripe's payment method object.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({
            "id": self.id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing_details(),
            "created": self.created,
            "customer": null,
            "customer_account": null,
            "livemode": false,
            "metadata": {},
            "type": self.r#type,
        });
        object[self.r#type.as_str()] = self.type_details(json!({
            "display_brand": self.brand(),
            "exp_month": 12,
            "exp_year": 2034,
            "generated_from": null,
            "networks": { "available": [self.brand()], "preferred": null },
            "three_d_secure_usage": { "supported": true },
        }));
        object
    }

    /// Returns `payment_method_details` of a charge.
    pub(crate) fn details(&self) -> Value {
        let mut details = json!({ "type": self.r#type });
        details[self.r#type.as_str()] = self.type_details(json!({
            "exp_month": 12,
            "exp_year": 2034,
            "installments": null,
            "mandate": null,
            "network": self.brand(),
            "network_transaction_id": null,
            "three_d_secure": null,
        }));
        details
    }

    fn brand(&self) -> &'static str {
        test_methods::by_token(&self.token).map_or("", |test| test.brand)
    }

    fn last4(&self) -> &'static str {
        test_methods::by_token(&self.token).map_or("", |test| test.last4)
    }

    /// Returns the details of a card, extended by `more`; other types have none here.
    fn type_details(&self, more: Value) -> Value {
        if self.r#type != "card" {
            return json!({});
        }
        let mut card = json!({
            "brand": self.brand(),
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "funding": if self.token.ends_with("_debit") { "debit" } else { "credit" },
            "fingerprint": format!("sandbox{}", self.last4()),
            "last4": self.last4(),
            "regulated_status": "unregulated",
            "wallet": null,
        });
        if let (Value::Object(card), Value::Object(more)) = (&mut card, more) {
            card.extend(more);
        }
        card
    }
}

/// Returns empty billing details.
pub(crate) fn billing_details() -> Value {
    json!({
        "address": {
            "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
        },
        "email": null,
        "name": null,
        "phone": null,
        "tax_id": null,
    })
}
