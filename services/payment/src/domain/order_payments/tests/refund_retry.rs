//! Retry and settlement of refunds that need attention.

use super::*;

#[test]
fn refund_that_fails_five_times_needs_attention() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let last = scenario.exhausted(id, 3_000);
    let attempts: Vec<_> = scenario.payment(id).refunds.iter().map(|one| (one.attempts, one.needs_attention)).collect();
    assert_eq!(attempts, [(1, false), (2, false), (3, false), (4, false), (5, true)]);
    assert_eq!(
        (scenario.payment(id).task.due_at, scenario.refund(last).task.due_at),
        (None, None),
        "nothing is sent any more"
    );
    assert_eq!((scenario.outstanding(id), scenario.payment(id).automatic_refund_due(false)), (3_000, Money::ZERO));
    assert_eq!((scenario.status(id), scenario.payment(id).refunded()), (PaymentStatus::Completed, Money::ZERO));
}

#[test]
fn retry_sends_the_refund_once_and_a_failure_needs_attention_again() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.exhausted(id, 3_000);
    assert!(matches!(scenario.retry(refund, Some(ProviderRefundStatus::Failed)), Ok(RetryOutcome::SendToProvider(_))));
    assert_eq!(scenario.retry(refund, None), Err(PaymentError::NotRetryable), "an attempt is in flight");
    assert_eq!(scenario.order.settle_refund(refund, &admin(), scenario.now), Err(PaymentError::NotSettleable));
    let row = scenario.refund(refund);
    assert_eq!((row.status, row.attempts, row.needs_attention), (RefundStatus::Pending, 6, false));
    assert_eq!((&row.previous_provider_ids, &row.provider_refund_id), (&vec!["re_5".to_owned()], &None));
    assert_eq!(row.actor, admin());
    scenario.apply_refund_status("re_5", Some(refund), 3_000, ProviderRefundStatus::Failed);
    assert_eq!(scenario.refund(refund).status, RefundStatus::Pending, "the previous attempt");
    scenario.apply_refund_status("re_6", Some(refund), 3_000, ProviderRefundStatus::Succeeded);
    assert_eq!((scenario.payment(id).refunded().cents(), scenario.outstanding(id)), (3_000, 0));
    scenario.apply_refund_status("re_6", Some(refund), 3_000, ProviderRefundStatus::Failed);
    assert!(scenario.refund(refund).needs_attention, "at once");
    assert_eq!((scenario.outstanding(id), scenario.payment(id).task.due_at), (3_000, None));
}

#[test]
fn retry_records_a_success_found_at_the_provider() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.exhausted(id, 3_000);
    assert!(matches!(
        scenario.retry(refund, Some(ProviderRefundStatus::Succeeded)),
        Ok(RetryOutcome::FoundAtProvider(_))
    ));
    assert_eq!((scenario.payment(id).refunded().cents(), scenario.outstanding(id)), (3_000, 0));
    assert_eq!(scenario.payment(id).refunds.len(), 5, "nothing is sent");
    assert_eq!(scenario.retry(refund, None), Err(PaymentError::NotRetryable));
}

#[test]
fn settled_refund_is_never_sent_again_and_a_late_success_is_recorded() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.exhausted(id, 3_000);
    scenario.order.settle_refund(refund, &admin(), scenario.now).unwrap();
    assert_eq!(scenario.order.settle_refund(refund, &admin(), scenario.now), Err(PaymentError::NotSettleable));
    assert_eq!(scenario.retry(refund, None), Err(PaymentError::NotRetryable));
    assert_eq!((scenario.payment(id).refunded().cents(), scenario.outstanding(id)), (3_000, 0));
    assert_eq!((scenario.refund(refund).task.due_at, scenario.payment(id).task.due_at), (None, None));
    scenario.order.take_metrics();
    scenario.apply_refund_status("re_5", Some(refund), 3_000, ProviderRefundStatus::Failed);
    assert_eq!(scenario.refund(refund).status, RefundStatus::Succeeded);
    scenario.apply_refund_status("re_5", Some(refund), 3_000, ProviderRefundStatus::Succeeded);
    scenario.apply_refund_status("re_5", Some(refund), 3_000, ProviderRefundStatus::Succeeded);
    assert_eq!(scenario.order.take_metrics(), [DomainMetric::PaidTwice]);
    assert!(scenario.refund(refund).paid_twice);
    assert_eq!(scenario.payment(id).refunded().cents(), 3_000);
}

