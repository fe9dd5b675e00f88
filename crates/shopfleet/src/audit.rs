//! `shopfleet audit`: whether every invariant of a running fleet holds, from what its services and the provider say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use common::discovery::ServiceName;
use contracts::Money;
use contracts::audit::{OrderAudit, PaymentAudit, ProductAudit};
use contracts::calls::OutboxState;
use serde_json::Value;
use tokio::time::Instant;

use crate::operator::{Operator, Which};
use crate::{Failure, dlq, say};

mod books;
mod rules;
mod watch;

use books::{Books, ProviderIntent};
use rules::{Finding, Rule, apply};

/// The time between two readings while something is in flight.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How long what is in flight may take to arrive, in seconds.
    #[arg(long, default_value_t = 60)]
    wait: u64,
    /// A difference that has not changed for so many seconds is no longer in flight.
    #[arg(long, default_value_t = 15)]
    grace: u64,
    /// Keeps on, and reports what is new.
    #[arg(long)]
    watch: bool,
    /// The time between two audits, in seconds, with --watch.
    #[arg(long, default_value_t = 30, requires = "watch")]
    interval: u64,
    /// A port for the audit's own /metrics, with --watch.
    #[arg(long, requires = "watch")]
    metrics_port: Option<u16>,
    /// The address that /metrics is served on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), requires = "watch")]
    metrics_host: IpAddr,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    Operator::at_work(&args.which, async |operator| audit(operator, &args).await).await
}

async fn audit(operator: &Operator, args: &Args) -> Result<(), Failure> {
    let limits = Limits { wait: Duration::from_secs(args.wait), grace: Duration::from_secs(args.grace) };
    if args.watch {
        let server = args.metrics_port.map(|port| (args.metrics_host, port));
        return watch::run(operator, limits, Duration::from_secs(args.interval), server).await;
    }
    let verdict = judge(operator, limits).await?;
    verdict.print();
    verdict.outcome()
}

/// How long an audit waits.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// For what is in flight to arrive.
    pub(crate) wait: Duration,
    /// Until a difference that does not change is none that is in flight.
    pub(crate) grace: Duration,
}

/// What an audit found.
pub(crate) struct Verdict {
    books: Books,
    /// What does not hold.
    pub(crate) violations: Vec<Finding>,
    /// Differences that were still changing when the time was up.
    pub(crate) in_flight: Vec<Finding>,
    /// Whether dead letters were read, which only an admin may.
    dead_letters: bool,
    took: Duration,
}

