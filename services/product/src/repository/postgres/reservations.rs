//! Reservations as they stand in the database, and the pieces that they move.

use chrono::{DateTime, Utc};
use common::postgres::parse_col;
use common::store::StoreError;
use contracts::calls::{Reservation, ReservationLine, ReservationStatus, Shortage};
use contracts::{OrderId, ProductId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::one;
use crate::domain::{NewReservation, ReservationAction};
use crate::repository::ReserveOutcome;

/// An order's reservation.
pub const RESERVATION: &str = "SELECT status, expires_at FROM reservations WHERE order_id = $1";
/// Its lines.
pub const LINES: &str = "SELECT product_id, quantity FROM reservation_lines WHERE order_id = $1 ORDER BY product_id";

/// An order's reservation.
pub(super) async fn find(tx: &mut PgConnection, order: OrderId) -> Result<Option<Reservation>, StoreError> {
    let row = sqlx::query(RESERVATION).bind(order.as_uuid()).fetch_optional(&mut *tx).await?;
    let Some(row) = row else { return Ok(None) };
    let lines = sqlx::query(LINES).bind(order.as_uuid()).fetch_all(tx).await?;
    let line = |row: &PgRow| {
        let product_id = ProductId::new(row.try_get("product_id")?);
        Ok::<_, StoreError>(ReservationLine { product_id, quantity: row.try_get("quantity")? })
    };
    Ok(Some(Reservation {
        order_id: order,
        status: parse_col(row.try_get("status")?, "status of a reservation")?,
        expires_at: row.try_get("expires_at")?,
        items: lines.iter().map(line).collect::<Result<_, _>>()?,
    }))
}

/// The same, locked until the transaction ends.
pub(super) async fn locked(tx: &mut PgConnection, order: OrderId) -> Result<Option<Reservation>, StoreError> {
    let lock = sqlx::query("SELECT 1 FROM reservations WHERE order_id = $1 FOR UPDATE").bind(order.as_uuid());
    lock.execute(&mut *tx).await?;
    find(tx, order).await
}

/// Takes the pieces off the filter, product by product in the order of their ids, which locks them; answers why not, if not
/// all can be had.
pub(super) async fn take(
    tx: &mut PgConnection,
    lines: &[ReservationLine],
) -> Result<Option<ReserveOutcome>, StoreError> {
    let (mut unknown, mut short) = (Vec::new(), Vec::new());
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort_unstable_by_key(|line| line.product_id);
    for ReservationLine { product_id, quantity } in lines {
        let taken = sqlx::query(
            "UPDATE products SET stock_quantity = stock_quantity - $1, reserved = reserved + $1
             WHERE id = $2 AND active AND stock_quantity >= $1",
        );
        if taken.bind(quantity).bind(product_id.get()).execute(&mut *tx).await?.rows_affected() == 1 {
            continue;
        }
        let left = sqlx::query_scalar("SELECT stock_quantity FROM products WHERE id = $1 AND active");
        match left.bind(product_id.get()).fetch_optional(&mut *tx).await? {
            Some(available) => {
                short.push(Shortage { product_id: *product_id, requested: *quantity, available });
            }
            None => unknown.push(*product_id),
        }
    }
    Ok(match (unknown.is_empty(), short.is_empty()) {
        (false, _) => Some(ReserveOutcome::ProductsNotFound(unknown)),
        (true, false) => Some(ReserveOutcome::Insufficient(short)),
        (true, true) => None,
    })
}

/// Writes the row of a new reservation, unless the order has one; answers whether it did. One that is being written at
/// this moment is waited for.
pub(super) async fn begin(tx: &mut PgConnection, new: &NewReservation, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO reservations (order_id, status, expires_at, due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $3, $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(new.order_id.as_uuid())
    .bind(ReservationStatus::Reserved.as_str())
    .bind(new.expires_at)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes the lines of a new reservation.
pub(super) async fn fill(tx: &mut PgConnection, new: &NewReservation) -> Result<Reservation, StoreError> {
    for line in &new.lines {
        let query = sqlx::query("INSERT INTO reservation_lines (order_id, product_id, quantity) VALUES ($1, $2, $3)");
        let query = query.bind(new.order_id.as_uuid()).bind(line.product_id.get()).bind(line.quantity);
        query.execute(&mut *tx).await?;
    }
    Ok(Reservation {
        order_id: new.order_id,
        status: ReservationStatus::Reserved,
        expires_at: Some(new.expires_at),
        items: new.lines.clone(),
    })
}

/// Carries out a step; answers what the reservation is then.
pub(super) async fn carry_out(
    tx: &mut PgConnection,
    order: OrderId,
    before: Option<Reservation>,
    step: ReservationAction,
    now: DateTime<Utc>,
) -> Result<Option<Reservation>, StoreError> {
    let Some(mut reservation) = before else {
        return match step {
            ReservationAction::Keep => Ok(None),
            ReservationAction::Tombstone => bury(tx, order, now).await,
            _ => Err(out_of_place(order, step)),
        };
    };
    let (status, move_pieces) = match step {
        ReservationAction::Keep => return Ok(Some(reservation)),
        ReservationAction::Tombstone => return Err(out_of_place(order, step)),
        ReservationAction::Hold => (ReservationStatus::Held, None),
        ReservationAction::Commit => (
            ReservationStatus::Committed,
            Some("UPDATE products SET reserved = reserved - $1, sold = sold + $1 WHERE id = $2"),
        ),
        ReservationAction::Release | ReservationAction::Expire => (
            ReservationStatus::Released,
            Some("UPDATE products SET reserved = reserved - $1, stock_quantity = stock_quantity + $1 WHERE id = $2"),
        ),
        ReservationAction::Restock => (
            ReservationStatus::Released,
            Some("UPDATE products SET sold = sold - $1, stock_quantity = stock_quantity + $1 WHERE id = $2"),
        ),
    };
    let updated = sqlx::query(
        "UPDATE reservations SET status = $1, expires_at = NULL, due_at = NULL, updated_at = $2
         WHERE order_id = $3 AND status = $4",
    )
    .bind(status.as_str())
    .bind(now)
    .bind(order.as_uuid())
    .bind(reservation.status.as_str())
    .execute(&mut *tx)
    .await?;
    one(updated.rows_affected(), "reservation")?;
    if let Some(statement) = move_pieces {
        for line in &reservation.items {
            let moved = sqlx::query(statement).bind(line.quantity).bind(line.product_id.get());
            one(moved.execute(&mut *tx).await?.rows_affected(), "product")?;
        }
    }
    reservation.status = status;
    reservation.expires_at = None;
    Ok(Some(reservation))
}

/// Writes a tombstone; [`StoreError::Unique`] if the order has a reservation after all.
async fn bury(tx: &mut PgConnection, order: OrderId, now: DateTime<Utc>) -> Result<Option<Reservation>, StoreError> {
    let query =
        sqlx::query("INSERT INTO reservations (order_id, status, created_at, updated_at) VALUES ($1, $2, $3, $3)");
    let status = ReservationStatus::Released;
    query.bind(order.as_uuid()).bind(status.as_str()).bind(now).execute(tx).await?;
    Ok(Some(Reservation { order_id: order, status, expires_at: None, items: Vec::new() }))
}

fn out_of_place(order: OrderId, step: ReservationAction) -> StoreError {
    StoreError::Fault(format!("{step:?} does not lead on from the reservation of order {order}").into())
}
