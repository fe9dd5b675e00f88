//! Execution of a plan, whose results are compared with the model after each round
#![expect(clippy::print_stdout, reason = "the counts are shown with --nocapture")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use contracts::UserId;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{ApiResponse, ResponseExt as _};

use super::plan::{ADD_POINTS, Command, PRICES, Plan, Step, Which};
use super::round::{CartRound, Quantities};
use crate::support::carts::{cart_path, item_path, quantities};
use crate::support::{CRASH_AT, TestApp};

/// Time after which another attempt takes over the key of a crashed one, in seconds.
const LEASE: i64 = 11;

/// Counts of what happened in all plans.
#[derive(Default)]
pub(crate) struct Counts {
    crashes: Mutex<BTreeMap<&'static str, usize>>,
    outcomes: Mutex<BTreeMap<String, usize>>,
}

impl Counts {
    fn outcome(&self, what: &str) {
        *self.outcomes.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    fn crash(&self, point: &'static str) {
        *self.crashes.lock().unwrap().entry(point).or_default() += 1;
    }

    /// Returns whether a request crashed at this point.
    pub(crate) fn has_crash(&self, point: &str) -> bool {
        self.crashes.lock().unwrap().contains_key(point)
    }

    /// Prints the counts.
    pub(crate) fn report(&self, store: &str) {
        let (crashes, outcomes) = (self.crashes.lock().unwrap(), self.outcomes.lock().unwrap());
        let total: usize = crashes.values().sum();
        println!("model of carts on {store}: {total} crashes {crashes:?}, outcomes {outcomes:?}");
    }
}

/// Person with a cart and an unclaimed one.
struct Runner<'a> {
    app: &'a TestApp,
    counts: &'a Counts,
    user: UserId,
    token: String,
    orders: BTreeSet<String>,
}

/// Request of a round: the response, unless the request crashed.
struct Sent {
    step: Step,
    response: Option<ApiResponse>,
}

/// Executes a plan. Returns the number of its commands.
pub(crate) async fn run(app: &TestApp, plan: Plan, counts: &Counts) -> usize {
    // Those of earlier plans.
    app.stub_services.state().reservations.clear();
    let user = app.user();
    let mut runner = Runner { app, counts, user, token: app.token(user), orders: BTreeSet::new() };
    let mut commands = 0;
    if plan.has_cart {
        app.filled_cart(Some(&runner.token), &plan.lines).await;
    }
    let mut guest = app.filled_cart(None, &plan.lines).await;
    for (number, steps) in plan.rounds.into_iter().enumerate() {
        guest = app.get_cart(&guest, Some(&runner.token)).await.json(200);
        if !guest["user_id"].is_null() {
            guest = app.filled_cart(None, &plan.lines).await;
        }
        commands += steps.len();
        runner.round(number, steps, &guest).await;
    }
    commands
}

