use chrono::{DateTime, Duration, Utc};
use contracts::calls::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Event, Money, OrderId, PaymentId, RefundId, UserId};

use crate::domain::*;

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
const TOTAL: Money = Money::from_cents(10_000);

fn usd(cents: i64) -> Captured {
    Captured { amount: Money::from_cents(cents), currency: "USD".to_owned() }
}

fn succeeded(cents: i64) -> Fact {
    Fact::Succeeded(usd(cents))
}

fn declined() -> Fact {
    Fact::Declined { reason: "Your card was declined.".to_owned(), kind: Decline::Other }
}

/// An order's account with a clock beside it.
struct Story {
    account: Account,
    user: UserId,
    now: DateTime<Utc>,
}

impl Story {
    fn new() -> Self {
        let account = Account::unknown(OrderId::generate(START));
        Self { account, user: UserId::generate(START), now: START }
    }

    fn later(&mut self, seconds: i64) -> &mut Self {
        self.now += Duration::seconds(seconds);
        self
    }

    fn token(&self) -> LeaseToken {
        LeaseToken::generate(self.now)
    }

    fn begin(&mut self, amount: Money, token: LeaseToken) -> Result<Begin, Refusal> {
        let terms = Terms { user_id: self.user, total: TOTAL, currency: "USD".to_owned() };
        let request = NewPayment {
            user_id: self.user,
            amount,
            currency: "USD".to_owned(),
            method: PaymentMethod::Card,
            description: None,
            metadata: None,
        };
        self.account.begin(terms, request, token, self.now)
    }

    /// A payment that waits for the customer, with the intent `pi_<n>`.
    fn opened(&mut self) -> PaymentId {
        let token = self.token();
        let Begin::Opened(payment) = self.begin(TOTAL, token).unwrap() else { panic!("another one is open") };
        let intent = format!("pi_{}", self.account.payments.len());
        let seen = IntentSeen { id: intent, payment: Some(payment.id), fact: Fact::Waiting, taken_at: None };
        self.account.report(payment.id, token, &Report::Seen(seen), self.now).unwrap();
        payment.id
    }

    fn completed(&mut self) -> PaymentId {
        let id = self.opened();
        self.hear(&format!("pi_{}", self.account.payments.len()), None, succeeded(10_000));
        id
    }

    fn confirmed(&mut self, transaction: &str) -> PaymentId {
        let (id, token) = (self.opened(), self.token());
        assert!(matches!(self.account.confirm(id, transaction, token, self.now), Ok(Confirm::Settle(_))));
        self.report(id, token, Fact::Canceled);
        id
    }

    fn hear(&mut self, intent: &str, payment: Option<PaymentId>, fact: Fact) {
        self.account.hear_intent(&IntentSeen { id: intent.to_owned(), payment, fact, taken_at: None }, self.now);
    }

    fn report(&mut self, id: PaymentId, token: LeaseToken, fact: Fact) {
        let intent = self.payment(id).intent.clone().unwrap();
        let seen = IntentSeen { id: intent, payment: Some(id), fact, taken_at: None };
        self.account.report(id, token, &Report::Seen(seen), self.now).unwrap();
    }

    fn grant(&mut self, id: PaymentId, cents: Option<i64>) -> Result<RefundId, Refusal> {
        let (amount, token) = (cents.map(Money::from_cents), self.token());
        match self.account.grant_refund(id, NewRefund { amount, ..NewRefund::default() }, token, self.now)? {
            Granted::Send(refund) => Ok(refund),
            Granted::Booked => Ok(self.payment(id).refunds.last().unwrap().id),
        }
    }

    fn hear_refund(&mut self, id: &str, ours: Option<RefundId>, cents: i64, fact: RefundFact) {
        let seen = RefundSeen {
            id: id.to_owned(),
            intent: "pi_1".to_owned(),
            ours,
            amount: Money::from_cents(cents),
            fact,
            failure: None,
        };
        self.account.hear_refund(&seen, |_| false, self.now);
    }

    fn payment(&self, id: PaymentId) -> &Payment {
        self.account.payment(id).unwrap()
    }

    fn status(&self, id: PaymentId) -> PaymentStatus {
        self.payment(id).status()
    }

    fn refunds(&self, id: PaymentId) -> Vec<(i64, RefundStatus, RefundCause)> {
        self.payment(id).refunds.iter().map(|one| (one.amount.cents(), one.status, one.cause)).collect()
    }

    /// Kinds of events with the versions of the payment, and sums that went back.
    fn events(&mut self) -> Vec<String> {
        let told = |(_, event): (_, Event)| match event {
            Event::PaymentRefunded(data) => format!("refunded {}, version {}", data.refunded_total, data.version),
            Event::PaymentRefundFailed(data) => {
                format!("refund failed {}, version {}", data.refunded_total, data.version)
            }
            Event::PaymentCreated(data) => format!("created {}", data.version),
            Event::PaymentProcessing(data) => format!("processing {}", data.version),
            Event::PaymentCompleted(data) if data.counts => format!("completed {}", data.version),
            Event::PaymentCompleted(data) => format!("completed {}, does not count", data.version),
            Event::PaymentFailed(data) => format!("failed {}", data.version),
            Event::PaymentCancelled(data) => format!("cancelled {}", data.version),
            other => format!("{other:?}"),
        };
        self.account.take_events().into_iter().map(told).collect()
    }
}

#[test]
fn a_payment_by_webhook() {
    let mut story = Story::new();
    let id = story.opened();
    assert_eq!((story.status(id), story.account.owed()), (PaymentStatus::Pending, TOTAL));
    story.hear("pi_1", None, succeeded(10_000));
    story.hear("pi_1", None, succeeded(10_000));
    story.hear("pi_1", None, declined());
    story.hear("pi_1", None, Fact::Canceled);
    assert_eq!((story.status(id), story.account.owed()), (PaymentStatus::Completed, Money::ZERO));
    assert_eq!(story.events(), ["created 1", "completed 2"]);
    let token = story.token();
    assert_eq!(story.begin(TOTAL, token), Err(Refusal::OrderPaid));
}