#[test]
fn provider_refund_of_manually_settled_money_is_counted_as_paid_twice() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    scenario.apply_refund_status("re_first", None, 1_000, ProviderRefundStatus::Succeeded);
    let refund = scenario.exhausted(id, 9_000);
    scenario.order.settle_refund(refund, &admin(), scenario.now).unwrap();
    scenario.order.take_metrics();
    let paid_twice = |scenario: &mut Scenario| {
        scenario.order.take_metrics().into_iter().filter(|metrics| *metrics == DomainMetric::PaidTwice).count()
    };
    for (dashboard, cents, refunded) in [("re_x", 700, 10_700), ("re_y", 1, 10_701)] {
        for status in [ProviderRefundStatus::Pending, ProviderRefundStatus::Succeeded, ProviderRefundStatus::Succeeded]
        {
            scenario.apply_refund_status(dashboard, None, cents, status);
        }
        assert_eq!(paid_twice(&mut scenario), 1, "{dashboard}");
        assert_eq!(
            (scenario.payment(id).refunded().cents(), scenario.outstanding(id)),
            (refunded, 0),
            "totals include it"
        );
    }
    assert_eq!(scenario.status(id), PaymentStatus::Refunded);
    let marked: Vec<_> =
        scenario.payment(id).refunds.iter().filter(|one| one.paid_twice).map(|one| one.amount.cents()).collect();
    assert_eq!(marked, [700, 1]);
    scenario.apply_refund_status("re_y", None, 1, ProviderRefundStatus::Failed);
    assert_eq!((paid_twice(&mut scenario), scenario.payment(id).refunded().cents()), (0, 10_700));
}

#[test]
fn refunds_up_to_the_captured_amount_are_not_paid_twice() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.exhausted(id, 3_000);
    scenario.order.settle_refund(refund, &admin(), scenario.now).unwrap();
    scenario.apply_refund_status("re_x", None, 7_000, ProviderRefundStatus::Succeeded);
    assert!(!scenario.order.take_metrics().contains(&DomainMetric::PaidTwice));
}

#[test]
fn events_contain_needs_attention_and_outside_flags() {
    let flags = |scenario: &mut Scenario| {
        let flag = |(_, event): (_, Event)| match event {
            Event::PaymentRefunded(data) => Some(("outside", data.outside)),
            Event::PaymentRefundFailed(data) => Some(("needs attention", data.needs_attention)),
            _ => None,
        };
        scenario.order.take_events().into_iter().filter_map(flag).collect::<Vec<_>>()
    };
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.exhausted(id, 3_000);
    scenario.order.settle_refund(refund, &admin(), scenario.now).unwrap();
    let mut expected = [("outside", false), ("needs attention", false)].repeat(5);
    expected[9].1 = true;
    expected.push(("outside", true));
    assert_eq!(flags(&mut scenario), expected);
    let mut scenario = Scenario::new();
    let id = scenario.confirmed("txn_1");
    scenario.grant(id, Some(4_000)).unwrap();
    assert_eq!(flags(&mut scenario), [("outside", true)], "manual refund");
}

#[test]
fn only_an_external_refund_or_one_that_needs_attention_can_be_settled() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.grant(id, Some(3_000)).unwrap();
    for status in [ProviderRefundStatus::Pending, ProviderRefundStatus::Succeeded, ProviderRefundStatus::Failed] {
        scenario.apply_refund_status("re_1", Some(refund), 3_000, status);
        assert_eq!(
            scenario.order.settle_refund(refund, &admin(), scenario.now),
            Err(PaymentError::NotSettleable),
            "{status:?}"
        );
        assert_eq!(scenario.retry(refund, None), Err(PaymentError::NotRetryable), "{status:?}");
    }
    let unknown = RefundId::generate(START);
    assert_eq!(scenario.order.settle_refund(unknown, &admin(), scenario.now), Err(PaymentError::RefundNotFound));
    let mut scenario = Scenario::new();
    let id = scenario.confirmed("txn_1");
    scenario.order.cancel_order(scenario.now);
    assert_eq!((scenario.outstanding(id), scenario.payment(id).refunds[0].status), (10_000, RefundStatus::Pending));
    let owed = scenario.payment(id).refunds[0].id;
    assert_eq!(scenario.retry(owed, None), Err(PaymentError::NotRetryable));
    scenario.order.settle_refund(owed, &admin(), scenario.now).unwrap();
    assert_eq!((scenario.status(id), scenario.outstanding(id)), (PaymentStatus::Refunded, 0));
}