impl Runner<'_> {
    async fn round(&mut self, number: usize, steps: Vec<Step>, guest: &Value) {
        let own = self.own().await;
        let shown = |cart: Which| if cart == Which::Own { own.as_ref() } else { Some(guest) };
        let mut set = BTreeSet::new();
        let steps = steps.into_iter().filter(|(command, _)| match command {
            Command::Add { cart, product, .. } => shown(*cart).is_some() && set.insert((*cart, *product)),
            Command::Place { cart, .. } => shown(*cart).is_some(),
            Command::Claim | Command::Reprice { .. } => true,
        });
        let steps: Vec<_> = steps.collect();
        let mut sent = join_all(steps.iter().map(|step| self.send(number, *step, &shown))).await;
        // The callers of crashed requests send them again, except for changes of lines, which may or may not have happened.
        self.app.advance(LEASE);
        for one in &mut sent {
            while one.is_unfinished() {
                let (command, _) = one.step;
                one.response = self.send(number, (command, None), &shown).await.response;
            }
        }

        let mut rounds = BTreeMap::new();
        for cart in [Which::Own, Which::Guest] {
            rounds.insert(cart, self.cart_round(cart, &sent, shown(cart)).await);
        }
        let has_claim = sent.iter().any(|one| matches!(one.step.0, Command::Claim));
        let after = self.app.get_cart(guest, Some(&self.token)).await.json(200);
        assert_eq!(!after["user_id"].is_null(), has_claim, "a claimed cart is the person's");
        let own_after = self.own().await;
        let (own_round, guest_round) = (&rounds[&Which::Own], &rounds[&Which::Guest]);
        if has_claim {
            assert_eq!(own_after.as_ref().map(|cart| &cart["id"]), Some(&after["id"]));
            own_round.check_merged(guest_round, &lines(&after));
        } else {
            guest_round.check(&lines(&after));
            if let Some(own_after) = own_after {
                own_round.check(&lines(&own_after));
            }
        }
        self.check_orders().await;
    }

    /// Sends the request of a step.
    async fn send<'c>(&self, number: usize, step: Step, shown: &impl Fn(Which) -> Option<&'c Value>) -> Sent {
        let (command, crash) = step;
        let cart = |which| shown(which).unwrap();
        let (method, path, key, body) = match command {
            Command::Add { cart: which, product, quantity } => {
                (Method::PUT, item_path(cart(which), product), None, json!({"quantity": quantity}))
            }
            Command::Place { cart: which, key } => {
                let key = format!("{number} {which:?} {key}");
                (Method::POST, "/api/orders".to_owned(), Some(key), TestApp::cart_form(self.user, cart(which)))
            }
            Command::Claim => (Method::POST, format!("{}/claim", cart_path(cart(Which::Guest))), None, Value::Null),
            Command::Reprice { product, price } => {
                self.app.stub_services.state().products.insert(product, (PRICES[price], 1_000_000));
                return Sent { step, response: None };
            }
        };
        let request = self.app.client().request(method, format!("{}{path}", self.app.url()));
        let mut request = request.bearer_auth(&self.token).json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(crash) = crash {
            request = request.header(CRASH_AT, crash);
        }
        // A crash outside the handler closes the connection, one inside is reported as an internal error.
        let response = ApiResponse::of(request).await.ok().filter(|response| response.status != 500);
        match (&response, crash) {
            (None, Some(point)) => self.counts.crash(point),
            (None, None) => panic!("no response to {command:?}"),
            (Some(response), _) => self.counts.outcome(response.body["code"].as_str().unwrap_or(describe(command))),
        }
        Sent { step, response }
    }

    /// Returns the part of a round that concerns a cart. Checks that its shown lines were ordered at most once, and at the
    /// shown total.
    async fn cart_round(&mut self, cart: Which, sent: &[Sent], shown: Option<&Value>) -> CartRound {
        let mut round = CartRound { shown: shown.map(lines).unwrap_or_default(), ..CartRound::default() };
        let (mut orders, mut is_changed, mut places) = (BTreeMap::new(), false, 0);
        for one in sent {
            match one.step.0 {
                Command::Add { cart: which, product, quantity } if which == cart => {
                    is_changed = true;
                    if one.is_set() {
                        round.set.insert(product, quantity);
                    }
                }
                Command::Place { cart: which, .. } if which == cart => {
                    places += 1;
                    let response = one.response.as_ref().unwrap();
                    match response.body["code"].as_str() {
                        None => drop(orders.insert(response.body["id"].to_string(), response.body.clone())),
                        Some("CART_EMPTY") => assert!(round.shown.is_empty(), "{}", response.body),
                        Some("CART_CHANGED" | "TOTAL_CHANGED") => {}
                        Some(_) => panic!("{}", response.body),
                    }
                }
                Command::Claim | Command::Reprice { .. } => is_changed = true,
                Command::Add { .. } | Command::Place { .. } => {}
            }
        }
        assert!(orders.len() <= 1, "one version was ordered more than once: {orders:?}");
        for order in orders.values() {
            assert_eq!(lines(order), round.shown, "the order has the shown lines");
            assert_eq!(order["total_amount"], shown.unwrap()["total_amount"], "the price was shown");
            self.orders.insert(order["id"].as_str().unwrap().to_owned());
            round.is_ordered = true;
        }
        if places > 0 && !is_changed && !round.shown.is_empty() {
            assert!(round.is_ordered, "a cart that nobody changed is ordered");
        }
        round
    }

    /// Checks that the person has the orders that were reported and no others, each with its reservation. The other
    /// reservations expire, after which they never become orders.
    async fn check_orders(&self) {
        let listed = self.app.get("/api/orders?per_page=100", &self.token).await.json(200);
        let listed = listed["orders"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned());
        assert_eq!(listed.collect::<BTreeSet<_>>(), self.orders, "each order was reported to its customer");
        let reserved: Vec<_> = self.app.stub_services.state().reservations.keys().copied().collect();
        for order in &self.orders {
            assert!(reserved.iter().any(|id| id.to_string() == *order), "order {order} has no stock");
        }
        for id in reserved.into_iter().filter(|id| !self.orders.contains(&id.to_string())) {
            let (path, token) = (format!("/ops/orders/{id}/abandon"), self.app.service());
            if self.app.post(&path, &token, Value::Null).await.json(200)["exists"] == false {
                self.app.stub_services.state().reservations.remove(&id);
            }
        }
    }

    /// Returns the cart of the person.
    async fn own(&self) -> Option<Value> {
        let response = self.app.get("/api/carts/mine", &self.token).await;
        (response.status == 200).then_some(response.body)
    }
}

impl Sent {
    /// Returns whether the caller sends the request again.
    fn is_unfinished(&self) -> bool {
        let is_repeated = matches!(self.step.0, Command::Place { .. } | Command::Claim);
        let is_final = |response: &ApiResponse| response.body["code"] != "IDEMPOTENCY_IN_FLIGHT";
        is_repeated && !self.response.as_ref().is_some_and(is_final)
    }

    /// Returns whether a change of a line was committed: with its response, or before the crash.
    fn is_set(&self) -> bool {
        match (&self.response, self.step.1) {
            (Some(response), _) => {
                assert_eq!(response.status, 200, "{}", response.body);
                true
            }
            (None, crash) => crash != Some(ADD_POINTS[0]),
        }
    }
}

fn describe(command: Command) -> &'static str {
    match command {
        Command::Add { .. } => "added",
        Command::Place { .. } => "placed",
        Command::Claim => "claimed",
        Command::Reprice { .. } => "repriced",
    }
}

fn lines(body: &Value) -> Quantities {
    quantities(body).into_iter().collect()
}
