//! Reservations as they stand in the file, and the pieces that they move.

use chrono::{DateTime, Utc};
use common::sqlite::{from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::calls::{Reservation, ReservationLine, ReservationStatus, Shortage};
use contracts::{OrderId, ProductId};
use sqlx::{Row, SqliteConnection};

use super::catalogue::one;
use crate::domain::{NewReservation, ReservationAction};
use crate::repository::ReserveOutcome;

/// An order's reservation.
pub(super) async fn find(tx: &mut SqliteConnection, order: OrderId) -> Result<Option<Reservation>, StoreError> {
    let key = order.to_string();
    let query = sqlx::query("SELECT status, expires_at FROM reservations WHERE order_id = ?").bind(&key);
    let Some(row) = query.fetch_optional(&mut *tx).await? else { return Ok(None) };
    let query =
        sqlx::query("SELECT product_id, quantity FROM reservation_lines WHERE order_id = ? ORDER BY product_id");
    let lines = query.bind(&key).fetch_all(tx).await?;
    let line = |row: &sqlx::sqlite::SqliteRow| {
        let product_id = ProductId::new(row.try_get("product_id")?);
        Ok::<_, StoreError>(ReservationLine { product_id, quantity: row.try_get("quantity")? })
    };
    Ok(Some(Reservation {
        order_id: order,
        status: parse_col(row.try_get("status")?, "status of a reservation")?,
        expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(from_ms).transpose()?,
        items: lines.iter().map(line).collect::<Result<_, _>>()?,
    }))
}

/// Takes the pieces off the filter; answers why not, if not all can be had.
pub(super) async fn take(
    tx: &mut SqliteConnection,
    lines: &[ReservationLine],
) -> Result<Option<ReserveOutcome>, StoreError> {
    let (mut unknown, mut short) = (Vec::new(), Vec::new());
    for ReservationLine { product_id, quantity } in lines {
        let taken = sqlx::query(
            "UPDATE products SET stock_quantity = stock_quantity - ?1, reserved = reserved + ?1
             WHERE id = ?2 AND active = 1 AND stock_quantity >= ?1",
        );
        if taken.bind(quantity).bind(product_id.get()).execute(&mut *tx).await?.rows_affected() == 1 {
            continue;
        }
        let left = sqlx::query_scalar("SELECT stock_quantity FROM products WHERE id = ? AND active = 1");
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

/// Writes a new reservation.
pub(super) async fn insert(
    tx: &mut SqliteConnection,
    new: &NewReservation,
    now: DateTime<Utc>,
) -> Result<Reservation, StoreError> {
    let key = new.order_id.to_string();
    sqlx::query(
        "INSERT INTO reservations (order_id, status, expires_at, due_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?3, ?4, ?4)",
    )
    .bind(&key)
    .bind(ReservationStatus::Reserved.as_str())
    .bind(ms(new.expires_at))
    .bind(ms(now))
    .execute(&mut *tx)
    .await?;
    for line in &new.lines {
        let query = sqlx::query("INSERT INTO reservation_lines (order_id, product_id, quantity) VALUES (?, ?, ?)");
        query.bind(&key).bind(line.product_id.get()).bind(line.quantity).execute(&mut *tx).await?;
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
    tx: &mut SqliteConnection,
    order: OrderId,
    before: Option<Reservation>,
    step: ReservationAction,
    now: DateTime<Utc>,
) -> Result<Option<Reservation>, StoreError> {
    let Some(mut reservation) = before else {
        return match step {
            ReservationAction::Keep => Ok(None),
            ReservationAction::Tombstone => bury(tx, order, now).await.map(Some),
            _ => Err(out_of_place(order, step)),
        };
    };
    let (status, move_pieces) = match step {
        ReservationAction::Keep => return Ok(Some(reservation)),
        ReservationAction::Tombstone => return Err(out_of_place(order, step)),
        ReservationAction::Hold => (ReservationStatus::Held, None),
        ReservationAction::Commit => (
            ReservationStatus::Committed,
            Some("UPDATE products SET reserved = reserved - ?1, sold = sold + ?1 WHERE id = ?2"),
        ),
        ReservationAction::Release | ReservationAction::Expire => (
            ReservationStatus::Released,
            Some("UPDATE products SET reserved = reserved - ?1, stock_quantity = stock_quantity + ?1 WHERE id = ?2"),
        ),
        ReservationAction::Restock => (
            ReservationStatus::Released,
            Some("UPDATE products SET sold = sold - ?1, stock_quantity = stock_quantity + ?1 WHERE id = ?2"),
        ),
    };
    let updated = sqlx::query(
        "UPDATE reservations SET status = ?, expires_at = NULL, due_at = NULL, updated_at = ?
         WHERE order_id = ? AND status = ?",
    )
    .bind(status.as_str())
    .bind(ms(now))
    .bind(order.to_string())
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

async fn bury(tx: &mut SqliteConnection, order: OrderId, now: DateTime<Utc>) -> Result<Reservation, StoreError> {
    let query =
        sqlx::query("INSERT INTO reservations (order_id, status, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)");
    let status = ReservationStatus::Released;
    query.bind(order.to_string()).bind(status.as_str()).bind(ms(now)).execute(tx).await?;
    Ok(Reservation { order_id: order, status, expires_at: None, items: Vec::new() })
}

fn out_of_place(order: OrderId, step: ReservationAction) -> StoreError {
    StoreError::Fault(format!("{step:?} does not lead on from the reservation of order {order}").into())
}
