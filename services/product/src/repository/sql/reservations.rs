//! Reservations, and the stock that they move.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Connection, Row, Sql, Statement, query};
use contracts::OrderId;
use contracts::api::{Reservation, ReservationLine, ReservationStatus, Shortage};

use super::require_row;
use crate::domain::{NewReservation, ReservationAction};
use crate::repository::ReserveOutcome;

/// Reservation of an order.
pub const RESERVATION: &str = "SELECT status, expires_at FROM reservations WHERE order_id = $1";
/// Reservation of an order, locked.
static RESERVATION_FOR_UPDATE: Statement = Statement::new(|db| format!("{RESERVATION} {}", db.row_lock("FOR UPDATE")));
/// Lines of a reservation.
pub const LINES: &str = "SELECT product_id, quantity FROM reservation_lines WHERE order_id = $1 ORDER BY product_id";

const INSERT: &str = "INSERT INTO reservations (order_id, status, expires_at, due_at, created_at, updated_at)
    VALUES ($1, $2, $3, $3, $4, $4) ON CONFLICT DO NOTHING";
const INSERT_LINE: &str = "INSERT INTO reservation_lines (order_id, product_id, quantity) VALUES ($1, $2, $3)";
const INSERT_TOMBSTONE: &str =
    "INSERT INTO reservations (order_id, status, created_at, updated_at) VALUES ($1, $2, $3, $3)";
const UPDATE_STATUS: &str = "UPDATE reservations SET status = $1, expires_at = NULL, due_at = NULL, updated_at = $2
    WHERE order_id = $3 AND status = $4";

const AVAILABLE: &str = "SELECT stock_quantity FROM products WHERE id = $1 AND active";
const RESERVE: &str = "UPDATE products SET stock_quantity = stock_quantity - $1, reserved = reserved + $1
    WHERE id = $2 AND active AND stock_quantity >= $1";
const COMMIT: &str = "UPDATE products SET reserved = reserved - $1, sold = sold + $1 WHERE id = $2";
const RELEASE: &str =
    "UPDATE products SET reserved = reserved - $1, stock_quantity = stock_quantity + $1 WHERE id = $2";
const RESTOCK: &str = "UPDATE products SET sold = sold - $1, stock_quantity = stock_quantity + $1 WHERE id = $2";

/// Returns the reservation of an order.
pub(super) async fn find(db: &mut Connection, order: OrderId) -> Result<Option<Reservation>, StoreError> {
    find_by(db, RESERVATION.into(), order).await
}

/// Returns the reservation of an order and locks it until the transaction ends.
pub(super) async fn find_for_update(db: &mut Connection, order: OrderId) -> Result<Option<Reservation>, StoreError> {
    find_by(db, (&RESERVATION_FOR_UPDATE).into(), order).await
}

async fn find_by(db: &mut Connection, statement: Sql, order: OrderId) -> Result<Option<Reservation>, StoreError> {
    let Some(row) = query(statement).bind(order).fetch_optional(db).await? else { return Ok(None) };
    let lines = query(LINES).bind(order).fetch_all(db).await?;
    Ok(Some(Reservation {
        order_id: order,
        status: row.parse("status")?,
        expires_at: row.get("expires_at")?,
        items: lines.iter().map(map_line).collect::<Result<_, _>>()?,
    }))
}

fn map_line(row: &Row) -> Result<ReservationLine, StoreError> {
    Ok(ReservationLine { product_id: row.get("product_id")?, quantity: row.get("quantity")? })
}

