//! `POST /v1/payment_intents` (<https://docs.stripe.com/api/payment_intents/create>)

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;

use crate::http::auth::Caller;
use crate::http::execute::{Operation, execute};
use crate::http::params::{self, Params};
use crate::http::request::AccountOnly;
use crate::http::response::{ApiError, ApiResponse};
use crate::ids;
use crate::model::currency;
use crate::model::intent::{Intent, IntentStatus};
use crate::model::json_text::JsonText;
use crate::operations::method_choice::{self, MethodChoice};
use crate::operations::{charge, intent_checks};
use crate::state::{AppState, Settings};
use crate::store::{intents, methods};
use crate::transaction::LedgerTx;

/// Minimum amount; at Stripe it is about 50 cents.
const MIN_AMOUNT: i64 = 1;
/// Maximum amount: eight digits, as at Stripe.
const MAX_AMOUNT: i64 = 99_999_999;

/// Creates an intent, and confirms it at once if `confirm` is set.
pub(crate) async fn handle(
    State(app): State<AppState>,
    AccountOnly(request): AccountOnly,
) -> Result<Response, ApiError> {
    let operation = Create::parse(&request.params, &app.settings)?;
    execute(&app, &request, operation).await
}

/// Creation of an intent.
#[derive(Debug)]
struct Create {
    amount: i64,
    currency: String,
    description: Option<String>,
    receipt_email: Option<String>,
    metadata: BTreeMap<String, String>,
    types: Vec<String>,
    automatic: bool,
    allow_redirects: String,
    method: Option<MethodChoice>,
    return_url: Option<String>,
    confirm: bool,
}

impl Create {
    /// Parses the parameters.
    fn parse(params: &Params, settings: &Settings) -> Result<Self, ApiError> {
        params.only(KNOWN, IGNORED, UNSUPPORTED)?;
        let amount = params.integer_from("amount", MIN_AMOUNT)?;
        let amount = amount.ok_or_else(|| params::missing("amount"))?;
        let currency = params.required("currency")?;
        let Some(currency) = currency::parse(currency) else {
            return Err(ApiError::invalid(format!(
                "Invalid currency: {currency}. Stripe currently supports these currencies: {}",
                currency::all()
            ))
            .param("currency"));
        };
        if amount > MAX_AMOUNT {
            let max = currency::format(MAX_AMOUNT, &currency);
            return Err(ApiError::invalid(format!("Amount must be no more than {max}"))
                .code("amount_too_large")
                .param("amount"));
        }
        params.choice("capture_method", &["automatic", "automatic_async"])?;
        params.choice("confirmation_method", &["automatic"])?;
        let (automatic, types) = method_types(params, settings)?;
        let confirm = params.flag("confirm")?;
        let return_url = method_choice::return_url(params)?;
        if return_url.is_some() && !confirm {
            return Err(ApiError::invalid(
                "The parameter `return_url` cannot be passed when creating a PaymentIntent unless `confirm` is set to true.",
            )
            .param("return_url"));
        }
        let method = MethodChoice::parse(params)?;
        if confirm && method.is_none() {
            return Err(intent_checks::missing_method());
        }
        let redirects = params.inner("automatic_payment_methods")?.unwrap_or_default();
        let allow_redirects = redirects.choice("allow_redirects", &["always", "never"])?;
        Ok(Self {
            amount,
            currency,
            description: params.text("description")?.map(str::to_owned),
            receipt_email: params.text("receipt_email")?.map(str::to_owned),
            metadata: params.metadata()?,
            types,
            automatic,
            allow_redirects: allow_redirects.unwrap_or("always").to_owned(),
            method,
            return_url,
            confirm,
        })
    }

    fn intent(self, created: i64) -> Intent {
        let id = ids::new("pi");
        Intent {
            client_secret: ids::client_secret(&id),
            id,
            created,
            amount: self.amount,
            amount_received: 0,
            currency: self.currency,
            status: IntentStatus::RequiresPaymentMethod,
            description: self.description,
            receipt_email: self.receipt_email,
            metadata: JsonText(self.metadata),
            automatic_methods: self.automatic,
            allow_redirects: self.allow_redirects,
            payment_method_types: JsonText(self.types),
            payment_method: None,
            return_url: self.return_url,
            latest_charge: None,
            last_payment_error: None,
            canceled_at: None,
            cancellation_reason: None,
        }
    }
}

