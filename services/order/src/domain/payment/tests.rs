use OrderPaymentStatus as Order;
use PaymentStatus as Status;

use super::*;

const TOTAL: i64 = 10_000;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

/// A payment that was begun at this second.
fn payment(second: i64, status: Status, cents: i64) -> Payment {
    let amount = Money::from_cents(cents);
    let seen = Seen {
        method: PaymentMethod::Card,
        amount,
        currency: "USD".to_owned(),
        status,
        version: 1,
        counts: true,
        created_at: at(second),
        processed_at: None,
    };
    let captured = is_captured(status).then_some(amount);
    Payment { seen: Some(seen), captured, ..Payment::unknown(PaymentId::generate(at(second))) }
}

fn refunded(mut payment: Payment, cents: i64) -> Payment {
    payment.refunded_total = Money::from_cents(cents);
    payment
}

fn uncounted(mut payment: Payment) -> Payment {
    payment.seen.as_mut().unwrap().counts = false;
    payment
}

fn status(payments: &[Payment]) -> OrderPaymentStatus {
    payment_status(payments, Money::from_cents(TOTAL), "USD")
}

#[test]
fn one_payment_gives_the_order_its_status() {
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
fn all_that_was_captured_and_given_back_is_refunded() {
    let paid = || payment(1, Status::Completed, TOTAL);
    assert_eq!(status(&[refunded(paid(), TOTAL)]), Order::Refunded);
    assert_eq!(status(&[refunded(paid(), TOTAL - 1)]), Order::Completed, "a part is not all");
    assert_eq!(status(&[refunded(payment(1, Status::Refunded, TOTAL), TOTAL)]), Order::Refunded);
    let late = uncounted(paid());
    assert_eq!(status(&[refunded(late, TOTAL)]), Order::Refunded, "also what never counted");
}

#[test]
fn a_second_capture_that_goes_back_leaves_the_order_paid() {
    let (paid, twice) = (payment(1, Status::Completed, TOTAL), uncounted(payment(2, Status::Completed, TOTAL)));
    assert_eq!(status(&[paid.clone(), twice.clone()]), Order::Completed);
    assert_eq!(status(&[paid.clone(), refunded(twice.clone(), TOTAL)]), Order::Completed);
    assert_eq!(status(&[refunded(paid, TOTAL), refunded(twice, TOTAL)]), Order::Refunded);
}

#[test]
fn only_what_counts_covers_the_total() {
    let paid = |cents| payment(1, Status::Completed, cents);
    assert_eq!(status(&[uncounted(paid(TOTAL))]), Order::Pending);
    assert_eq!(status(&[paid(TOTAL - 1)]), Order::Pending);
    assert_eq!(status(&[paid(TOTAL - 1), payment(2, Status::Completed, 1)]), Order::Completed);
    let mut foreign = paid(TOTAL);
    foreign.seen.as_mut().unwrap().currency = "EUR".to_owned();
    assert_eq!(status(&[foreign]), Order::Pending);
}

#[test]
fn a_new_try_counts_for_more_than_a_failure_before_it() {
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
fn a_refund_that_overtook_its_payment_is_known_by_itself() {
    let id = PaymentId::generate(at(1));
    let alone = Payment { captured: Some(Money::from_cents(TOTAL)), ..Payment::unknown(id) };
    assert_eq!((alone.status(), status(std::slice::from_ref(&alone))), (None, Order::Pending));
    assert_eq!(status(&[refunded(alone, TOTAL)]), Order::Refunded);
    let mut begun = payment(1, Status::Pending, TOTAL);
    begun.captured = Some(Money::from_cents(TOTAL));
    assert_eq!(begun.status(), Some(Status::Completed));
    assert_eq!(refunded(begun, TOTAL).status(), Some(Status::Refunded));
}

#[test]
fn a_refund_that_is_made_again_is_no_second_one() {
    let mut paid = refunded(payment(1, Status::Completed, TOTAL), TOTAL / 2);
    let refund = || Refund {
        id: RefundId::generate(at(2)),
        amount: Money::from_cents(TOTAL / 2),
        cause: RefundCause::Granted,
        at: at(2),
    };
    // The first was refused after it was told of; the sum that went back did not grow.
    paid.refunds = vec![refund(), refund()];
    assert_eq!(paid.status(), Some(Status::Completed));
    assert_eq!(status(&[paid]), Order::Completed);
}
