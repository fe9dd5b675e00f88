//! Provider calls under a lease.

use super::*;

#[test]
fn refund_before_the_capture_schedules_a_fetch_of_both() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.apply_refund_status("re_x", None, 2_000, ProviderRefundStatus::Succeeded);
    assert!(scenario.refunds(id).is_empty());
    let token = scenario.later(10).token();
    let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
    assert_eq!(action, NextAction::SyncRefunds);
    let snapshot =
        IntentSnapshot { id: "pi_1".to_owned(), payment: Some(id), status: succeeded(10_000), captured_at: None };
    let refund = RefundSnapshot {
        id: "re_x".to_owned(),
        intent: "pi_1".to_owned(),
        refund_id: None,
        amount: Money::from_cents(2_000),
        status: ProviderRefundStatus::Succeeded,
        failure_reason: None,
    };
    scenario
        .order
        .record_result(id, token, &SyncResult::SnapshotWithRefunds(snapshot, vec![refund]), scenario.now)
        .unwrap();
    assert_eq!(scenario.payment(id).refunded(), Money::from_cents(2_000));
    assert_eq!((scenario.payment(id).sync_refunds, scenario.payment(id).task.due_at), (false, None));
}

#[test]
fn refund_named_during_a_sync_causes_another_sync() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    scenario.order.request_refund_sync("pi_1", None, None, scenario.now);
    let token = scenario.later(10).token();
    let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
    assert_eq!(action, NextAction::SyncRefunds);
    scenario.later(1);
    scenario.order.request_refund_sync("pi_1", None, None, scenario.now);
    let snapshot =
        IntentSnapshot { id: "pi_1".to_owned(), payment: Some(id), status: succeeded(10_000), captured_at: None };
    scenario
        .order
        .record_result(id, token, &SyncResult::SnapshotWithRefunds(snapshot.clone(), Vec::new()), scenario.now)
        .unwrap();
    assert_eq!((scenario.payment(id).sync_refunds, scenario.payment(id).task.due_at), (true, Some(scenario.now)));
    let token = scenario.token();
    scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
    scenario
        .order
        .record_result(id, token, &SyncResult::SnapshotWithRefunds(snapshot, Vec::new()), scenario.now)
        .unwrap();
    assert_eq!((scenario.payment(id).sync_refunds, scenario.payment(id).task.due_at), (false, None));
}

#[test]
fn open_payment_is_polled_with_growing_delay() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    for seconds in [10, 20, 40, 80] {
        assert_eq!(scenario.payment(id).task.due_at, Some(scenario.now + Duration::seconds(seconds)));
        let token = scenario.later(seconds).token();
        let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
        assert_eq!(action, NextAction::FetchIntent);
        scenario.record_status(id, token, IntentStatus::AwaitingCustomer);
    }
}

#[test]
fn payment_of_a_dead_process_is_resumed_and_cancelled() {
    let mut scenario = Scenario::new();
    let dead = scenario.token();
    let Ok(StartOutcome::Started(payment)) = scenario.start(TOTAL, dead) else { panic!("not started") };
    let token = scenario.later(9).token();
    assert_eq!(
        scenario.order.acquire_payment_task(payment.id, token, scenario.now),
        Ok(None),
        "the holder may be alive"
    );
    let token = scenario.later(1).token();
    let (action, acquired) = scenario.order.acquire_payment_task(payment.id, token, scenario.now).unwrap().unwrap();
    assert_eq!((action, acquired.cancel_requested), (NextAction::CancelIntent, true));
    let outdated = IntentSnapshot {
        id: "pi_1".to_owned(),
        payment: Some(payment.id),
        status: IntentStatus::AwaitingCustomer,
        captured_at: None,
    };
    let result = scenario.order.record_result(payment.id, dead, &SyncResult::Snapshot(outdated), scenario.now);
    assert_eq!(result, Err(PaymentError::LeaseLost));
    scenario.order.record_result(payment.id, token, &SyncResult::NotFound, scenario.now).unwrap();
    assert_eq!(scenario.events(), ["created 1", "cancelled 2"]);
}

#[test]
fn rejected_intent_fails_the_payment() {
    let mut scenario = Scenario::new();
    let token = scenario.token();
    let Ok(StartOutcome::Started(payment)) = scenario.start(TOTAL, token) else { panic!("not started") };
    let result = SyncResult::Rejected { reason: "not offered".to_owned() };
    let payment = scenario.order.record_result(payment.id, token, &result, scenario.now).unwrap();
    assert_eq!((payment.status(), payment.task.due_at), (PaymentStatus::Failed, None));
    assert_eq!(scenario.events(), ["created 1", "failed 2"]);
}

#[test]
fn unknown_outcome_is_looked_up_after_ten_seconds() {
    let mut scenario = Scenario::new();
    let token = scenario.token();
    let Ok(StartOutcome::Started(payment)) = scenario.start(TOTAL, token) else { panic!("not started") };
    let payment = scenario
        .order
        .record_result(payment.id, token, &SyncResult::Indeterminate(UnknownOutcome::ServerError), scenario.now)
        .unwrap();
    assert_eq!(payment.task.due_at, Some(scenario.now + Duration::seconds(10)));
    assert!(payment.task.requires_lookup(scenario.now));
}
