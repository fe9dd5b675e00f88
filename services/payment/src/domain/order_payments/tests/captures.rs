//! Start, capture and cancellation of payments.

use super::*;

#[test]
fn capture_completes_the_payment_once() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    assert_eq!((scenario.status(id), scenario.order.owed()), (PaymentStatus::Pending, TOTAL));
    scenario.apply_status("pi_1", None, succeeded(10_000));
    scenario.apply_status("pi_1", None, succeeded(10_000));
    scenario.apply_status("pi_1", None, declined());
    scenario.apply_status("pi_1", None, IntentStatus::Canceled);
    assert_eq!((scenario.status(id), scenario.order.owed()), (PaymentStatus::Completed, Money::ZERO));
    assert_eq!(scenario.events(), ["created 1", "completed 2"]);
    let token = scenario.token();
    assert_eq!(scenario.start(TOTAL, token), Err(PaymentError::OrderPaid));
}

#[test]
fn amount_must_equal_what_the_order_owes() {
    let mut scenario = Scenario::new();
    let token = scenario.token();
    for cents in [9_999, 10_001] {
        let error = scenario.start(Money::from_cents(cents), token);
        assert_eq!(error, Err(PaymentError::AmountMismatch { owed: TOTAL }));
    }
}

#[test]
fn open_payment_is_replaced_after_its_cancellation() {
    let mut scenario = Scenario::new();
    let (first, token) = (scenario.started(), scenario.token());
    assert!(matches!(scenario.start(TOTAL, token), Ok(StartOutcome::ReplaceExisting(payment)) if payment.id == first));
    let other = scenario.token();
    assert_eq!(scenario.start(TOTAL, other), Err(PaymentError::InProgress), "the lease is held");
    scenario.record_status(first, token, IntentStatus::Canceled);
    let second = scenario.started();
    assert_eq!((scenario.status(first), scenario.status(second)), (PaymentStatus::Cancelled, PaymentStatus::Pending));
    assert_eq!(scenario.events(), ["created 1", "cancelled 2", "created 1"]);
}

#[test]
fn snapshot_before_the_creation_response_finds_its_payment() {
    let mut scenario = Scenario::new();
    let token = scenario.token();
    let Ok(StartOutcome::Started(payment)) = scenario.start(TOTAL, token) else { panic!("not started") };
    scenario.apply_status("pi_1", Some(payment.id), succeeded(10_000));
    scenario.apply_status("pi_1", Some(payment.id), IntentStatus::AwaitingCustomer);
    assert_eq!(scenario.status(payment.id), PaymentStatus::Completed);
    scenario.record_status(payment.id, token, IntentStatus::AwaitingCustomer);
    assert_eq!(scenario.status(payment.id), PaymentStatus::Completed);
    assert_eq!(scenario.payment(payment.id).task.due_at, None);
}

#[test]
fn decline_fails_the_payment_and_requests_cancellation_of_the_intent() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.apply_status("pi_1", None, declined());
    assert_eq!(scenario.status(id), PaymentStatus::Failed);
    assert_eq!(scenario.payment(id).failure_reason.as_deref(), Some("Your card was declined."));
    assert_eq!(scenario.payment(id).task.due_at, Some(scenario.now));
    let token = scenario.token();
    let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
    assert_eq!(action, NextAction::CancelIntent);
    scenario.record_status(id, token, IntentStatus::Canceled);
    assert_eq!((scenario.status(id), scenario.payment(id).task.due_at), (PaymentStatus::Failed, None));
    let second = scenario.started();
    scenario.apply_status("pi_2", None, succeeded(10_000));
    assert_eq!(scenario.status(second), PaymentStatus::Completed);
    assert_eq!(scenario.events(), ["created 1", "failed 2", "created 1", "completed 2"]);
}

#[test]
fn capture_after_a_decline_is_accepted_if_the_order_still_wants_it() {
    let mut scenario = Scenario::new();
    let first = scenario.started();
    scenario.apply_status("pi_1", None, declined());
    let second = scenario.started();
    scenario.apply_status("pi_1", None, succeeded(10_000));
    assert_eq!(scenario.status(first), PaymentStatus::Completed);
    assert_eq!(scenario.payment(first).failure_reason, None);
    assert!(scenario.payment(second).cancel_requested, "the order is paid");
    scenario.apply_status("pi_2", None, succeeded(10_000));
    assert_eq!(scenario.refunds(second), [(10_000, RefundStatus::Pending, RefundCause::Doubled)]);
    assert_eq!(scenario.order.owed(), Money::ZERO);
    assert_eq!(scenario.events(), ["created 1", "failed 2", "created 1", "completed 3", "completed 2, does not count"]);
}