#[test]
fn the_amount_must_be_what_is_owed() {
    let mut story = Story::new();
    let token = story.token();
    for cents in [9_999, 10_001] {
        let refusal = story.begin(Money::from_cents(cents), token);
        assert_eq!(refusal, Err(Refusal::AmountMismatch { owed: TOTAL }));
    }
}

#[test]
fn an_open_payment_is_replaced_once_it_is_closed() {
    let mut story = Story::new();
    let (first, token) = (story.opened(), story.token());
    assert!(matches!(story.begin(TOTAL, token), Ok(Begin::Replace(payment)) if payment.id == first));
    let other = story.token();
    assert_eq!(story.begin(TOTAL, other), Err(Refusal::InProgress), "somebody is at it");
    story.report(first, token, Fact::Canceled);
    let second = story.opened();
    assert_eq!((story.status(first), story.status(second)), (PaymentStatus::Cancelled, PaymentStatus::Pending));
    assert_eq!(story.events(), ["created 1", "cancelled 2", "created 1"]);
}

#[test]
fn a_webhook_that_overtakes_the_answer_finds_its_payment() {
    let mut story = Story::new();
    let token = story.token();
    let Ok(Begin::Opened(payment)) = story.begin(TOTAL, token) else { panic!("not opened") };
    story.hear("pi_1", Some(payment.id), succeeded(10_000));
    story.hear("pi_1", Some(payment.id), Fact::Waiting);
    assert_eq!(story.status(payment.id), PaymentStatus::Completed);
    story.report(payment.id, token, Fact::Waiting);
    assert_eq!(story.status(payment.id), PaymentStatus::Completed);
    assert_eq!(story.payment(payment.id).work.due_at, None);
}

#[test]
fn a_decline_fails_and_asks_that_the_intent_is_cancelled() {
    let mut story = Story::new();
    let id = story.opened();
    story.hear("pi_1", None, declined());
    assert_eq!(story.status(id), PaymentStatus::Failed);
    assert_eq!(story.payment(id).failure_reason.as_deref(), Some("Your card was declined."));
    assert_eq!(story.payment(id).work.due_at, Some(story.now));
    let token = story.token();
    let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
    assert_eq!(need, Need::Close);
    story.report(id, token, Fact::Canceled);
    assert_eq!((story.status(id), story.payment(id).work.due_at), (PaymentStatus::Failed, None));
    let second = story.opened();
    story.hear("pi_2", None, succeeded(10_000));
    assert_eq!(story.status(second), PaymentStatus::Completed);
    assert_eq!(story.events(), ["created 1", "failed 2", "created 1", "completed 2"]);
}

#[test]
fn a_success_after_a_decline_is_kept_if_the_order_still_wants_it() {
    let mut story = Story::new();
    let first = story.opened();
    story.hear("pi_1", None, declined());
    let second = story.opened();
    story.hear("pi_1", None, succeeded(10_000));
    assert_eq!(story.status(first), PaymentStatus::Completed);
    assert_eq!(story.payment(first).failure_reason, None);
    assert!(story.payment(second).stop, "the order is paid");
    story.hear("pi_2", None, succeeded(10_000));
    assert_eq!(story.refunds(second), [(10_000, RefundStatus::Pending, RefundCause::Doubled)]);
    assert_eq!(story.account.owed(), Money::ZERO);
    assert_eq!(story.events(), ["created 1", "failed 2", "created 1", "completed 3", "completed 2, does not count"]);
}

#[test]
fn a_success_of_a_cancelled_order_goes_back() {
    let mut story = Story::new();
    let id = story.opened();
    story.account.cancel_order(story.now);
    assert!(story.payment(id).stop);
    assert_eq!(story.status(id), PaymentStatus::Pending);
    story.hear("pi_1", None, succeeded(10_000));
    assert_eq!(story.status(id), PaymentStatus::Completed);
    assert_eq!(story.refunds(id), [(10_000, RefundStatus::Pending, RefundCause::Late)]);
    let refund = story.payment(id).refunds[0].id;
    story.hear_refund("re_1", Some(refund), 10_000, RefundFact::Succeeded);
    assert_eq!(story.status(id), PaymentStatus::Refunded);
    assert_eq!(story.events(), ["created 1", "completed 2, does not count", "refunded 100.00, version 3"]);
    let token = story.token();
    assert_eq!(story.begin(TOTAL, token), Err(Refusal::OrderCancelled));
}

#[test]
fn a_cancelled_order_closes_its_open_payment() {
    let mut story = Story::new();
    let id = story.opened();
    story.account.cancel_order(story.now);
    let token = story.token();
    assert_eq!(story.account.confirm(id, "txn", token, story.now), Err(Refusal::NotConfirmable));
    let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
    assert_eq!(need, Need::Close);
    story.report(id, token, Fact::Canceled);
    assert_eq!(story.events(), ["created 1", "cancelled 2"]);
}

#[test]
fn a_cancelled_order_gives_back_what_was_not_given_back_before() {
    let mut story = Story::new();
    let id = story.completed();
    let granted = story.grant(id, Some(2_500)).unwrap();
    story.account.cancel_order(story.now);
    story.account.cancel_order(story.now);
    let expected =
        [(2_500, RefundStatus::Pending, RefundCause::Granted), (7_500, RefundStatus::Pending, RefundCause::Cancelled)];
    assert_eq!(story.refunds(id), expected);
    // The granted one is refused late: now it is owed because the order was cancelled.
    story.hear_refund("re_1", Some(granted), 2_500, RefundFact::Failed);
    let token = story.later(10).token();
    assert_eq!(story.account.take_payment(id, token, story.now), Ok(None));
    assert_eq!(story.refunds(id)[2], (2_500, RefundStatus::Pending, RefundCause::Cancelled));
}

