//! Webhook hints.

use super::*;

#[test]
fn webhook_schedules_a_fetch_and_changes_nothing_itself() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.later(1);
    for _ in 0..3 {
        scenario.order.add_intent_hint("pi_1", None, None, scenario.now).unwrap();
    }
    scenario.order.add_intent_hint("pi_other", Some(id), None, scenario.now).unwrap();
    assert_eq!(
        (scenario.status(id), &scenario.payment(id).hints[..]),
        (PaymentStatus::Pending, &["pi_1".to_owned(), "pi_other".to_owned()][..])
    );
    assert_eq!(scenario.payment(id).task.due_at, Some(scenario.now));
    let record_hinted = |scenario: &mut Scenario, intent: &str, snapshot: Option<IntentStatus>| {
        let token = scenario.token();
        let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
        assert_eq!(action, NextAction::FetchHintedIntent);
        let snapshot = snapshot.map(|status| IntentSnapshot {
            id: intent.to_owned(),
            payment: Some(id),
            status,
            captured_at: None,
        });
        scenario
            .order
            .record_result(id, token, &SyncResult::HintedIntent(intent.to_owned(), snapshot), scenario.now)
            .unwrap();
    };
    record_hinted(&mut scenario, "pi_1", Some(succeeded(10_000)));
    assert_eq!((scenario.status(id), scenario.payment(id).task.due_at), (PaymentStatus::Completed, Some(scenario.now)));
    record_hinted(&mut scenario, "pi_other", None);
    assert_eq!((scenario.payment(id).hints.len(), scenario.payment(id).task.due_at), (0, None));
    scenario.order.add_intent_hint("pi_1", None, None, scenario.now).unwrap();
    assert_eq!(scenario.payment(id).task.due_at, None, "the capture is recorded");
}

#[test]
fn intent_named_during_its_fetch_is_fetched_again() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    scenario.order.add_intent_hint("pi_1", None, None, scenario.now).unwrap();
    let token = scenario.token();
    scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
    scenario.later(1);
    scenario.order.add_intent_hint("pi_1", None, None, scenario.now).unwrap();
    let snapshot = IntentSnapshot {
        id: "pi_1".to_owned(),
        payment: Some(id),
        status: IntentStatus::AwaitingCustomer,
        captured_at: None,
    };
    scenario
        .order
        .record_result(id, token, &SyncResult::HintedIntent("pi_1".to_owned(), Some(snapshot)), scenario.now)
        .unwrap();
    let again = scenario.now + Duration::seconds(2);
    assert_eq!((scenario.payment(id).hints.len(), scenario.payment(id).task.due_at), (1, Some(again)), "no change");
}

#[test]
fn webhooks_without_a_change_cause_fetches_with_growing_delay() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    let hint = |scenario: &mut Scenario, refund: bool| {
        if refund {
            scenario.order.request_refund_sync("pi_1", None, None, scenario.now);
        } else {
            scenario.order.add_intent_hint("pi_1", None, None, scenario.now).unwrap();
        }
    };
    let fetch = |scenario: &mut Scenario, status: IntentStatus| {
        let token = scenario.token();
        let (action, _) = scenario.order.acquire_payment_task(id, token, scenario.now).unwrap().unwrap();
        let snapshot = IntentSnapshot { id: "pi_1".to_owned(), payment: Some(id), status, captured_at: None };
        let result = match action {
            NextAction::FetchHintedIntent => SyncResult::HintedIntent("pi_1".to_owned(), Some(snapshot)),
            NextAction::SyncRefunds => SyncResult::SnapshotWithRefunds(snapshot, Vec::new()),
            other => panic!("{other:?}"),
        };
        scenario.order.record_result(id, token, &result, scenario.now).unwrap();
    };
    for refund in [false, true] {
        for delay in [0, 2, 4, 8, 16, 30, 30] {
            let last = scenario.now;
            // Before the next regular poll, regardless of the number of webhooks.
            (0..3).for_each(|_| hint(&mut scenario, refund));
            let due = scenario.payment(id).task.due_at.unwrap();
            let poll = last + Duration::seconds(10);
            assert!(due == last + Duration::seconds(delay) || (due == poll && delay > 10), "{due} after {last}");
            scenario.now = last + Duration::seconds(delay);
            fetch(&mut scenario, IntentStatus::AwaitingCustomer);
        }
        scenario.later(61);
        hint(&mut scenario, refund);
        fetch(&mut scenario, IntentStatus::AwaitingCustomer);
        hint(&mut scenario, refund);
        assert_eq!(scenario.payment(id).task.due_at, Some(scenario.now + Duration::seconds(2)), "the count restarted");
        scenario.later(61);
        fetch(&mut scenario, IntentStatus::AwaitingCustomer);
        scenario.later(61);
    }
    hint(&mut scenario, false);
    fetch(&mut scenario, IntentStatus::Processing);
    hint(&mut scenario, false);
    assert_eq!(scenario.payment(id).task.due_at, Some(scenario.now), "a change");
    fetch(&mut scenario, succeeded(10_000));
    assert_eq!(scenario.status(id), PaymentStatus::Completed);
}

#[test]
fn hints_of_a_payment_are_bounded() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    let hint = |scenario: &mut Scenario, number: usize| {
        scenario.order.add_intent_hint(&format!("pi_x{number}"), Some(id), None, scenario.now)
    };
    assert!((0..16).all(|number| hint(&mut scenario, number).is_ok()));
    assert_eq!(hint(&mut scenario, 16), Err(PaymentError::TooManyHints));
    assert_eq!(hint(&mut scenario, 3), Ok(()), "already pending");
}

#[test]
fn webhook_about_a_refund_is_fetched_only_if_its_claim_is_new() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.grant(id, Some(2_000)).unwrap();
    let claim =
        |provider_id: &str, refund_id, status| RefundClaim::Refund { id: provider_id.to_owned(), refund_id, status };
    let is_fetched = |scenario: &Scenario, claim: &RefundClaim| {
        let mut order = scenario.order.clone();
        order.request_refund_sync("pi_1", Some(claim), None, scenario.now);
        order.payments[0].sync_refunds
    };
    let total = |cents| RefundClaim::Total(Money::from_cents(cents));
    // The refund is being sent: the response to that call shows its state, but not a later failure.
    for (status, fetched) in [
        (ProviderRefundStatus::Succeeded, false),
        (ProviderRefundStatus::Pending, false),
        (ProviderRefundStatus::Failed, true),
    ] {
        assert_eq!(is_fetched(&scenario, &claim("re_1", Some(refund), status)), fetched, "{status:?}");
        assert!(is_fetched(&scenario, &claim("re_2", None, status)), "a refund that the provider's staff made");
    }
    assert!(!is_fetched(&scenario, &total(2_000)) && is_fetched(&scenario, &total(2_001)));
    scenario.later(11);
    assert!(is_fetched(&scenario, &total(2_000)), "the call ended without a result");

    scenario.apply_refund_status("re_1", Some(refund), 2_000, ProviderRefundStatus::Succeeded);
    for (status, fetched) in [(ProviderRefundStatus::Succeeded, false), (ProviderRefundStatus::Failed, true)] {
        assert_eq!(is_fetched(&scenario, &claim("re_1", Some(refund), status)), fetched, "{status:?}");
    }
    assert!(!is_fetched(&scenario, &total(2_000)) && is_fetched(&scenario, &total(3_000)));
    scenario.apply_refund_status("re_1", Some(refund), 2_000, ProviderRefundStatus::Failed);
    assert!(is_fetched(&scenario, &total(2_000)));
}
