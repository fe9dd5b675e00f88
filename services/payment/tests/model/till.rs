//! A plan is followed by the account in the store and by the provider, and after each command the money has to agree.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::ManualClock;
use common::effects::Handled;
use common::metrics::Metrics;
use common::store::StoreError;
use contracts::calls::{PaymentMethod, RefundCause, RefundStatus};
use contracts::{EventId, Money, OrderId, PaymentId, RefundId, UserId};
use payment_service::domain::{
    Account, Actor, Begin, Confirm, Doubt, Granted, LeaseToken, Need, NewPayment, NewRefund, Payment, Refund,
    RefundReport, Refusal, Report, Retry, State, Terms,
};
use payment_service::error::Error;
use payment_service::store::{Due, Ledger};

use super::Fixture;
use super::plan::{Act, Command, Luck};
use super::provider::{Notice, Provider, Status};

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
/// What the order costs, in cents.
const TOTAL: i64 = 10_000;
/// Seconds that a lease lasts.
const LEASE: i64 = 10;
/// More than everything that plans which failed have left to do.
const ALL: u32 = 100_000;
/// Rounds in which everything must have come to rest.
const ROUNDS: usize = 90;
/// Rounds in which refunds that succeeded are looked at, and no webhook comes.
const WATCHED_ROUNDS: usize = 12;

/// What a lease is for.
type Thing = (PaymentId, Option<RefundId>);

/// What the holder of a lease is about to do.
#[derive(Clone, Copy, Debug)]
enum Task {
    Make,
    Need(Need),
    Send(RefundId),
}

#[derive(Clone, Debug)]
enum Answer {
    Payment(Report),
    Refund(RefundReport),
}

/// Somebody who took a lease, and may have died since.
#[derive(Clone, Debug)]
struct Holder {
    token: LeaseToken,
    until: i64,
    task: Task,
    /// As it was when the lease was taken.
    payment: Payment,
    answer: Option<Answer>,
}

struct Shop<'a> {
    on: &'a Fixture,
    ledger: Ledger,
    clock: ManualClock,
    now: i64,
    order: OrderId,
    user: UserId,
    provider: Provider,
    holders: Vec<Holder>,
    /// Who has the lease of what.
    leases: BTreeMap<Thing, usize>,
    /// The events that cancel the order, and which of them came.
    cancelling: [EventId; 2],
    cancelled: BTreeSet<usize>,
    /// Whether every refund that succeeds fails late.
    failing: bool,
}

/// Follows a plan; answers how many commands it was.
pub(crate) async fn follow(on: &Fixture, plan: Vec<Command>) -> usize {
    let clock = ManualClock::at(START);
    let ledger = Ledger::new(on.store.clone(), clock.shared(), &Metrics::new());
    let mut shop = Shop {
        on,
        ledger,
        clock,
        now: 0,
        order: OrderId::generate(START),
        user: UserId::generate(START),
        provider: Provider::default(),
        holders: Vec::new(),
        leases: BTreeMap::new(),
        cancelling: std::array::from_fn(|_| EventId::generate(START)),
        cancelled: BTreeSet::new(),
        failing: false,
    };
    for command in &plan {
        shop.obey(*command).await;
        shop.check().await;
    }
    shop.come_to_rest().await;
    plan.len()
}