impl Operation for Create {
    async fn run(self, tx: &mut LedgerTx) -> Result<ApiResponse, ApiError> {
        let (confirm, choice) = (self.confirm, self.method.clone());
        let mut intent = self.intent(tx.now.seconds());
        let Some(choice) = choice else {
            intents::insert(tx.conn(), &intent).await?;
            return Ok(ApiResponse::ok(intent.to_json(&tx.settings.hosted_url)));
        };
        let method = choice.resolve(tx).await?;
        method_choice::check_type(&intent, &method)?;
        if confirm {
            method_choice::check_return_url(&intent, &method, Caller::Account)?;
        }
        methods::insert_if_absent(tx.conn(), &method).await?;
        intent.payment_method = Some(method.id.clone());
        intent.status = IntentStatus::RequiresConfirmation;
        intents::insert(tx.conn(), &intent).await?;
        if confirm {
            return Ok(charge::attempt(tx, intent, &method, Caller::Account).await?);
        }
        Ok(ApiResponse::ok(intent.to_json(&tx.settings.hosted_url)))
    }
}

/// Returns whether the payment method types are those of the account, which is the default, and the types.
fn method_types(params: &Params, settings: &Settings) -> Result<(bool, Vec<String>), ApiError> {
    let named = params.list("payment_method_types")?;
    let automatic = params.inner("automatic_payment_methods")?;
    if let Some(automatic) = &automatic {
        automatic.only(&["enabled", "allow_redirects"], &[], &[])?;
        if automatic.text("enabled")?.is_none() {
            return Err(params::missing("automatic_payment_methods[enabled]"));
        }
    }
    let enabled = automatic.map(|inner| inner.flag("enabled")).transpose()?;
    match (named, enabled) {
        (Some(_), Some(true)) => Err(ApiError::invalid(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
        )
        .code("parameters_exclusive")),
        (Some(types), _) => {
            for (index, kind) in types.iter().enumerate() {
                check_enabled(kind, index, &types, settings)?;
            }
            Ok((false, types))
        }
        (None, Some(false)) => Ok((false, vec!["card".to_owned()])),
        (None, _) => Ok((true, settings.payment_method_types.clone())),
    }
}

fn check_enabled(kind: &str, index: usize, types: &[String], settings: &Settings) -> Result<(), ApiError> {
    if types.iter().take(index).any(|earlier| earlier == kind) {
        let message = format!("The payment method type {kind} was given twice.");
        return Err(ApiError::invalid(message).param("payment_method_types"));
    }
    if settings.payment_method_types.iter().any(|enabled| enabled == kind) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "The payment method type provided: {kind} is invalid. Please ensure the provided type is activated in your \
         dashboard (https://dashboard.stripe.com/account/payments/settings) and your account is enabled for any preview \
         features that you are trying to use. See https://stripe.com/docs/payments/payment-methods/integration-options \
         for supported payment method, currency, and country options."
    ))
    .param("payment_method_types"))
}

const KNOWN: &[&str] = &[
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "currency",
    "description",
    "metadata",
    "payment_method",
    "payment_method_data",
    "payment_method_types",
    "receipt_email",
    "return_url",
];

const IGNORED: &[&str] = &[
    "amount_details",
    "payment_details",
    "payment_method_options",
    "radar_options",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "use_stripe_sdk",
];

const UNSUPPORTED: &[&str] = &[
    "allowed_payment_method_types",
    "application_fee_amount",
    "confirmation_token",
    "customer",
    "customer_account",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "hooks",
    "mandate",
    "mandate_data",
    "off_session",
    "on_behalf_of",
    "payment_method_configuration",
    "setup_future_usage",
    "transfer_data",
    "transfer_group",
];