/// Reads and applies the rules until nothing differs, or what differs has not changed for a while, or time is up.
///
/// # Errors
/// If a service or the provider does not answer.
pub(crate) async fn judge(operator: &Operator, limits: Limits) -> Result<Verdict, Failure> {
    let begun = Instant::now();
    let mut since: BTreeMap<Finding, Instant> = BTreeMap::new();
    loop {
        let books = read(operator).await?;
        let now = Instant::now();
        let found = apply(&books);
        let first = |finding: &Finding| match waits(&books, finding) {
            Some(time) => now.checked_sub(time).unwrap_or(begun),
            None => *since.get(finding).unwrap_or(&now),
        };
        since = found.into_iter().map(|finding| (finding.clone(), first(&finding))).collect();
        let settled = since.values().all(|first| now - *first >= limits.grace);
        if settled || begun.elapsed() >= limits.wait {
            let (old, young): (Vec<_>, Vec<_>) = since.into_iter().partition(|(_, first)| now - *first >= limits.grace);
            let list = |findings: Vec<(Finding, Instant)>| findings.into_iter().map(|(finding, _)| finding).collect();
            let (violations, in_flight, dead_letters) = (list(old), list(young), operator.is_admin());
            return Ok(Verdict { books, violations, in_flight, dead_letters, took: begun.elapsed() });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// How long the oldest event of an outbox has waited, if the finding is about that: its own age tells whether it is stuck, where
/// the number of those that wait changes all the time.
fn waits(books: &Books, finding: &Finding) -> Option<Duration> {
    let outbox = books.outboxes.get(&finding.about).filter(|_| finding.rule == Rule::EventsArePublished)?;
    Some(Duration::from_secs(outbox.oldest_seconds))
}

impl Verdict {
    /// Prints what was compared and what was found, a line each.
    pub(crate) fn print(&self) {
        let sums = self.books.sums();
        say(format_args!(
            "{} products: {} pieces available, {} reserved, {} sold",
            sums.products, sums.pieces_available, sums.pieces_reserved, sums.pieces_sold
        ));
        let (captured, refunded) = (Money::from_cents(sums.captured_cents), Money::from_cents(sums.refunded_cents));
        say(format_args!(
            "{} orders, {} payments: {captured} taken, {refunded} given back",
            sums.orders, sums.payments
        ));
        if sums.outside_cents > 0 {
            say(format_args!("{} was given back by hand, outside the provider", Money::from_cents(sums.outside_cents)));
        }
        if sums.awaiting_cents > 0 {
            say(format_args!(
                "{} is owed back and awaits the next attempt, or an admin who retries or settles the refund",
                Money::from_cents(sums.awaiting_cents)
            ));
        }
        if self.books.provider.is_some() {
            let received = Money::from_cents(sums.provider_received_cents);
            let refunded = Money::from_cents(sums.provider_refunded_cents);
            let intents = sums.provider_intents;
            say(format_args!("provider: {intents} intents: {received} taken, {refunded} given back"));
        } else {
            say("provider: NOT COMPARED; set STRIPE_API_URL and STRIPE_SECRET_KEY");
        }
        if !self.dead_letters {
            say("dead letters: NOT COMPARED; set ADMIN_EMAIL and ADMIN_PASSWORD");
        }
        for violation in &self.violations {
            say(format_args!("VIOLATION {violation}"));
        }
        for finding in &self.in_flight {
            say(format_args!("still in flight {finding}"));
        }
        let seconds = self.took.as_secs_f32();
        say(format_args!("{} violations, {} rules, {seconds:.1} s", self.violations.len(), Rule::ALL.len()));
    }

    /// # Errors
    /// If something does not hold, or never came to rest.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match (self.violations.len(), self.in_flight.len()) {
            (0, 0) => Ok(()),
            (0, n) => {
                Err(Failure::new(format!("{n} differences are still in flight: raise --wait, or stop the traffic")))
            }
            (n, _) => Err(Failure::new(format!("{n} invariants do not hold"))),
        }
    }
}

/// Reads the books. The services are read in the order in which things come about backwards, so that what happens
/// meanwhile is missed rather than half seen.
async fn read(operator: &Operator) -> Result<Books, Failure> {
    let mut outboxes = BTreeMap::new();
    for name in ServiceName::ALL {
        let state: OutboxState = operator.ops(*name, "/ops/outbox").await?;
        outboxes.insert(name.as_str().to_owned(), state);
    }
    let mut dead_letters: BTreeMap<String, usize> = BTreeMap::new();
    // Their bodies hold personal data, so that a client with `ops:read` may not read them.
    let letters = if operator.is_admin() { dlq::letters(operator).await? } else { Vec::new() };
    for (_, letter) in letters {
        *dead_letters.entry(letter["queue"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let provider = provider(operator).await?;
    Ok(Books {
        payments: operator.audit(ServiceName::Payment, |row: &PaymentAudit| row.id.to_string()).await?,
        orders: operator.audit(ServiceName::Order, |row: &OrderAudit| row.id.to_string()).await?,
        products: operator.audit(ServiceName::Product, |row: &ProductAudit| row.id.to_string()).await?,
        provider,
        outboxes,
        dead_letters,
    })
}

/// Intents with the money that went through them, by our clock's day or not: all that the provider lists.
async fn provider(operator: &Operator) -> Result<Option<Vec<ProviderIntent>>, Failure> {
    let Some(intents) = operator.provider("payment_intents").await? else { return Ok(None) };
    let refunds = operator.provider("refunds").await?.unwrap_or_default();
    let mut given_back: BTreeMap<&str, i64> = BTreeMap::new();
    for refund in refunds.iter().filter(|refund| refund["status"] == "succeeded") {
        let intent = refund["payment_intent"].as_str().unwrap_or_default();
        *given_back.entry(intent).or_default() += refund["amount"].as_i64().unwrap_or_default();
    }
    let read = |intent: &Value| {
        let id = intent["id"].as_str().unwrap_or_default();
        ProviderIntent {
            id: id.to_owned(),
            payment: intent.pointer("/metadata/payment_id").and_then(|id| id.as_str()?.parse().ok()),
            received: Money::from_cents(intent["amount_received"].as_i64().unwrap_or_default()),
            refunded: Money::from_cents(given_back.get(id).copied().unwrap_or_default()),
        }
    };
    Ok(Some(intents.iter().map(read).collect()))
}