impl Shop<'_> {
    async fn obey(&mut self, command: Command) {
        let payments = self.account().await.map(|account| account.payments).unwrap_or_default();
        match command {
            Command::Begin => self.begin().await,
            Command::Resume(index) => {
                let Some(payment) = pick(&payments, index) else { return };
                let (id, token) = (payment.id, self.ledger.token());
                let resumed = self.change(move |account, now| Ok(account.resume(id, token, now))).await.unwrap();
                if let Some(payment) = resumed {
                    self.took((id, None), token, Task::Make, payment);
                }
            }
            Command::Confirm(index, same) => {
                let Some(payment) = pick(&payments, index) else { return };
                self.confirm(payment.id, if same { "txn" } else { "other" }).await;
            }
            Command::Grant(index, percent) => {
                let Some(payment) = pick(&payments, index) else { return };
                self.grant(payment, TOTAL * percent / 100).await;
            }
            Command::Cancel(event) => self.cancel(event).await,
            Command::Work(index) => {
                let due = self.due().await;
                if let Some(due) = pick(&due, index) {
                    self.take(*due).await;
                }
            }
            Command::Call(..) | Command::Report(_) if self.holders.is_empty() => {}
            // The last ones are those that are still at it, as a rule.
            Command::Call(index, luck) => self.call(self.last(index), luck),
            Command::Report(index) => self.report(self.last(index)).await,
            Command::Customer(index, act) => {
                let intents = self.provider.intents.len();
                if intents > 0 {
                    self.provider.act(index % intents, act);
                }
            }
            Command::Turn(index, done) => {
                let refunds = self.provider.refunds.len();
                if refunds > 0 {
                    self.provider.end_refund(index % refunds, done);
                }
            }
            Command::FailLate => self.failing = true,
            Command::Retry(index) => {
                if let Some(refund) = pick(&refunds_of(&payments), index) {
                    self.retry(refund).await;
                }
            }
            Command::Settle(index) => {
                if let Some(refund) = pick(&refunds_of(&payments), index) {
                    self.settle(refund).await;
                }
            }
            Command::Webhook(index) => {
                if let Some(notice) = pick(&self.provider.sent, index).cloned() {
                    self.hear(notice).await;
                }
            }
            Command::Pass(seconds) => self.pass(seconds),
        }
    }

    async fn begin(&mut self) {
        let token = self.ledger.token();
        let (user_id, total, currency) = (self.user, Money::from_cents(TOTAL), "USD".to_owned());
        let terms = Terms { user_id, total, currency: currency.clone() };
        let method = PaymentMethod::Card;
        let request = NewPayment { user_id, amount: total, currency, method, description: None, metadata: None };
        let begun = self.change(move |account, now| account.begin(terms, request, token, now)).await;
        assert_eq!(!self.cancelled.is_empty(), matches!(begun, Err(Refusal::OrderCancelled)), "{begun:?}");
        match begun {
            Ok(Begin::Opened(payment)) => self.took((payment.id, None), token, Task::Make, payment),
            Ok(Begin::Replace(payment)) => self.took((payment.id, None), token, Task::Need(Need::Close), payment),
            Err(_) => {}
        }
    }

    async fn confirm(&mut self, id: PaymentId, transaction: &'static str) {
        let token = self.ledger.token();
        match self.change(move |account, now| account.confirm(id, transaction, token, now)).await {
            Ok(Confirm::Settle(payment)) => self.took((id, None), token, Task::Need(Need::Close), payment),
            Ok(Confirm::Busy) => assert!(self.is_leased((id, None)), "nobody is at it"),
            Ok(Confirm::Done(payment)) => assert!(payment.external),
            Err(_) => {}
        }
    }

    async fn grant(&mut self, payment: &Payment, amount: i64) {
        let (id, token) = (payment.id, self.ledger.token());
        let rule = move |account: &mut Account, now| {
            let request = NewRefund { amount: Some(Money::from_cents(amount)), ..NewRefund::default() };
            let granted = account.grant_refund(id, request, token, now)?;
            Ok((granted, account.payment(id)?.clone()))
        };
        if let Ok((Granted::Send(refund), payment)) = self.change(rule).await {
            self.took((id, Some(refund)), token, Task::Send(refund), payment);
        }
    }

    async fn retry(&mut self, refund: &Refund) {
        let (id, token) = (refund.id, self.ledger.token());
        let Ok(payment) = self.change(move |account, now| account.begin_retry(id, token, now)).await else { return };
        let row = payment.refunds.iter().find(|one| one.id == id).unwrap();
        assert!(row.needs_attention && row.status == RefundStatus::Failed, "{row:?}");
        let found = self.provider.refund_of(id, &row.former).map(|made| self.provider.seen_refund(made));
        let rule = move |account: &mut Account, now| account.retry_refund(id, &person(), token, found.as_ref(), now);
        if let Retry::Send(sent) = self.change(rule).await.unwrap() {
            self.leases.remove(&(payment.id, Some(id)));
            self.took((payment.id, Some(id)), token, Task::Send(id), sent);
        }
    }

    async fn settle(&mut self, refund: &Refund) {
        let id = refund.id;
        let (_, refund_payment) = self.on.store.order_of_refund(id).await.unwrap().unwrap();
        let settled = self.change(move |account, now| account.settle_refund(id, &person(), now)).await;
        let by_people = refund.external && refund.status == RefundStatus::Pending;
        if settled.is_ok() {
            assert!(by_people || refund.needs_attention, "{refund:?}");
            self.leases.remove(&(refund_payment, Some(id)));
        }
    }

    async fn cancel(&mut self, event: usize) {
        let handled = Handled { consumer: "model", event_id: self.cancelling[event] };
        let rule = |account: &mut Account, now| {
            account.cancel_order(now);
            Ok(())
        };
        let outcome = self.ledger.handle(self.order, handled, rule).await;
        if self.cancelled.insert(event) {
            outcome.unwrap();
        } else {
            assert!(matches!(outcome, Err(Error::Store(StoreError::AlreadyHandled))), "{outcome:?}");
        }
    }

    /// Takes up what is due, unless somebody is at it.
    async fn take(&mut self, due: Due) {
        let token = self.ledger.token();
        match due {
            Due::Payment(_, id) => {
                let taken = self.change(move |account, now| account.take_payment(id, token, now)).await.unwrap();
                match taken {
                    Some((need, payment)) => self.took((id, None), token, Task::Need(need), payment),
                    None => self.left((id, None)),
                }
            }
            Due::Refund(_, id, refund) => {
                let taken = self.change(move |account, now| account.take_refund(id, refund, token, now)).await.unwrap();
                match taken {
                    Some(payment) => self.took((id, Some(refund)), token, Task::Send(refund), payment),
                    None => self.left((id, Some(refund))),
                }
            }
        }
    }

    fn took(&mut self, thing: Thing, token: LeaseToken, task: Task, payment: Payment) {
        assert!(!self.is_leased(thing), "somebody is at it: {thing:?}");
        self.leases.insert(thing, self.holders.len());
        self.holders.push(Holder { token, until: self.now + LEASE, task, payment, answer: None });
    }

    /// There was nothing to do: a lease that has run out is gone then.
    fn left(&mut self, thing: Thing) {
        if !self.is_leased(thing) {
            self.leases.remove(&thing);
        }
    }

    fn is_leased(&self, thing: Thing) -> bool {
        self.leases.get(&thing).is_some_and(|holder| self.holders[*holder].until > self.now)
    }

    /// The holder of a lease asks the provider, once and while the lease lasts.
    fn call(&mut self, index: usize, luck: Luck) {
        let Holder { until, task, payment, answer: None, .. } = self.holders[index].clone() else { return };
        if until <= self.now {
            return;
        }
        let answer = match task {
            Task::Make => Answer::Payment(self.make(&payment, luck)),
            Task::Need(Need::Close) => Answer::Payment(self.close(&payment, luck)),
            Task::Need(Need::Look | Need::Check | Need::Sync | Need::Repay) => {
                Answer::Payment(self.look(&payment, luck))
            }
            Task::Send(refund) => Answer::Refund(self.send(&payment, refund, luck)),
        };
        self.holders[index].answer = Some(answer);
    }

    fn make(&mut self, payment: &Payment, luck: Luck) -> Report {
        let known = self.provider.intent_of(payment.id).is_some();
        if luck == Luck::Refuses && !known {
            return Report::Refused { reason: "no".to_owned() };
        }
        let create =
            |provider: &mut Provider| provider.create(payment.id, payment.work.attempt, payment.amount.cents());
        match luck {
            Luck::Answers | Luck::Refuses => {
                let intent = create(&mut self.provider);
                Report::Seen(self.provider.seen(intent))
            }
            Luck::Silent(done) | Luck::Fails(done) => {
                if done {
                    create(&mut self.provider);
                }
                Report::Doubt(if luck == Luck::Silent(done) { Doubt::Unanswered } else { Doubt::ServerError })
            }
        }
    }

    fn close(&mut self, payment: &Payment, luck: Luck) -> Report {
        if matches!(luck, Luck::Silent(false) | Luck::Fails(false)) {
            return Report::Unasked;
        }
        let intent = match &payment.intent {
            Some(id) => self.provider.by_id(id),
            None if payment.work.must_look_first(self.time()) => match self.provider.intent_of(payment.id) {
                Some(intent) => intent,
                None => return Report::Absent,
            },
            None => self.provider.create(payment.id, payment.work.attempt, payment.amount.cents()),
        };
        self.provider.cancel(intent);
        if matches!(luck, Luck::Silent(_) | Luck::Fails(_)) {
            return Report::Unasked;
        }
        Report::Seen(self.provider.seen(intent))
    }

    fn look(&self, payment: &Payment, luck: Luck) -> Report {
        if let Some(hint) = payment.hints.first().filter(|_| luck == Luck::Answers) {
            return Report::Looked(hint.clone(), Some(self.provider.seen(self.provider.by_id(hint))));
        }
        let Some(intent) = payment.intent.as_ref().filter(|_| luck == Luck::Answers) else { return Report::Unasked };
        let intent = self.provider.by_id(intent);
        let seen = self.provider.seen(intent);
        if payment.sync_refunds { Report::Refunds(seen, self.provider.refunds_of(intent)) } else { Report::Seen(seen) }
    }

    fn send(&mut self, payment: &Payment, ours: RefundId, luck: Luck) -> RefundReport {
        let refund = payment.refunds.iter().find(|one| one.id == ours).unwrap();
        let intent = self.provider.by_id(payment.intent.as_ref().unwrap());
        let mut attempt = refund.work.attempt;
        if refund.provider_refund.is_some() || refund.work.must_look_first(self.time()) {
            if matches!(luck, Luck::Silent(_) | Luck::Fails(_)) {
                return RefundReport::Unasked;
            }
            match self.provider.refund_of(ours, &refund.former) {
                Some(made) => return RefundReport::Seen(self.provider.seen_refund(made)),
                None => attempt += 1,
            }
        }
        let refused = || RefundReport::Refused { reason: "no".to_owned() };
        let amount = refund.amount.cents();
        match luck {
            Luck::Refuses if self.provider.refund_of(ours, &refund.former).is_none() => refused(),
            Luck::Answers | Luck::Refuses => match self.provider.refund(ours, attempt, intent, amount) {
                Some(made) => RefundReport::Seen(self.provider.seen_refund(made)),
                None => refused(),
            },
            Luck::Silent(done) | Luck::Fails(done) => {
                if done {
                    self.provider.refund(ours, attempt, intent, amount);
                }
                let doubt = if luck == Luck::Silent(done) { Doubt::Unanswered } else { Doubt::ServerError };
                RefundReport::Doubt { doubt, attempt }
            }
        }
    }

    /// Somebody tells what came of the work, which is written only under a lease that nobody else has taken up.
    async fn report(&mut self, index: usize) {
        let Holder { token, task, payment, answer, .. } = self.holders[index].clone();
        let id = payment.id;
        let (thing, outcome) = match task {
            Task::Send(refund) => {
                let report = match answer {
                    Some(Answer::Refund(report)) => report,
                    _ => RefundReport::Unasked,
                };
                let rule = move |account: &mut Account, now| account.report_refund(id, refund, token, &report, now);
                ((id, Some(refund)), self.change(rule).await)
            }
            Task::Make | Task::Need(_) => {
                let report = match answer {
                    Some(Answer::Payment(report)) => report,
                    _ => Report::Unasked,
                };
                ((id, None), self.change(move |account, now| account.report(id, token, &report, now)).await)
            }
        };
        if self.leases.get(&thing) == Some(&index) {
            self.leases.remove(&thing);
            outcome.unwrap();
        } else {
            assert_eq!(outcome.unwrap_err(), Refusal::LeaseLost);
        }
    }

    async fn hear(&self, notice: Notice) {
        let (intent, payment) = match &notice {
            Notice::Intent(intent, payment) => (intent, Some(*payment)),
            Notice::Refund(intent) => (intent, None),
        };
        let mut order = self.ledger.order_of_intent(intent).await.unwrap();
        if let (None, Some(payment)) = (order, payment) {
            order = self.ledger.order_of(payment).await.unwrap();
        }
        if order.is_none() {
            return;
        }
        assert_eq!(order, Some(self.order));
        let rule = |account: &mut Account, now| match &notice {
            Notice::Intent(intent, payment) => account.hint_intent(intent, Some(*payment), None, now),
            Notice::Refund(intent) => {
                account.expect_refunds(intent, None, now);
                Ok(())
            }
        };
        self.change(rule).await.unwrap();
    }

    /// What holds at every moment.
    async fn check(&self) {
        let Some(account) = self.account().await else { return };
        assert!(account.payments.iter().filter(|one| is_open(one)).count() <= 1, "an order has one open payment");
        for payment in &account.payments {
            assert!(held(payment) <= captured(payment), "more goes back than was taken: {payment:#?}");
            let taken = payment.captured.is_some() && !payment.external;
            if taken {
                let intent = self.provider.by_id(payment.intent.as_ref().unwrap());
                let intent = &self.provider.intents[intent];
                assert_eq!((intent.status, intent.amount), (Status::Paid, captured(payment)), "{payment:#?}");
            }
        }
        let mut known: Vec<_> = account.payments.iter().filter_map(|one| one.intent.as_ref()).collect();
        known.sort();
        known.dedup();
        assert_eq!(known.len(), account.payments.iter().filter(|one| one.intent.is_some()).count());
    }

    /// Everybody who was at something has died; the provider answers again, and those who were asked to pay do. When
    /// nothing is left to do, the order has the money that it wants.
    async fn come_to_rest(&mut self) {
        for round in 0.. {
            assert!(round < ROUNDS, "it never comes to rest");
            for intent in 0..self.provider.intents.len() {
                if self.provider.intents[intent].status != Status::Declined {
                    self.provider.act(intent, Act::Pay);
                }
            }
            for refund in 0..self.provider.refunds.len() {
                let changed = self.provider.end_refund(refund, !self.failing || round % 3 != 0);
                // A webhook that never comes costs time only: the first ones are left to the looks at what succeeded.
                if changed && round >= WATCHED_ROUNDS {
                    let intent = self.provider.id(self.provider.refunds[refund].intent);
                    self.hear(Notice::Refund(intent)).await;
                }
            }
            self.pass(900);
            let mut due = self.due().await;
            if round >= WATCHED_ROUNDS {
                let account = self.account().await;
                let watched = |due: &Due| matches!(due, Due::Refund(_, _, id) if is_watched(account.as_ref(), *id));
                due.retain(|due| !watched(due));
                if due.is_empty() && !self.provider_changes(round + 1) {
                    break;
                }
            }
            for due in due {
                let holders = self.holders.len();
                self.take(due).await;
                if self.holders.len() > holders {
                    self.call(holders, Luck::Answers);
                    self.report(holders).await;
                }
                self.check().await;
            }
        }
        let Some(account) = self.account().await else { return };
        assert_eq!(account.payments.iter().filter(|one| is_open(one)).count(), 0);
        for (index, intent) in self.provider.intents.iter().enumerate() {
            let id = self.provider.id(index);
            let row = account.payments.iter().find(|one| one.intent.as_ref() == Some(&id));
            let taken = row.filter(|one| !one.external).map_or((0, 0), |one| (captured(one), held(one) - by_hand(one)));
            let paid = if intent.status == Status::Paid { intent.amount } else { 0 };
            assert_eq!(taken, (paid, self.provider.given_back(index)), "{intent:?} {row:#?}");
        }
        let left: i64 = account.payments.iter().map(|one| captured(one) - held(one)).sum();
        let owed: i64 = account.payments.iter().map(|one| one.owed_back(account.is_cancelled()).cents()).sum();
        assert_eq!(left - owed, self.wanted(&account), "{account:#?}");
        for payment in &account.payments {
            let waiting = payment.refunds.iter().filter(|refund| refund.needs_attention);
            let waiting: i64 = waiting.map(|refund| refund.amount.cents()).sum();
            assert!(
                payment.owed_back(account.is_cancelled()).cents() <= waiting,
                "it waits for a person: {payment:#?}"
            );
        }
    }

    /// Whether refunds that succeeded fail late in this round.
    fn provider_changes(&self, round: usize) -> bool {
        let may = |refund: &super::provider::Refund| refund.fact == payment_service::domain::RefundFact::Succeeded;
        self.failing && round < ROUNDS - 4 && self.provider.refunds.iter().any(may)
    }

    /// What the order wants: nothing if it is cancelled or nobody paid; else its total, once, without what was granted.
    fn wanted(&self, account: &Account) -> i64 {
        if !self.cancelled.is_empty() || account.payments.iter().all(|one| one.captured.is_none()) {
            return 0;
        }
        let kept: Vec<_> =
            account.payments.iter().filter(|one| one.captured.is_some() && one.unwanted.is_none()).collect();
        let [kept] = kept[..] else { panic!("one payment is kept: {account:#?}") };
        let granted = kept.refunds.iter().filter(|one| one.status != RefundStatus::Failed);
        let granted: i64 =
            granted.inspect(|one| assert_eq!(one.cause, RefundCause::Granted)).map(|one| one.amount.cents()).sum();
        TOTAL - granted - kept.owed_back(false).cents()
    }

    async fn change<T: Send>(
        &self,
        rule: impl FnOnce(&mut Account, DateTime<Utc>) -> Result<T, Refusal> + Send,
    ) -> Result<T, Refusal> {
        match self.ledger.change(self.order, rule).await {
            Ok(done) => Ok(done),
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("{other}"),
        }
    }

    async fn account(&self) -> Option<Account> {
        self.on.store.account(self.order).await.unwrap()
    }

    /// What of this order is due; others have left something if they failed.
    async fn due(&self) -> Vec<Due> {
        let mut due = self.on.store.due(self.time(), ALL).await.unwrap();
        due.retain(|due| match due {
            Due::Payment(order, _) | Due::Refund(order, ..) => *order == self.order,
        });
        due
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    fn time(&self) -> DateTime<Utc> {
        START + TimeDelta::seconds(self.now)
    }

    /// One of the few who took a lease last.
    fn last(&self, index: usize) -> usize {
        let holders = self.holders.len();
        holders - 1 - index % holders.min(3)
    }
}