#[test]
fn another_amount_or_currency_is_recorded_and_goes_back() {
    let wrong = [usd(9_999), usd(10_001), Captured { currency: "EUR".to_owned(), ..usd(10_000) }];
    for captured in wrong {
        let mut story = Story::new();
        let id = story.opened();
        story.hear("pi_1", None, Fact::Succeeded(captured.clone()));
        assert_eq!(story.payment(id).shown_amount(), captured.amount);
        assert_eq!(story.payment(id).shown_currency(), captured.currency);
        assert_eq!(story.refunds(id), [(captured.amount.cents(), RefundStatus::Pending, RefundCause::Late)]);
        assert_eq!(story.account.owed(), TOTAL);
    }
}

#[test]
fn a_confirmation_settles_then_completes() {
    let mut story = Story::new();
    let (id, token) = (story.opened(), story.token());
    assert!(matches!(story.account.confirm(id, "txn_1", token, story.now), Ok(Confirm::Settle(_))));
    assert_eq!((story.status(id), story.payment(id).state), (PaymentStatus::Processing, State::Settling));
    assert_eq!(story.payment(id).shown_transaction(), Some("pi_1"));
    story.hear("pi_1", None, Fact::Canceled);
    assert_eq!(story.payment(id).state, State::Settling, "a webhook never changes it");
    let other = story.token();
    assert_eq!(story.account.confirm(id, "txn_1", other, story.now), Ok(Confirm::Busy));
    assert_eq!(story.account.confirm(id, "txn_2", other, story.now), Err(Refusal::AlreadyConfirmed));
    assert_eq!(story.begin(TOTAL, other), Err(Refusal::InProgress));
    story.report(id, token, Fact::Canceled);
    assert_eq!(story.status(id), PaymentStatus::Completed);
    assert_eq!(story.payment(id).shown_transaction(), Some("txn_1"));
    assert!(matches!(story.account.confirm(id, "txn_1", other, story.now), Ok(Confirm::Done(_))));
    assert_eq!(story.account.confirm(id, "txn_2", other, story.now), Err(Refusal::AlreadyConfirmed));
    assert_eq!(story.events(), ["created 1", "processing 2", "completed 3"]);
}

#[test]
fn the_provider_wins_over_a_confirmation() {
    let mut story = Story::new();
    let (id, token) = (story.opened(), story.token());
    story.account.confirm(id, "txn_1", token, story.now).unwrap();
    story.report(id, token, succeeded(10_000));
    assert_eq!((story.status(id), story.payment(id).external), (PaymentStatus::Completed, false));
    assert_eq!(story.payment(id).shown_transaction(), Some("pi_1"));
    let other = story.token();
    assert_eq!(story.account.confirm(id, "txn_1", other, story.now), Err(Refusal::AlreadyConfirmed));
}

#[test]
fn what_failed_or_was_cancelled_cannot_be_confirmed() {
    let mut story = Story::new();
    let id = story.opened();
    story.hear("pi_1", None, declined());
    let token = story.token();
    assert_eq!(story.account.confirm(id, "txn", token, story.now), Err(Refusal::NotConfirmable));
    let id = story.opened();
    story.hear("pi_2", None, Fact::Canceled);
    assert_eq!(story.account.confirm(id, "txn", token, story.now), Err(Refusal::NotConfirmable));
    let unknown = PaymentId::generate(START);
    assert_eq!(story.account.confirm(unknown, "txn", token, story.now), Err(Refusal::NotFound));
}