#[test]
fn capture_of_a_cancelled_order_is_refunded() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.order.cancel_order(scenario.now);
    assert!(scenario.payment(id).cancel_requested);
    assert_eq!(scenario.status(id), PaymentStatus::Pending);
    scenario.apply_status("pi_1", None, succeeded(10_000));
    assert_eq!(scenario.status(id), PaymentStatus::Completed);
    assert_eq!(scenario.refunds(id), [(10_000, RefundStatus::Pending, RefundCause::Late)]);
    let refund = scenario.payment(id).refunds[0].id;
    scenario.apply_refund_status("re_1", Some(refund), 10_000, ProviderRefundStatus::Succeeded);
    assert_eq!(scenario.status(id), PaymentStatus::Refunded);
    assert_eq!(scenario.events(), ["created 1", "completed 2, does not count", "refunded 100.00, version 3"]);
    let token = scenario.token();
    assert_eq!(scenario.start(TOTAL, token), Err(PaymentError::OrderCancelled));
}

#[test]
fn cancelled_order_cancels_its_open_payment() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.order.cancel_order(scenario.now);
    let token = scenario.token();
    assert_eq!(scenario.order.confirm(id, "txn", token, scenario.now), Err(PaymentError::NotConfirmable));
    let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
    assert_eq!(action, NextAction::CancelIntent);
    scenario.record_status(id, token, IntentStatus::Canceled);
    assert_eq!(scenario.events(), ["created 1", "cancelled 2"]);
}

#[test]
fn cancelled_order_refunds_the_rest_of_its_captures() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let granted = scenario.grant(id, Some(2_500)).unwrap();
    scenario.order.cancel_order(scenario.now);
    scenario.order.cancel_order(scenario.now);
    let expected =
        [(2_500, RefundStatus::Pending, RefundCause::Granted), (7_500, RefundStatus::Pending, RefundCause::Cancelled)];
    assert_eq!(scenario.refunds(id), expected);
    // The granted refund fails late: it is due now because the order was cancelled.
    scenario.apply_refund_status("re_1", Some(granted), 2_500, ProviderRefundStatus::Failed);
    let token = scenario.later(10).token();
    assert_eq!(scenario.order.acquire_payment_task(id, token, scenario.now), Ok(None));
    assert_eq!(scenario.refunds(id)[2], (2_500, RefundStatus::Pending, RefundCause::Cancelled));
}

#[test]
fn capture_of_another_amount_or_currency_is_recorded_and_refunded() {
    let wrong = [usd(9_999), usd(10_001), Captured { currency: "EUR".to_owned(), ..usd(10_000) }];
    for captured in wrong {
        let mut scenario = Scenario::new();
        let id = scenario.started();
        scenario.apply_status("pi_1", None, IntentStatus::Succeeded(captured.clone()));
        assert_eq!(scenario.payment(id).effective_amount(), captured.amount);
        assert_eq!(scenario.payment(id).effective_currency(), captured.currency);
        assert_eq!(scenario.refunds(id), [(captured.amount.cents(), RefundStatus::Pending, RefundCause::Late)]);
        assert_eq!(scenario.order.owed(), TOTAL);
    }
}

#[test]
fn capture_by_a_second_intent_becomes_a_separate_payment() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.apply_status("pi_other", Some(id), IntentStatus::Canceled);
    assert_eq!(scenario.status(id), PaymentStatus::Pending, "another intent");
    scenario.apply_status("pi_other", Some(id), succeeded(10_000));
    assert_eq!(scenario.order.owed(), Money::ZERO);
    assert!(scenario.payment(id).cancel_requested);
    assert_eq!(scenario.status(scenario.order.payments[1].id), PaymentStatus::Completed);
}

#[test]
fn snapshot_of_an_unknown_payment_changes_nothing() {
    let mut scenario = Scenario::new();
    scenario.started();
    let before = scenario.order.clone();
    scenario.apply_status("pi_unknown", Some(PaymentId::generate(START)), succeeded(10_000));
    assert_eq!(scenario.order, before);
}

#[test]
fn ids_of_payments_of_one_millisecond_ascend() {
    let mut scenario = Scenario::new();
    let first = scenario.started();
    let mut ids = vec![first];
    for number in 0..20 {
        scenario.apply_status(&format!("pi_other{number}"), Some(first), succeeded(10_000));
        ids.push(scenario.order.payments.last().unwrap().id);
    }
    assert!(ids.is_sorted_by(|left, right| left < right), "{ids:?}");
    assert!(ids.iter().all(|id| id.as_uuid().get_version_num() == 7));
}
