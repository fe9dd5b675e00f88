//! Stock: pieces add up, and belong to orders.

use std::collections::HashMap;

use contracts::ProductId;
use contracts::api::OrderStatus;
use contracts::audit::ProductAudit;

use super::{Report, Rule};
use crate::AuditSnapshot;

/// Pieces per product.
type Pieces = HashMap<ProductId, i64>;

pub(super) fn stock_balance(snapshot: &AuditSnapshot, report: &mut Report<'_>) {
    let (mut pending, mut confirmed) = ordered_pieces(snapshot);
    for product in &snapshot.products {
        adds_up(product, report);
        let pending = pending.remove(&product.id).unwrap_or_default();
        let confirmed = confirmed.remove(&product.id).unwrap_or_default();
        belongs_to_orders(product, pending, confirmed, report);
    }
    for (product, pieces) in pending.into_iter().chain(confirmed) {
        let text = format!("orders contain {pieces} pieces, but the product does not exist");
        report(Rule::PiecesBelongToOrders, format!("product {product}"), text);
    }
}

/// Returns the pieces of pending and of confirmed orders.
fn ordered_pieces(snapshot: &AuditSnapshot) -> (Pieces, Pieces) {
    let (mut pending, mut confirmed) = (Pieces::new(), Pieces::new());
    for order in &snapshot.orders {
        let pieces = match order.status {
            OrderStatus::Cancelled => continue,
            OrderStatus::Pending => &mut pending,
            _ => &mut confirmed,
        };
        for line in &order.items {
            *pieces.entry(line.product_id).or_default() += line.quantity;
        }
    }
    (pending, confirmed)
}

fn adds_up(product: &ProductAudit, report: &mut Report<'_>) {
    let about = || format!("product {}", product.id);
    let expected = product.initial + product.adjustments;
    let actual = product.available + product.reserved + product.sold;
    if expected != actual {
        let text = format!(
            "{} initial and {:+} adjusted are {expected}, but {} available, {} reserved and {} sold are {actual}",
            product.initial, product.adjustments, product.available, product.reserved, product.sold
        );
        report(Rule::PiecesAddUp, about(), text);
    }
    for (name, pieces) in [("available", product.available), ("reserved", product.reserved), ("sold", product.sold)] {
        if pieces < 0 {
            report(Rule::PiecesAddUp, about(), format!("{pieces} pieces are {name}"));
        }
    }
}

fn belongs_to_orders(product: &ProductAudit, pending: i64, confirmed: i64, report: &mut Report<'_>) {
    let about = || format!("product {}", product.id);
    if product.reserved != pending {
        let expiring = match product.expiring {
            0 => String::new(),
            pieces => format!(" ({pieces} until their reservations expire)"),
        };
        let text = format!("{} pieces are reserved{expiring}, but pending orders have {pending}", product.reserved);
        report(Rule::PiecesBelongToOrders, about(), text);
    }
    if product.sold != confirmed {
        let text = format!("{} pieces are sold, but confirmed orders have {confirmed}", product.sold);
        report(Rule::PiecesBelongToOrders, about(), text);
    }
}
