//! Confirmation of payments made elsewhere.

use super::*;

#[test]
fn confirmation_settles_then_completes_the_payment() {
    let mut scenario = Scenario::new();
    let (id, token) = (scenario.started(), scenario.token());
    assert!(matches!(
        scenario.order.confirm(id, "txn_1", token, scenario.now),
        Ok(ConfirmOutcome::CancelIntentFirst(_))
    ));
    assert_eq!((scenario.status(id), scenario.payment(id).state), (PaymentStatus::Processing, State::Settling));
    assert_eq!(scenario.payment(id).effective_transaction(), Some("pi_1"));
    scenario.apply_status("pi_1", None, IntentStatus::Canceled);
    assert_eq!(scenario.payment(id).state, State::Settling, "a snapshot does not complete it");
    let other = scenario.token();
    assert_eq!(scenario.order.confirm(id, "txn_1", other, scenario.now), Ok(ConfirmOutcome::Locked));
    assert_eq!(scenario.order.confirm(id, "txn_2", other, scenario.now), Err(PaymentError::AlreadyConfirmed));
    assert_eq!(scenario.start(TOTAL, other), Err(PaymentError::InProgress));
    scenario.record_status(id, token, IntentStatus::Canceled);
    assert_eq!(scenario.status(id), PaymentStatus::Completed);
    assert_eq!(scenario.payment(id).effective_transaction(), Some("txn_1"));
    assert!(matches!(scenario.order.confirm(id, "txn_1", other, scenario.now), Ok(ConfirmOutcome::Confirmed(_))));
    assert_eq!(scenario.order.confirm(id, "txn_2", other, scenario.now), Err(PaymentError::AlreadyConfirmed));
    assert_eq!(scenario.events(), ["created 1", "processing 2", "completed 3"]);
}

#[test]
fn provider_capture_wins_over_a_confirmation() {
    let mut scenario = Scenario::new();
    let (id, token) = (scenario.started(), scenario.token());
    scenario.order.confirm(id, "txn_1", token, scenario.now).unwrap();
    scenario.record_status(id, token, succeeded(10_000));
    assert_eq!((scenario.status(id), scenario.payment(id).external), (PaymentStatus::Completed, false));
    assert_eq!(scenario.payment(id).effective_transaction(), Some("pi_1"));
    let other = scenario.token();
    assert_eq!(scenario.order.confirm(id, "txn_1", other, scenario.now), Err(PaymentError::AlreadyConfirmed));
}

#[test]
fn failed_or_cancelled_payment_cannot_be_confirmed() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.apply_status("pi_1", None, declined());
    let token = scenario.token();
    assert_eq!(scenario.order.confirm(id, "txn", token, scenario.now), Err(PaymentError::NotConfirmable));
    let id = scenario.started();
    scenario.apply_status("pi_2", None, IntentStatus::Canceled);
    assert_eq!(scenario.order.confirm(id, "txn", token, scenario.now), Err(PaymentError::NotConfirmable));
    let unknown = PaymentId::generate(START);
    assert_eq!(scenario.order.confirm(unknown, "txn", token, scenario.now), Err(PaymentError::NotFound));
}

#[test]
fn settling_payment_of_a_cancelled_order_completes_and_is_due_for_refund() {
    let mut scenario = Scenario::new();
    let (id, token) = (scenario.started(), scenario.token());
    scenario.order.confirm(id, "txn_1", token, scenario.now).unwrap();
    scenario.order.cancel_order(scenario.now);
    scenario.record_status(id, token, IntentStatus::Canceled);
    assert_eq!(scenario.refunds(id), [(10_000, RefundStatus::Pending, RefundCause::Late)]);
    assert_eq!(scenario.payment(id).refunds[0].task.due_at, None, "it is paid manually");
    scenario.grant(id, Some(4_000)).unwrap();
    assert_eq!(
        scenario.grant(id, Some(6_001)),
        Err(PaymentError::RefundTooLarge { refundable: Money::from_cents(6_000) })
    );
    scenario.grant(id, None).unwrap();
    assert_eq!(scenario.status(id), PaymentStatus::Refunded);
    assert_eq!(
        scenario.events(),
        [
            "created 1",
            "processing 2",
            "completed 3, does not count",
            "refunded 40.00, version 4",
            "refunded 100.00, version 5"
        ]
    );
}

#[test]
fn provider_capture_beside_a_confirmation_becomes_a_separate_payment() {
    let mut scenario = Scenario::new();
    let id = scenario.confirmed("txn_1");
    scenario.apply_status("pi_1", None, succeeded(10_000));
    scenario.apply_status("pi_1", None, succeeded(10_000));
    assert_eq!((scenario.order.payments.len(), scenario.status(id)), (2, PaymentStatus::Completed));
    let orphan = scenario.order.payments[1].id;
    assert_eq!(scenario.payment(orphan).intent.as_deref(), Some("pi_1"));
    assert_eq!(scenario.refunds(orphan), [(10_000, RefundStatus::Pending, RefundCause::Doubled)]);
    assert!(scenario.refunds(id).is_empty());
}
