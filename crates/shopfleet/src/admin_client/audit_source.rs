//! Audit rows over HTTP.

use std::collections::BTreeMap;
use std::fmt::Display;

use ::audit::{AuditSource, ProviderIntent, Watermark};
use common::config::ServiceName;
use contracts::api::OutboxState;
use contracts::audit::{OrderAudit, PaymentAudit, ProductAudit};
use contracts::{Money, OrderId, PaymentId, ProductId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::AdminClient;
use crate::CliError;

/// Rows per page of a service.
const PAGE_SIZE: usize = 500;

impl AdminClient {
    async fn audit_page<Row: DeserializeOwned, Id: Copy + Display>(
        &self,
        service: ServiceName,
        watermark: Watermark<Id>,
    ) -> Result<Vec<Row>, CliError> {
        let after = watermark.after().map(|id| format!("&after={id}")).unwrap_or_default();
        self.ops(service, &format!("/ops/audit?limit={PAGE_SIZE}{after}")).await
    }
}

impl AuditSource for AdminClient {
    type Error = CliError;

    async fn products(&self, watermark: Watermark<ProductId>) -> Result<Vec<ProductAudit>, CliError> {
        self.audit_page(ServiceName::Product, watermark).await
    }

    async fn orders(&self, watermark: Watermark<OrderId>) -> Result<Vec<OrderAudit>, CliError> {
        self.audit_page(ServiceName::Order, watermark).await
    }

    async fn payments(&self, watermark: Watermark<PaymentId>) -> Result<Vec<PaymentAudit>, CliError> {
        self.audit_page(ServiceName::Payment, watermark).await
    }

    async fn outboxes(&self) -> Result<BTreeMap<String, OutboxState>, CliError> {
        let mut outboxes = BTreeMap::new();
        for name in ServiceName::ALL {
            outboxes.insert(name.as_str().to_owned(), self.ops(*name, "/ops/outbox").await?);
        }
        Ok(outboxes)
    }

    /// Returns the dead letters for an admin alone: their bodies contain personal data, which the scope `ops:read` does not
    /// include.
    async fn dead_letters(&self) -> Result<Option<BTreeMap<String, usize>>, CliError> {
        if !self.is_admin() {
            return Ok(None);
        }
        let mut by_queue: BTreeMap<String, usize> = BTreeMap::new();
        for (_, letter) in self.dead_letters().await? {
            *by_queue.entry(letter["queue"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        Ok(Some(by_queue))
    }

    async fn provider_intents(&self) -> Result<Option<Vec<ProviderIntent>>, CliError> {
        let Some(intents) = self.provider_list("payment_intents").await? else { return Ok(None) };
        let refunds = self.provider_list("refunds").await?.unwrap_or_default();
        let mut refunded: BTreeMap<&str, i64> = BTreeMap::new();
        for refund in refunds.iter().filter(|refund| refund["status"] == "succeeded") {
            let intent = refund["payment_intent"].as_str().unwrap_or_default();
            *refunded.entry(intent).or_default() += refund["amount"].as_i64().unwrap_or_default();
        }
        let parse = |intent: &Value| {
            let id = intent["id"].as_str().unwrap_or_default();
            ProviderIntent {
                id: id.to_owned(),
                payment: intent.pointer("/metadata/payment_id").and_then(|id| id.as_str()?.parse().ok()),
                received: Money::from_cents(intent["amount_received"].as_i64().unwrap_or_default()),
                refunded: Money::from_cents(refunded.get(id).copied().unwrap_or_default()),
            }
        };
        Ok(Some(intents.iter().map(parse).collect()))
    }
}