#[test]
fn cancellation_does_not_resend_a_refund_that_needs_attention() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let waiting = scenario.exhausted(id, 3_000);
    scenario.order.cancel_order(scenario.now);
    assert_eq!(scenario.refunds(id).last(), Some(&(7_000, RefundStatus::Pending, RefundCause::Cancelled)));
    assert!(scenario.refund(waiting).needs_attention);
    assert_eq!(scenario.outstanding(id), 3_000);
}

#[test]
fn newly_granted_refund_reduces_the_amount_due() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let waiting = scenario.exhausted(id, 3_000);
    scenario.grant(id, Some(1_000)).unwrap();
    assert_eq!(scenario.outstanding(id), 2_000);
    assert!(matches!(scenario.retry(waiting, Some(ProviderRefundStatus::Failed)), Ok(RetryOutcome::SendToProvider(_))));
    assert_eq!(scenario.refund(waiting).amount.cents(), 2_000, "the amount still due");
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let waiting = scenario.exhausted(id, 3_000);
    scenario.grant(id, Some(3_000)).unwrap();
    assert!(!scenario.refund(waiting).needs_attention);
    assert_eq!(scenario.retry(waiting, None), Err(PaymentError::NotRetryable));
}

#[test]
fn refund_larger_than_the_amount_due_is_not_settled() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let waiting = scenario.exhausted(id, 3_000);
    scenario.grant(id, Some(1_000)).unwrap();
    let before = scenario.order.clone();
    let owed = Money::from_cents(2_000);
    let error = scenario.order.settle_refund(waiting, &admin(), scenario.now).unwrap_err();
    assert_eq!(error, PaymentError::SettlesTooMuch { owed });
    assert!(error.to_string().starts_with("Only 20.00 of this refund is still owed"), "{error}");
    assert_eq!(scenario.order, before, "nothing is recorded");
    // A retry of the amount due fails too: that amount is settled.
    assert!(matches!(scenario.retry(waiting, Some(ProviderRefundStatus::Failed)), Ok(RetryOutcome::SendToProvider(_))));
    scenario.later(10).apply_refund_status("re_6", Some(waiting), 2_000, ProviderRefundStatus::Failed);
    scenario.order.settle_refund(waiting, &admin(), scenario.now).unwrap();
    assert_eq!((scenario.refund(waiting).amount, scenario.outstanding(id)), (owed, 0));
}

#[test]
fn failed_refund_initiated_at_the_provider_is_not_due() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    scenario.apply_refund_status("re_x", None, 2_000, ProviderRefundStatus::Succeeded);
    scenario.apply_refund_status("re_x", None, 2_000, ProviderRefundStatus::Failed);
    assert_eq!((scenario.outstanding(id), scenario.payment(id).next_action(false)), (0, None));
}

#[test]
fn succeeded_refund_is_checked_again_and_a_late_failure_is_found() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let refund = scenario.grant(id, Some(3_000)).unwrap();
    scenario.later(11).apply_refund_status("re_1", Some(refund), 3_000, ProviderRefundStatus::Succeeded);
    let token = scenario.later(10).token();
    assert!(scenario.order.acquire_refund_task(id, refund, token, scenario.now).unwrap().is_some());
    let snapshot = RefundSnapshot {
        id: "re_1".to_owned(),
        intent: "pi_1".to_owned(),
        refund_id: Some(refund),
        amount: Money::from_cents(3_000),
        status: ProviderRefundStatus::Succeeded,
        failure_reason: None,
    };
    scenario
        .order
        .record_refund_result(id, refund, token, &RefundSyncResult::Snapshot(snapshot.clone()), scenario.now)
        .unwrap();
    assert_eq!(scenario.refund(refund).task.due_at, Some(scenario.now + Duration::seconds(10)));
    let token = scenario.later(10).token();
    scenario.order.acquire_refund_task(id, refund, token, scenario.now).unwrap().unwrap();
    let failed = RefundSyncResult::Snapshot(RefundSnapshot { status: ProviderRefundStatus::Failed, ..snapshot });
    scenario.order.record_refund_result(id, refund, token, &failed, scenario.now).unwrap();
    assert_eq!((scenario.refund(refund).status, scenario.outstanding(id)), (RefundStatus::Failed, 3_000));
}

#[test]
fn refund_is_counted_once_regardless_of_its_attempts() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    scenario.exhausted(id, 3_000);
    let metrics = scenario.order.take_metrics();
    let cents: i64 = metrics
        .iter()
        .map(|one| if let DomainMetric::Refunded { amount, .. } = one { amount.cents() } else { 0 })
        .sum();
    assert_eq!(cents, 3_000);
    assert_eq!(metrics.iter().filter(|one| matches!(one, DomainMetric::RefundFailed(RefundCause::Granted))).count(), 1);
}