/// Moves stock from available to reserved. Products are locked in the order of their ids. Returns the reason if not all
/// lines can be reserved.
pub(super) async fn move_to_reserved(
    db: &mut Connection,
    lines: &[ReservationLine],
) -> Result<Option<ReserveOutcome>, StoreError> {
    let (mut unknown, mut shortages) = (Vec::new(), Vec::new());
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort_unstable_by_key(|line| line.product_id);
    for &ReservationLine { product_id, quantity } in lines {
        if query(RESERVE).bind(quantity).bind(product_id).execute(db).await? == 1 {
            continue;
        }
        match query(AVAILABLE).bind(product_id).fetch_optional_scalar(db).await? {
            Some(available) => shortages.push(Shortage { product_id, requested: quantity, available }),
            None => unknown.push(product_id),
        }
    }
    Ok(match (unknown.is_empty(), shortages.is_empty()) {
        (false, _) => Some(ReserveOutcome::ProductsNotFound(unknown)),
        (true, false) => Some(ReserveOutcome::Insufficient(shortages)),
        (true, true) => None,
    })
}

/// Inserts the row of a new reservation; returns false if the order has one. Waits for a concurrent insertion.
pub(super) async fn insert_reservation(
    db: &mut Connection,
    new: &NewReservation,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let status = ReservationStatus::Reserved.as_str();
    let inserted = query(INSERT).bind(new.order_id).bind(status).bind(new.expires_at).bind(now).execute(db).await?;
    Ok(inserted == 1)
}

/// Inserts the lines of a new reservation.
pub(super) async fn insert_lines(db: &mut Connection, new: &NewReservation) -> Result<Reservation, StoreError> {
    for line in &new.lines {
        query(INSERT_LINE).bind(new.order_id).bind(line.product_id).bind(line.quantity).execute(db).await?;
    }
    Ok(Reservation {
        order_id: new.order_id,
        status: ReservationStatus::Reserved,
        expires_at: Some(new.expires_at),
        items: new.lines.clone(),
    })
}

/// Applies an action to the reservation of an order; returns the result.
pub(super) async fn apply(
    db: &mut Connection,
    order: OrderId,
    current: Option<Reservation>,
    action: ReservationAction,
    now: DateTime<Utc>,
) -> Result<Option<Reservation>, StoreError> {
    let Some(mut reservation) = current else {
        return match action {
            ReservationAction::Keep => Ok(None),
            ReservationAction::Tombstone => insert_tombstone(db, order, now).await.map(Some),
            _ => Err(unexpected_transition(order, action)),
        };
    };
    let (status, move_stock) = match action {
        ReservationAction::Keep => return Ok(Some(reservation)),
        ReservationAction::Tombstone => return Err(unexpected_transition(order, action)),
        ReservationAction::Hold => (ReservationStatus::Held, None),
        ReservationAction::Commit => (ReservationStatus::Committed, Some(COMMIT)),
        ReservationAction::Release | ReservationAction::Expire => (ReservationStatus::Released, Some(RELEASE)),
        ReservationAction::Restock => (ReservationStatus::Released, Some(RESTOCK)),
    };
    let update = query(UPDATE_STATUS).bind(status.as_str()).bind(now).bind(order).bind(reservation.status.as_str());
    require_row(update.execute(db).await?, "reservation")?;
    if let Some(statement) = move_stock {
        for line in &reservation.items {
            let moved = query(statement).bind(line.quantity).bind(line.product_id).execute(db).await?;
            require_row(moved, "product")?;
        }
    }
    reservation.status = status;
    reservation.expires_at = None;
    Ok(Some(reservation))
}

/// Inserts a tombstone.
///
/// # Errors
/// [`StoreError::Unique`] if the order has a reservation meanwhile.
async fn insert_tombstone(db: &mut Connection, order: OrderId, now: DateTime<Utc>) -> Result<Reservation, StoreError> {
    let status = ReservationStatus::Released;
    query(INSERT_TOMBSTONE).bind(order).bind(status.as_str()).bind(now).execute(db).await?;
    Ok(Reservation { order_id: order, status, expires_at: None, items: Vec::new() })
}

fn unexpected_transition(order: OrderId, action: ReservationAction) -> StoreError {
    StoreError::Internal(format!("unexpected action {action:?} on the reservation of order {order}").into())
}
