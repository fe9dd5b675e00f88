use OrderPaymentStatus as Order;
use PaymentStatus as Status;

use super::*;

const TOTAL: i64 = 10_000;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

/// Returns a payment created at this second.
fn payment(second: i64, status: Status, cents: i64) -> PaymentProjection {
    let amount = Money::from_cents(cents);
    let latest = PaymentVersion {
        method: PaymentMethod::Card,
        amount,
        currency: "USD".to_owned(),
        status,
        version: 1,
        counts_toward_total: true,
        created_at: at(second),
        processed_at: None,
    };
    let captured = is_captured(status).then_some(amount);
    PaymentProjection { latest: Some(latest), captured, ..PaymentProjection::empty(PaymentId::generate(at(second))) }
}

fn refunded(mut payment: PaymentProjection, cents: i64) -> PaymentProjection {
    payment.refunded_total = Money::from_cents(cents);
    payment
}

fn uncounted(mut payment: PaymentProjection) -> PaymentProjection {
    payment.latest.as_mut().unwrap().counts_toward_total = false;
    payment
}

fn status(payments: &[PaymentProjection]) -> OrderPaymentStatus {
    payment_status(payments, Money::from_cents(TOTAL), "USD")
}

#[test]
fn single_payment_determines_the_payment_status() {
    for (payment, expected) in [
        (Status::Pending, Order::Pending),
        (Status::Processing, Order::Processing),
        (Status::Completed, Order::Completed),
        (Status::Failed, Order::Failed),
        (Status::Cancelled, Order::Pending),
        (Status::Refunded, Order::Completed),
    ] {
        assert_eq!(status(&[self::payment(1, payment, TOTAL)]), expected, "{payment}");
    }
    assert_eq!(status(&[]), Order::Pending);
}

#[test]
fn payment_status_is_refunded_once_everything_captured_is_refunded() {
    let paid = || payment(1, Status::Completed, TOTAL);
    assert_eq!(status(&[refunded(paid(), TOTAL)]), Order::Refunded);
    assert_eq!(status(&[refunded(paid(), TOTAL - 1)]), Order::Completed, "partial refund");
    assert_eq!(status(&[refunded(payment(1, Status::Refunded, TOTAL), TOTAL)]), Order::Refunded);
    let uncounted_payment = uncounted(paid());
    assert_eq!(status(&[refunded(uncounted_payment, TOTAL)]), Order::Refunded, "a payment that never counted included");
}

#[test]
fn refund_of_a_duplicate_capture_leaves_the_order_paid() {
    let (paid, duplicate) = (payment(1, Status::Completed, TOTAL), uncounted(payment(2, Status::Completed, TOTAL)));
    assert_eq!(status(&[paid.clone(), duplicate.clone()]), Order::Completed);
    assert_eq!(status(&[paid.clone(), refunded(duplicate.clone(), TOTAL)]), Order::Completed);
    assert_eq!(status(&[refunded(paid, TOTAL), refunded(duplicate, TOTAL)]), Order::Refunded);
}

#[test]
fn only_counted_amounts_cover_the_total() {
    let paid = |cents| payment(1, Status::Completed, cents);
    assert_eq!(status(&[uncounted(paid(TOTAL))]), Order::Pending);
    assert_eq!(status(&[paid(TOTAL - 1)]), Order::Pending);
    assert_eq!(status(&[paid(TOTAL - 1), payment(2, Status::Completed, 1)]), Order::Completed);
    let mut foreign = paid(TOTAL);
    foreign.latest.as_mut().unwrap().currency = "EUR".to_owned();
    assert_eq!(status(&[foreign]), Order::Pending);
}

#[test]
fn newer_payment_takes_precedence_over_an_earlier_failure() {
    let failed = payment(1, Status::Failed, TOTAL);
    let with = |later| status(&[failed.clone(), payment(2, later, TOTAL)]);
    assert_eq!(with(Status::Pending), Order::Pending);
    assert_eq!(with(Status::Processing), Order::Processing);
    assert_eq!(with(Status::Completed), Order::Completed);
    assert_eq!(with(Status::Cancelled), Order::Pending);
    assert_eq!(with(Status::Failed), Order::Failed);
    assert_eq!(
        status(&[payment(3, Status::Cancelled, TOTAL), payment(4, Status::Failed, TOTAL), failed]),
        Order::Failed
    );
}

#[test]
fn refund_event_before_its_payment_event_is_applied() {
    let id = PaymentId::generate(at(1));
    let alone = PaymentProjection { captured: Some(Money::from_cents(TOTAL)), ..PaymentProjection::empty(id) };
    assert_eq!((alone.status(), status(std::slice::from_ref(&alone))), (None, Order::Pending));
    assert_eq!(status(&[refunded(alone, TOTAL)]), Order::Refunded);
    let mut started = payment(1, Status::Pending, TOTAL);
    started.captured = Some(Money::from_cents(TOTAL));
    assert_eq!(started.status(), Some(Status::Completed));
    assert_eq!(refunded(started, TOTAL).status(), Some(Status::Refunded));
}

#[test]
fn repeated_refund_is_not_counted_twice() {
    let mut paid = refunded(payment(1, Status::Completed, TOTAL), TOTAL / 2);
    let refund = || Refund {
        id: RefundId::generate(at(2)),
        amount: Money::from_cents(TOTAL / 2),
        cause: RefundCause::Granted,
        at: at(2),
    };
    // The first refund failed after it had been reported; the refunded total did not grow.
    paid.refunds = vec![refund(), refund()];
    assert_eq!(paid.status(), Some(Status::Completed));
    assert_eq!(status(&[paid]), Order::Completed);
}

/// Versions before the rename of the fields read and write the same cache.
#[test]
fn serialized_payment_keeps_the_field_names_of_earlier_versions() {
    let json = serde_json::to_value(payment(1, Status::Pending, TOTAL)).unwrap();
    assert_eq!(json["seen"]["counts"], serde_json::json!(true), "{json}");
    assert_eq!(serde_json::from_value::<PaymentProjection>(json).unwrap().status(), Some(Status::Pending));
}