#[test]
fn a_settling_payment_of_a_cancelled_order_completes_and_is_owed_back() {
    let mut story = Story::new();
    let (id, token) = (story.opened(), story.token());
    story.account.confirm(id, "txn_1", token, story.now).unwrap();
    story.account.cancel_order(story.now);
    story.report(id, token, Fact::Canceled);
    assert_eq!(story.refunds(id), [(10_000, RefundStatus::Pending, RefundCause::Late)]);
    assert_eq!(story.payment(id).refunds[0].work.due_at, None, "people pay it back");
    story.grant(id, Some(4_000)).unwrap();
    assert_eq!(story.grant(id, Some(6_001)), Err(Refusal::RefundTooLarge { rest: Money::from_cents(6_000) }));
    story.grant(id, None).unwrap();
    assert_eq!(story.status(id), PaymentStatus::Refunded);
    assert_eq!(
        story.events(),
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
fn money_of_the_provider_beside_a_confirmation_is_a_payment_of_its_own() {
    let mut story = Story::new();
    let id = story.confirmed("txn_1");
    story.hear("pi_1", None, succeeded(10_000));
    story.hear("pi_1", None, succeeded(10_000));
    assert_eq!((story.account.payments.len(), story.status(id)), (2, PaymentStatus::Completed));
    let stray = story.account.payments[1].id;
    assert_eq!(story.payment(stray).intent.as_deref(), Some("pi_1"));
    assert_eq!(story.refunds(stray), [(10_000, RefundStatus::Pending, RefundCause::Doubled)]);
    assert!(story.refunds(id).is_empty());
}

#[test]
fn money_by_a_second_intent_of_a_payment_is_a_payment_of_its_own() {
    let mut story = Story::new();
    let id = story.opened();
    story.hear("pi_other", Some(id), Fact::Canceled);
    assert_eq!(story.status(id), PaymentStatus::Pending, "not its intent");
    story.hear("pi_other", Some(id), succeeded(10_000));
    assert_eq!(story.account.owed(), Money::ZERO);
    assert!(story.payment(id).stop);
    assert_eq!(story.status(story.account.payments[1].id), PaymentStatus::Completed);
}

#[test]
fn what_is_not_ours_changes_nothing() {
    let mut story = Story::new();
    story.opened();
    let before = story.account.clone();
    story.hear("pi_unknown", Some(PaymentId::generate(START)), succeeded(10_000));
    assert_eq!(story.account, before);
}

#[test]
fn partial_refunds_never_exceed_what_was_captured() {
    let mut story = Story::new();
    let id = story.completed();
    let first = story.grant(id, Some(6_000)).unwrap();
    assert_eq!(story.grant(id, Some(4_001)), Err(Refusal::RefundTooLarge { rest: Money::from_cents(4_000) }));
    story.hear_refund("re_1", Some(first), 6_000, RefundFact::Succeeded);
    assert_eq!(story.status(id), PaymentStatus::Completed);
    let second = story.grant(id, None).unwrap();
    assert_eq!(story.grant(id, None), Err(Refusal::RefundTooLarge { rest: Money::ZERO }));
    story.hear_refund("re_2", Some(second), 4_000, RefundFact::Succeeded);
    assert_eq!((story.status(id), story.payment(id).refunded()), (PaymentStatus::Refunded, TOTAL));
    assert_eq!(story.grant(id, None), Err(Refusal::NotRefundable { status: PaymentStatus::Refunded }));
    assert_eq!(story.events(), ["created 1", "completed 2", "refunded 60.00, version 3", "refunded 100.00, version 4"]);
    assert_eq!(story.account.owed(), Money::ZERO, "what was granted back is not owed again");
}

#[test]
fn only_what_is_captured_can_be_refunded() {
    let mut story = Story::new();
    let id = story.opened();
    assert_eq!(story.grant(id, None), Err(Refusal::NotRefundable { status: PaymentStatus::Pending }));
}

#[test]
fn a_refund_that_is_refused_gives_its_amount_back() {
    let mut story = Story::new();
    let id = story.completed();
    let token = story.token();
    let Ok(Granted::Send(refund)) = story.account.grant_refund(id, NewRefund::default(), token, story.now) else {
        panic!("not sent")
    };
    let report = RefundReport::Refused { reason: "no".to_owned() };
    story.account.report_refund(id, refund, token, &report, story.now).unwrap();
    assert_eq!((story.payment(id).rest(), story.payment(id).refunded()), (TOTAL, Money::ZERO));
    assert!(story.payment(id).sync_refunds, "perhaps the provider gave it back by itself");
    assert_eq!(story.payment(id).owed_back(false), Money::ZERO, "nobody was told that it went back");
    let again = story.account.report_refund(id, refund, token, &report, story.now);
    assert_eq!(again, Err(Refusal::LeaseLost));
}

#[test]
fn a_refund_that_was_announced_and_fails_is_made_again_with_growing_delay() {
    let mut story = Story::new();
    let id = story.completed();
    let mut refund = story.grant(id, Some(3_000)).unwrap();
    for (round, seconds) in [10, 20, 40].into_iter().enumerate() {
        story.hear_refund(&format!("re_{round}"), Some(refund), 3_000, RefundFact::Succeeded);
        assert_eq!(story.payment(id).refunded(), Money::from_cents(3_000));
        story.hear_refund(&format!("re_{round}"), Some(refund), 3_000, RefundFact::Failed);
        assert_eq!(story.payment(id).refunded(), Money::ZERO);
        assert_eq!(story.payment(id).work.due_at, Some(story.now + Duration::seconds(seconds)));
        let token = story.later(seconds - 1).token();
        story.account.take_payment(id, token, story.now).unwrap();
        assert_eq!(story.refunds(id).len(), round + 1, "too early");
        let token = story.later(1).token();
        story.account.take_payment(id, token, story.now).unwrap();
        assert_eq!(story.refunds(id)[round + 1], (3_000, RefundStatus::Pending, RefundCause::Granted));
        refund = story.payment(id).refunds[round + 1].id;
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
    assert_eq!(story.events(), expected);
}

#[test]
fn a_refund_at_the_provider_is_recorded_as_its_own() {
    let mut story = Story::new();
    let id = story.completed();
    story.hear_refund("re_x", None, 2_000, RefundFact::Pending);
    story.hear_refund("re_x", None, 2_000, RefundFact::Succeeded);
    story.hear_refund("re_x", None, 2_000, RefundFact::Succeeded);
    story.hear_refund("re_y", Some(RefundId::generate(START)), 1_000, RefundFact::Succeeded);
    let expected = [
        (2_000, RefundStatus::Succeeded, RefundCause::Provider),
        (1_000, RefundStatus::Succeeded, RefundCause::Provider),
    ];
    assert_eq!(story.refunds(id), expected);
    assert_eq!(story.payment(id).rest(), Money::from_cents(7_000));
    assert_eq!(story.events(), ["created 1", "completed 2", "refunded 20.00, version 3", "refunded 30.00, version 4"]);
}

#[test]
fn a_refund_that_overtakes_the_success_asks_for_both() {
    let mut story = Story::new();
    let id = story.opened();
    story.hear_refund("re_x", None, 2_000, RefundFact::Succeeded);
    assert!(story.refunds(id).is_empty());
    let token = story.later(10).token();
    let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
    assert_eq!(need, Need::Sync);
    let seen = IntentSeen { id: "pi_1".to_owned(), payment: Some(id), fact: succeeded(10_000), taken_at: None };
    let refund = RefundSeen {
        id: "re_x".to_owned(),
        intent: "pi_1".to_owned(),
        ours: None,
        amount: Money::from_cents(2_000),
        fact: RefundFact::Succeeded,
        failure: None,
    };
    story.account.report(id, token, &Report::Refunds(seen, vec![refund]), story.now).unwrap();
    assert_eq!(story.payment(id).refunded(), Money::from_cents(2_000));
    assert_eq!((story.payment(id).sync_refunds, story.payment(id).work.due_at), (false, None));
}

#[test]
fn refunds_that_are_told_of_while_they_are_asked_for_are_asked_for_again() {
    let mut story = Story::new();
    let id = story.completed();
    story.account.expect_refunds("pi_1", None, story.now);
    let token = story.later(10).token();
    let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
    assert_eq!(need, Need::Sync);
    story.later(1);
    story.account.expect_refunds("pi_1", None, story.now);
    let seen = IntentSeen { id: "pi_1".to_owned(), payment: Some(id), fact: succeeded(10_000), taken_at: None };
    story.account.report(id, token, &Report::Refunds(seen.clone(), Vec::new()), story.now).unwrap();
    assert_eq!((story.payment(id).sync_refunds, story.payment(id).work.due_at), (true, Some(story.now)));
    let token = story.token();
    story.account.take_payment(id, token, story.now).unwrap().unwrap();
    story.account.report(id, token, &Report::Refunds(seen, Vec::new()), story.now).unwrap();
    assert_eq!((story.payment(id).sync_refunds, story.payment(id).work.due_at), (false, None));
}

#[test]
fn an_open_payment_is_asked_about_with_growing_pauses() {
    let mut story = Story::new();
    let id = story.opened();
    for seconds in [10, 20, 40, 80] {
        assert_eq!(story.payment(id).work.due_at, Some(story.now + Duration::seconds(seconds)));
        let token = story.later(seconds).token();
        let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
        assert_eq!(need, Need::Check);
        story.report(id, token, Fact::Waiting);
    }
}

#[test]
fn a_payment_whose_maker_died_is_taken_up_and_closed() {
    let mut story = Story::new();
    let dead = story.token();
    let Ok(Begin::Opened(payment)) = story.begin(TOTAL, dead) else { panic!("not opened") };
    let token = story.later(9).token();
    assert_eq!(story.account.take_payment(payment.id, token, story.now), Ok(None), "it may live");
    let token = story.later(1).token();
    let (need, taken) = story.account.take_payment(payment.id, token, story.now).unwrap().unwrap();
    assert_eq!((need, taken.stop), (Need::Close, true));
    let late = IntentSeen { id: "pi_1".to_owned(), payment: Some(payment.id), fact: Fact::Waiting, taken_at: None };
    let report = story.account.report(payment.id, dead, &Report::Seen(late), story.now);
    assert_eq!(report, Err(Refusal::LeaseLost));
    story.account.report(payment.id, token, &Report::Absent, story.now).unwrap();
    assert_eq!(story.events(), ["created 1", "cancelled 2"]);
}

#[test]
fn an_intent_that_is_refused_fails_the_payment() {
    let mut story = Story::new();
    let token = story.token();
    let Ok(Begin::Opened(payment)) = story.begin(TOTAL, token) else { panic!("not opened") };
    let report = Report::Refused { reason: "not offered".to_owned() };
    let payment = story.account.report(payment.id, token, &report, story.now).unwrap();
    assert_eq!((payment.status(), payment.work.due_at), (PaymentStatus::Failed, None));
    assert_eq!(story.events(), ["created 1", "failed 2"]);
}

#[test]
fn a_doubt_is_looked_into_after_ten_seconds() {
    let mut story = Story::new();
    let token = story.token();
    let Ok(Begin::Opened(payment)) = story.begin(TOTAL, token) else { panic!("not opened") };
    let payment = story.account.report(payment.id, token, &Report::Doubt(Doubt::ServerError), story.now).unwrap();
    assert_eq!(payment.work.due_at, Some(story.now + Duration::seconds(10)));
    assert!(payment.work.must_look_first(story.now));
}

impl Story {
    /// A refund of so much that failed late five times, and the last attempt's row.
    fn exhausted(&mut self, id: PaymentId, cents: i64) -> RefundId {
        let mut refund = self.grant(id, Some(cents)).unwrap();
        for attempt in 1..=MAX_ATTEMPTS {
            self.hear_refund(&format!("re_{attempt}"), Some(refund), cents, RefundFact::Succeeded);
            self.hear_refund(&format!("re_{attempt}"), Some(refund), cents, RefundFact::Failed);
            let token = self.later(600).token();
            self.account.take_payment(id, token, self.now).unwrap();
            refund = self.payment(id).refunds.last().unwrap().id;
        }
        refund
    }

    fn refund(&self, id: RefundId) -> &Refund {
        self.account.payments.iter().flat_map(|payment| &payment.refunds).find(|refund| refund.id == id).unwrap()
    }

    fn awaiting(&self, id: PaymentId) -> i64 {
        self.payment(id).awaiting(self.account.is_cancelled()).cents()
    }

    /// Has a refund tried again, with what the provider has of the last attempt.
    fn retry(&mut self, id: RefundId, found: Option<RefundFact>) -> Result<Retry, Refusal> {
        let token = self.later(1).token();
        let payment = self.account.begin_retry(id, token, self.now)?;
        let refund = payment.refunds.iter().find(|refund| refund.id == id).unwrap();
        let found = found.map(|fact| RefundSeen {
            id: refund.provider_refund.clone().unwrap(),
            intent: "pi_1".to_owned(),
            ours: Some(id),
            amount: refund.amount,
            fact,
            failure: None,
        });
        self.account.retry_refund(id, &admin(), token, found.as_ref(), self.now)
    }
}

fn admin() -> Actor {
    Actor::Admin("admin".to_owned())
}

#[test]
fn refund_that_fails_five_times_waits_for_a_person() {
    let mut story = Story::new();
    let id = story.completed();
    let last = story.exhausted(id, 3_000);
    let attempts: Vec<_> = story.payment(id).refunds.iter().map(|one| (one.attempts, one.needs_attention)).collect();
    assert_eq!(attempts, [(1, false), (2, false), (3, false), (4, false), (5, true)]);
    assert_eq!(
        (story.payment(id).work.due_at, story.refund(last).work.due_at),
        (None, None),
        "nothing is sent any more"
    );
    assert_eq!((story.awaiting(id), story.payment(id).owed_now(false)), (3_000, Money::ZERO));
    assert_eq!((story.status(id), story.payment(id).refunded()), (PaymentStatus::Completed, Money::ZERO));
}

#[test]
fn retry_sends_the_refund_once_more_and_a_failure_needs_attention_again() {
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.exhausted(id, 3_000);
    assert!(matches!(story.retry(refund, Some(RefundFact::Failed)), Ok(Retry::Send(_))));
    assert_eq!(story.retry(refund, None), Err(Refusal::NotRetryable), "an attempt is in flight");
    assert_eq!(story.account.settle_refund(refund, &admin(), story.now), Err(Refusal::NotSettleable));
    let row = story.refund(refund);
    assert_eq!((row.status, row.attempts, row.needs_attention), (RefundStatus::Pending, 6, false));
    assert_eq!((&row.former, &row.provider_refund), (&vec!["re_5".to_owned()], &None));
    assert_eq!(row.actor, Some(admin()));
    story.hear_refund("re_5", Some(refund), 3_000, RefundFact::Failed);
    assert_eq!(story.refund(refund).status, RefundStatus::Pending, "that was the attempt before");
    story.hear_refund("re_6", Some(refund), 3_000, RefundFact::Succeeded);
    assert_eq!((story.payment(id).refunded().cents(), story.awaiting(id)), (3_000, 0));
    story.hear_refund("re_6", Some(refund), 3_000, RefundFact::Failed);
    assert!(story.refund(refund).needs_attention, "at once");
    assert_eq!((story.awaiting(id), story.payment(id).work.due_at), (3_000, None));
}

#[test]
fn retry_records_what_the_provider_has_paid_meanwhile() {
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.exhausted(id, 3_000);
    assert!(matches!(story.retry(refund, Some(RefundFact::Succeeded)), Ok(Retry::Found(_))));
    assert_eq!((story.payment(id).refunded().cents(), story.awaiting(id)), (3_000, 0));
    assert_eq!(story.payment(id).refunds.len(), 5, "nothing is sent");
    assert_eq!(story.retry(refund, None), Err(Refusal::NotRetryable));
}

#[test]
fn settled_refund_is_never_sent_again_and_a_late_success_is_recorded() {
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.exhausted(id, 3_000);
    story.account.settle_refund(refund, &admin(), story.now).unwrap();
    assert_eq!(story.account.settle_refund(refund, &admin(), story.now), Err(Refusal::NotSettleable));
    assert_eq!(story.retry(refund, None), Err(Refusal::NotRetryable));
    assert_eq!((story.payment(id).refunded().cents(), story.awaiting(id)), (3_000, 0));
    assert_eq!((story.refund(refund).work.due_at, story.payment(id).work.due_at), (None, None));
    story.account.take_noted();
    story.hear_refund("re_5", Some(refund), 3_000, RefundFact::Failed);
    assert_eq!(story.refund(refund).status, RefundStatus::Succeeded);
    story.hear_refund("re_5", Some(refund), 3_000, RefundFact::Succeeded);
    story.hear_refund("re_5", Some(refund), 3_000, RefundFact::Succeeded);
    assert_eq!(story.account.take_noted(), [Noted::PaidTwice]);
    assert!(story.refund(refund).paid_twice);
    assert_eq!(story.payment(id).refunded().cents(), 3_000);
}

#[test]
fn new_refund_of_money_that_was_settled_by_hand_is_counted_as_paid_twice() {
    let mut story = Story::new();
    let id = story.completed();
    story.hear_refund("re_first", None, 1_000, RefundFact::Succeeded);
    let refund = story.exhausted(id, 9_000);
    story.account.settle_refund(refund, &admin(), story.now).unwrap();
    story.account.take_noted();
    let paid_twice =
        |story: &mut Story| story.account.take_noted().into_iter().filter(|noted| *noted == Noted::PaidTwice).count();
    for (dashboard, cents, refunded) in [("re_x", 700, 10_700), ("re_y", 1, 10_701)] {
        for fact in [RefundFact::Pending, RefundFact::Succeeded, RefundFact::Succeeded] {
            story.hear_refund(dashboard, None, cents, fact);
        }
        assert_eq!(paid_twice(&mut story), 1, "{dashboard}");
        assert_eq!((story.payment(id).refunded().cents(), story.awaiting(id)), (refunded, 0), "the books stay true");
    }
    assert_eq!(story.status(id), PaymentStatus::Refunded);
    let marked: Vec<_> =
        story.payment(id).refunds.iter().filter(|one| one.paid_twice).map(|one| one.amount.cents()).collect();
    assert_eq!(marked, [700, 1]);
    story.hear_refund("re_y", None, 1, RefundFact::Failed);
    assert_eq!((paid_twice(&mut story), story.payment(id).refunded().cents()), (0, 10_700));
}

#[test]
fn refunds_up_to_what_was_captured_are_not_paid_twice() {
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.exhausted(id, 3_000);
    story.account.settle_refund(refund, &admin(), story.now).unwrap();
    story.hear_refund("re_x", None, 7_000, RefundFact::Succeeded);
    assert!(!story.account.take_noted().contains(&Noted::PaidTwice));
}

#[test]
fn events_tell_what_waits_for_a_person_and_what_was_paid_by_hand() {
    let told = |story: &mut Story| {
        let told = |(_, event): (_, Event)| match event {
            Event::PaymentRefunded(data) => Some(("outside", data.outside)),
            Event::PaymentRefundFailed(data) => Some(("needs attention", data.needs_attention)),
            _ => None,
        };
        story.account.take_events().into_iter().filter_map(told).collect::<Vec<_>>()
    };
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.exhausted(id, 3_000);
    story.account.settle_refund(refund, &admin(), story.now).unwrap();
    let mut expected = [("outside", false), ("needs attention", false)].repeat(5);
    expected[9].1 = true;
    expected.push(("outside", true));
    assert_eq!(told(&mut story), expected);
    let mut story = Story::new();
    let id = story.confirmed("txn_1");
    story.grant(id, Some(4_000)).unwrap();
    assert_eq!(told(&mut story), [("outside", true)], "people paid it back");
}

#[test]
fn only_an_external_refund_or_one_that_needs_attention_can_be_settled() {
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.grant(id, Some(3_000)).unwrap();
    for fact in [RefundFact::Pending, RefundFact::Succeeded, RefundFact::Failed] {
        story.hear_refund("re_1", Some(refund), 3_000, fact);
        assert_eq!(story.account.settle_refund(refund, &admin(), story.now), Err(Refusal::NotSettleable), "{fact:?}");
        assert_eq!(story.retry(refund, None), Err(Refusal::NotRetryable), "{fact:?}");
    }
    let unknown = RefundId::generate(START);
    assert_eq!(story.account.settle_refund(unknown, &admin(), story.now), Err(Refusal::RefundNotFound));
    let mut story = Story::new();
    let id = story.confirmed("txn_1");
    story.account.cancel_order(story.now);
    assert_eq!((story.awaiting(id), story.payment(id).refunds[0].status), (10_000, RefundStatus::Pending));
    let owed = story.payment(id).refunds[0].id;
    assert_eq!(story.retry(owed, None), Err(Refusal::NotRetryable));
    story.account.settle_refund(owed, &admin(), story.now).unwrap();
    assert_eq!((story.status(id), story.awaiting(id)), (PaymentStatus::Refunded, 0));
}

#[test]
fn cancelling_does_not_send_again_what_waits_for_a_person() {
    let mut story = Story::new();
    let id = story.completed();
    let waiting = story.exhausted(id, 3_000);
    story.account.cancel_order(story.now);
    assert_eq!(story.refunds(id).last(), Some(&(7_000, RefundStatus::Pending, RefundCause::Cancelled)));
    assert!(story.refund(waiting).needs_attention);
    assert_eq!(story.awaiting(id), 3_000);
}

#[test]
fn what_is_granted_anew_is_no_longer_owed() {
    let mut story = Story::new();
    let id = story.completed();
    let waiting = story.exhausted(id, 3_000);
    story.grant(id, Some(1_000)).unwrap();
    assert_eq!(story.awaiting(id), 2_000);
    assert!(matches!(story.retry(waiting, Some(RefundFact::Failed)), Ok(Retry::Send(_))));
    assert_eq!(story.refund(waiting).amount.cents(), 2_000, "what is still owed of it");
    let mut story = Story::new();
    let id = story.completed();
    let waiting = story.exhausted(id, 3_000);
    story.grant(id, Some(3_000)).unwrap();
    assert!(!story.refund(waiting).needs_attention);
    assert_eq!(story.retry(waiting, None), Err(Refusal::NotRetryable));
}

#[test]
fn refund_of_which_less_is_owed_is_not_settled() {
    let mut story = Story::new();
    let id = story.completed();
    let waiting = story.exhausted(id, 3_000);
    story.grant(id, Some(1_000)).unwrap();
    let before = story.account.clone();
    let owed = Money::from_cents(2_000);
    let refusal = story.account.settle_refund(waiting, &admin(), story.now).unwrap_err();
    assert_eq!(refusal, Refusal::SettlesTooMuch { owed });
    assert!(refusal.to_string().starts_with("Only 20.00 of this refund is still owed"), "{refusal}");
    assert_eq!(story.account, before, "nothing is booked");
    // Another attempt of what is owed fails too: that much is settled.
    assert!(matches!(story.retry(waiting, Some(RefundFact::Failed)), Ok(Retry::Send(_))));
    story.later(10).hear_refund("re_6", Some(waiting), 2_000, RefundFact::Failed);
    story.account.settle_refund(waiting, &admin(), story.now).unwrap();
    assert_eq!((story.refund(waiting).amount, story.awaiting(id)), (owed, 0));
}

#[test]
fn failed_refund_of_the_providers_own_is_not_owed() {
    let mut story = Story::new();
    let id = story.completed();
    story.hear_refund("re_x", None, 2_000, RefundFact::Succeeded);
    story.hear_refund("re_x", None, 2_000, RefundFact::Failed);
    assert_eq!((story.awaiting(id), story.payment(id).need(false)), (0, None));
}

#[test]
fn refund_that_succeeded_is_looked_at_again_and_its_failure_is_found() {
    let mut story = Story::new();
    let id = story.completed();
    let refund = story.grant(id, Some(3_000)).unwrap();
    story.later(11).hear_refund("re_1", Some(refund), 3_000, RefundFact::Succeeded);
    let token = story.later(10).token();
    assert!(story.account.take_refund(id, refund, token, story.now).unwrap().is_some());
    let seen = RefundSeen {
        id: "re_1".to_owned(),
        intent: "pi_1".to_owned(),
        ours: Some(refund),
        amount: Money::from_cents(3_000),
        fact: RefundFact::Succeeded,
        failure: None,
    };
    story.account.report_refund(id, refund, token, &RefundReport::Seen(seen.clone()), story.now).unwrap();
    assert_eq!(story.refund(refund).work.due_at, Some(story.now + Duration::seconds(10)));
    let token = story.later(10).token();
    story.account.take_refund(id, refund, token, story.now).unwrap().unwrap();
    let failed = RefundReport::Seen(RefundSeen { fact: RefundFact::Failed, ..seen });
    story.account.report_refund(id, refund, token, &failed, story.now).unwrap();
    assert_eq!((story.refund(refund).status, story.awaiting(id)), (RefundStatus::Failed, 3_000));
}

#[test]
fn each_refund_is_counted_once_whatever_the_number_of_attempts() {
    let mut story = Story::new();
    let id = story.completed();
    story.exhausted(id, 3_000);
    let noted = story.account.take_noted();
    let cents: i64 =
        noted.iter().map(|one| if let Noted::Refunded { amount, .. } = one { amount.cents() } else { 0 }).sum();
    assert_eq!(cents, 3_000);
    assert_eq!(noted.iter().filter(|one| matches!(one, Noted::RefundFailed(RefundCause::Granted))).count(), 1);
}

#[test]
fn webhook_has_its_intent_fetched_at_once_and_changes_nothing_by_itself() {
    let mut story = Story::new();
    let id = story.opened();
    story.later(1);
    for _ in 0..3 {
        story.account.hint_intent("pi_1", None, None, story.now).unwrap();
    }
    story.account.hint_intent("pi_other", Some(id), None, story.now).unwrap();
    assert_eq!(
        (story.status(id), &story.payment(id).hints[..]),
        (PaymentStatus::Pending, &["pi_1".to_owned(), "pi_other".to_owned()][..])
    );
    assert_eq!(story.payment(id).work.due_at, Some(story.now));
    let looked = |story: &mut Story, intent: &str, seen: Option<Fact>| {
        let token = story.token();
        let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
        assert_eq!(need, Need::Look);
        let seen = seen.map(|fact| IntentSeen { id: intent.to_owned(), payment: Some(id), fact, taken_at: None });
        story.account.report(id, token, &Report::Looked(intent.to_owned(), seen), story.now).unwrap();
    };
    looked(&mut story, "pi_1", Some(succeeded(10_000)));
    assert_eq!((story.status(id), story.payment(id).work.due_at), (PaymentStatus::Completed, Some(story.now)));
    looked(&mut story, "pi_other", None);
    assert_eq!((story.payment(id).hints.len(), story.payment(id).work.due_at), (0, None));
    story.account.hint_intent("pi_1", None, None, story.now).unwrap();
    assert_eq!(story.payment(id).work.due_at, None, "its money is recorded, nothing can change");
}

#[test]
fn intent_that_is_named_while_it_is_fetched_is_fetched_again() {
    let mut story = Story::new();
    let id = story.opened();
    story.account.hint_intent("pi_1", None, None, story.now).unwrap();
    let token = story.token();
    story.account.take_payment(id, token, story.now).unwrap().unwrap();
    story.later(1);
    story.account.hint_intent("pi_1", None, None, story.now).unwrap();
    let seen = IntentSeen { id: "pi_1".to_owned(), payment: Some(id), fact: Fact::Waiting, taken_at: None };
    story.account.report(id, token, &Report::Looked("pi_1".to_owned(), Some(seen)), story.now).unwrap();
    let again = story.now + Duration::seconds(2);
    assert_eq!((story.payment(id).hints.len(), story.payment(id).work.due_at), (1, Some(again)), "it changed nothing");
}

#[test]
fn webhooks_that_change_nothing_have_their_intent_fetched_less_and_less_often() {
    let mut story = Story::new();
    let id = story.opened();
    let hint = |story: &mut Story, refund: bool| {
        if refund {
            story.account.expect_refunds("pi_1", None, story.now);
        } else {
            story.account.hint_intent("pi_1", None, None, story.now).unwrap();
        }
    };
    let look = |story: &mut Story, fact: Fact| {
        let token = story.token();
        let (need, _) = story.account.take_payment(id, token, story.now).unwrap().unwrap();
        let seen = IntentSeen { id: "pi_1".to_owned(), payment: Some(id), fact, taken_at: None };
        let report = match need {
            Need::Look => Report::Looked("pi_1".to_owned(), Some(seen)),
            Need::Sync => Report::Refunds(seen, Vec::new()),
            other => panic!("{other:?}"),
        };
        story.account.report(id, token, &report, story.now).unwrap();
    };
    for refund in [false, true] {
        for pause in [0, 2, 4, 8, 16, 30, 30] {
            let last = story.now;
            // Sooner than the next look by itself, however often it is named.
            (0..3).for_each(|_| hint(&mut story, refund));
            let due = story.payment(id).work.due_at.unwrap();
            let poll = last + Duration::seconds(10);
            assert!(due == last + Duration::seconds(pause) || (due == poll && pause > 10), "{due} after {last}");
            story.now = last + Duration::seconds(pause);
            look(&mut story, Fact::Waiting);
        }
        story.later(61);
        hint(&mut story, refund);
        look(&mut story, Fact::Waiting);
        hint(&mut story, refund);
        assert_eq!(story.payment(id).work.due_at, Some(story.now + Duration::seconds(2)), "it counts anew");
        story.later(61);
        look(&mut story, Fact::Waiting);
        story.later(61);
    }
    hint(&mut story, false);
    look(&mut story, Fact::Processing);
    hint(&mut story, false);
    assert_eq!(story.payment(id).work.due_at, Some(story.now), "it changed something");
    look(&mut story, succeeded(10_000));
    assert_eq!(story.status(id), PaymentStatus::Completed);
}

#[test]
fn notifications_of_a_payment_are_bounded() {
    let mut story = Story::new();
    let id = story.opened();
    let hint = |story: &mut Story, number: usize| {
        story.account.hint_intent(&format!("pi_x{number}"), Some(id), None, story.now)
    };
    assert!((0..16).all(|number| hint(&mut story, number).is_ok()));
    assert_eq!(hint(&mut story, 16), Err(Refusal::TooManyHints));
    assert_eq!(hint(&mut story, 3), Ok(()), "it waits already");
}