fn pick<T>(from: &[T], index: usize) -> Option<&T> {
    from.get(index.checked_rem(from.len())?)
}

const fn is_open(payment: &Payment) -> bool {
    matches!(payment.state, State::Pending | State::Processing | State::Settling)
}

fn captured(payment: &Payment) -> i64 {
    payment.captured.as_ref().map_or(0, |captured| captured.amount.cents())
}

/// What went back or is on its way.
fn held(payment: &Payment) -> i64 {
    let refunds = payment.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
    refunds.map(|refund| refund.amount.cents()).sum()
}

/// What of a payment was paid back by hand, outside the provider.
fn by_hand(payment: &Payment) -> i64 {
    let settled = payment.refunds.iter().filter(|refund| refund.settled && !refund.paid_twice);
    settled.map(|refund| refund.amount.cents()).sum()
}

fn refunds_of(payments: &[Payment]) -> Vec<Refund> {
    payments.iter().flat_map(|payment| payment.refunds.clone()).collect()
}

/// Whether a refund has succeeded and is only looked at for a late failure.
fn is_watched(account: Option<&Account>, id: RefundId) -> bool {
    let refunds = account.into_iter().flat_map(|account| &account.payments).flat_map(|payment| &payment.refunds);
    refunds.into_iter().any(|refund| refund.id == id && refund.status == RefundStatus::Succeeded)
}

fn person() -> Actor {
    Actor::Admin("person".to_owned())
}
