//! Granted and provider-initiated refunds.

use super::*;

#[test]
fn partial_refunds_never_exceed_what_was_captured() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let first = scenario.grant(id, Some(6_000)).unwrap();
    assert_eq!(
        scenario.grant(id, Some(4_001)),
        Err(PaymentError::RefundTooLarge { refundable: Money::from_cents(4_000) })
    );
    scenario.apply_refund_status("re_1", Some(first), 6_000, ProviderRefundStatus::Succeeded);
    assert_eq!(scenario.status(id), PaymentStatus::Completed);
    let second = scenario.grant(id, None).unwrap();
    assert_eq!(scenario.grant(id, None), Err(PaymentError::RefundTooLarge { refundable: Money::ZERO }));
    scenario.apply_refund_status("re_2", Some(second), 4_000, ProviderRefundStatus::Succeeded);
    assert_eq!((scenario.status(id), scenario.payment(id).refunded()), (PaymentStatus::Refunded, TOTAL));
    assert_eq!(scenario.grant(id, None), Err(PaymentError::NotRefundable { status: PaymentStatus::Refunded }));
    assert_eq!(
        scenario.events(),
        ["created 1", "completed 2", "refunded 60.00, version 3", "refunded 100.00, version 4"]
    );
    assert_eq!(scenario.order.owed(), Money::ZERO, "granted refunds are not owed again");
}

#[test]
fn only_a_captured_payment_can_be_refunded() {
    let mut scenario = Scenario::new();
    let id = scenario.started();
    assert_eq!(scenario.grant(id, None), Err(PaymentError::NotRefundable { status: PaymentStatus::Pending }));
}

#[test]
fn rejected_refund_releases_its_amount() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let token = scenario.token();
    let Ok(RefundGrant::SendToProvider(refund)) =
        scenario.order.grant_refund(id, NewRefund::default(), token, scenario.now)
    else {
        panic!("not sent")
    };
    let result = RefundSyncResult::Rejected { reason: "no".to_owned() };
    scenario.order.record_refund_result(id, refund, token, &result, scenario.now).unwrap();
    assert_eq!((scenario.payment(id).refundable_amount(), scenario.payment(id).refunded()), (TOTAL, Money::ZERO));
    assert!(scenario.payment(id).sync_refunds, "the provider may have refunded it by itself");
    assert_eq!(scenario.payment(id).refund_due(false), Money::ZERO, "the refund was never published");
    let again = scenario.order.record_refund_result(id, refund, token, &result, scenario.now);
    assert_eq!(again, Err(PaymentError::LeaseLost));
}

#[test]
fn published_refund_that_fails_is_retried_with_growing_delay() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    let mut refund = scenario.grant(id, Some(3_000)).unwrap();
    for (round, seconds) in [10, 20, 40].into_iter().enumerate() {
        scenario.apply_refund_status(&format!("re_{round}"), Some(refund), 3_000, ProviderRefundStatus::Succeeded);
        assert_eq!(scenario.payment(id).refunded(), Money::from_cents(3_000));
        scenario.apply_refund_status(&format!("re_{round}"), Some(refund), 3_000, ProviderRefundStatus::Failed);
        assert_eq!(scenario.payment(id).refunded(), Money::ZERO);
        assert_eq!(scenario.payment(id).task.due_at, Some(scenario.now + Duration::seconds(seconds)));
        let token = scenario.later(seconds - 1).token();
        scenario.order.acquire_payment_task(id, token, scenario.now).unwrap();
        assert_eq!(scenario.refunds(id).len(), round + 1, "too early");
        let token = scenario.later(1).token();
        scenario.order.acquire_payment_task(id, token, scenario.now).unwrap();
        assert_eq!(scenario.refunds(id)[round + 1], (3_000, RefundStatus::Pending, RefundCause::Granted));
        refund = scenario.payment(id).refunds[round + 1].id;
    }
    let expected = [
        "created 1",
        "completed 2",
        "refunded 30.00, version 3",
        "refund failed 0.00, version 4",
        "refunded 30.00, version 5",
        "refund failed 0.00, version 6",
        "refunded 30.00, version 7",
        "refund failed 0.00, version 8",
    ];
    assert_eq!(scenario.events(), expected);
}

#[test]
fn refund_initiated_at_the_provider_is_recorded_with_its_own_cause() {
    let mut scenario = Scenario::new();
    let id = scenario.completed();
    scenario.apply_refund_status("re_x", None, 2_000, ProviderRefundStatus::Pending);
    scenario.apply_refund_status("re_x", None, 2_000, ProviderRefundStatus::Succeeded);
    scenario.apply_refund_status("re_x", None, 2_000, ProviderRefundStatus::Succeeded);
    scenario.apply_refund_status("re_y", Some(RefundId::generate(START)), 1_000, ProviderRefundStatus::Succeeded);
    let expected = [
        (2_000, RefundStatus::Succeeded, RefundCause::Provider),
        (1_000, RefundStatus::Succeeded, RefundCause::Provider),
    ];
    assert_eq!(scenario.refunds(id), expected);
    assert_eq!(scenario.payment(id).refundable_amount(), Money::from_cents(7_000));
    assert_eq!(
        scenario.events(),
        ["created 1", "completed 2", "refunded 20.00, version 3", "refunded 30.00, version 4"]
    );
}
