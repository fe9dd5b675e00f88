//! The user, product and payment services, as far as the order service asks them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{FromRef, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use common::auth::{Caller, ServiceOnly, TokenVerifier};
use common::clock::system;
use contracts::calls::ReservationRequest;
use contracts::{OrderId, ProductId, UserId};
use serde_json::{Value, json};
use testkit::tokens::TestKeys;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct Neighbours {
    pub(crate) url: String,
    keys: Arc<TestKeys>,
    world: Arc<Mutex<World>>,
}

/// What the neighbours know, and how they are.
pub(crate) struct World {
    pub(crate) users: HashSet<UserId>,
    /// Times that somebody was asked for.
    pub(crate) user_questions: u32,
    /// Price and stock by product.
    pub(crate) products: BTreeMap<i64, (&'static str, i64)>,
    pub(crate) reservations: HashMap<OrderId, ReservationRequest>,
    pub(crate) released: Vec<OrderId>,
    /// What the payment service was asked for last, and whether the caller's own token came with it.
    pub(crate) asked: Option<(Value, Option<UserId>)>,
    /// What the payment service answers instead of a payment.
    pub(crate) refusal: Option<(u16, Value)>,
    pub(crate) users_away: bool,
    pub(crate) products_away: bool,
    /// The product service reserves, but its answer is lost.
    pub(crate) answers_lost: bool,
    /// The product service lets the reservation expire at once, before its order is written.
    pub(crate) expires_at_once: bool,
    /// Where the order service is.
    pub(crate) orders: Option<(reqwest::Client, String)>,
    /// What the product service says of a reservation instead.
    pub(crate) reservation_refusal: Option<(u16, &'static str)>,
    pub(crate) payments_away: bool,
    /// The payment service answers a request with a key that it knows.
    pub(crate) payment_replayed: bool,
}

impl FromRef<Neighbours> for TokenVerifier {
    fn from_ref(neighbours: &Neighbours) -> Self {
        neighbours.keys.verifier(system())
    }
}

impl Neighbours {
    pub(crate) async fn start(keys: Arc<TestKeys>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let products =
            BTreeMap::from([(1, ("29.99", 100)), (2, ("100.00", 5)), (3, ("999.99", 5000)), (4, ("0.07", 9))]);
        let world = World {
            users: HashSet::new(),
            user_questions: 0,
            products,
            reservations: HashMap::new(),
            released: Vec::new(),
            asked: None,
            refusal: None,
            users_away: false,
            products_away: false,
            answers_lost: false,
            expires_at_once: false,
            orders: None,
            reservation_refusal: None,
            payments_away: false,
            payment_replayed: false,
        };
        let neighbours = Self { url, keys, world: Arc::new(Mutex::new(world)) };
        let router = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .route("/api/auth/token", post(token))
            .route("/api/users/{id}", get(user))
            .route("/api/products/batch", get(batch))
            .route("/api/products/reservations", post(reserve))
            .route("/api/products/reservations/{id}", delete(release))
            .route("/api/payments", post(pay))
            .route("/api/payments/order/{id}", get(payments))
            .with_state(neighbours.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        neighbours
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn register(&self, user: UserId) {
        self.world().users.insert(user);
    }
}

async fn jwks(State(neighbours): State<Neighbours>) -> Json<common::auth::Jwks> {
    Json(neighbours.keys.jwks())
}

async fn token(State(neighbours): State<Neighbours>) -> Response {
    if neighbours.world().users_away {
        return away();
    }
    let token = neighbours.keys.service_token();
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600})).into_response()
}

async fn user(State(neighbours): State<Neighbours>, caller: ServiceOnly, Path(id): Path<UserId>) -> Response {
    drop(caller);
    let mut world = neighbours.world();
    world.user_questions += 1;
    if world.users_away {
        return away();
    }
    if world.users.contains(&id) { Json(json!({"id": id})).into_response() } else { problem(404, "USER_NOT_FOUND") }
}

async fn batch(State(neighbours): State<Neighbours>, Query(query): Query<HashMap<String, String>>) -> Response {
    let world = neighbours.world();
    if world.products_away {
        return away();
    }
    let ids = query["ids"].split(',').map(|id| id.parse::<i64>().unwrap());
    let found = ids.filter_map(|id| Some((id, world.products.get(&id)?)));
    let found = found.map(|(id, (price, stock))| {
        json!({
            "id": id, "name": format!("Product {id}"), "description": "Nice", "price": price, "category": "Things",
            "stockQuantity": stock, "brand": null, "sku": format!("SKU-{id}"), "averageRating": 0, "reviewCount": 0,
            "active": true, "images": [], "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        })
    });
    Json(found.collect::<Vec<_>>()).into_response()
}

async fn reserve(
    State(neighbours): State<Neighbours>,
    caller: ServiceOnly,
    Json(request): Json<ReservationRequest>,
) -> Response {
    drop(caller);
    let expire = {
        let world = neighbours.world();
        world.orders.clone().filter(|_| world.expires_at_once)
    };
    if let Some((client, url)) = expire {
        let abandon = client.post(format!("{url}/ops/orders/{}/abandon", request.order_id));
        let answer = abandon.bearer_auth(neighbours.keys.service_token()).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), r#"{"exists":false}"#);
    }
    let mut world = neighbours.world();
    if world.products_away {
        return away();
    }
    if let Some((status, code)) = world.reservation_refusal {
        return problem(status, code);
    }
    let stock = |id: ProductId| world.products.get(&id.get()).map_or(0, |(_, stock)| *stock);
    let short = request.items.iter().filter(|item| item.quantity > stock(item.product_id));
    let short: Vec<_> = short
        .map(|item| json!({"productId": item.product_id, "requested": item.quantity, "available": stock(item.product_id)}))
        .collect();
    if !short.is_empty() {
        let body = json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "detail": "Insufficient stock",
            "error": "Insufficient stock", "code": "INSUFFICIENT_STOCK", "shortages": short,
        });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    world.reservations.insert(request.order_id, request.clone());
    if world.answers_lost {
        return away();
    }
    let body = json!({"orderId": request.order_id, "status": "reserved", "expiresAt": null, "items": request.items});
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn release(State(neighbours): State<Neighbours>, caller: ServiceOnly, Path(id): Path<OrderId>) -> Response {
    drop(caller);
    let mut world = neighbours.world();
    if world.products_away {
        return away();
    }
    world.reservations.remove(&id);
    world.released.push(id);
    StatusCode::NO_CONTENT.into_response()
}

async fn pay(State(neighbours): State<Neighbours>, caller: Caller, Json(body): Json<Value>) -> Response {
    let mut world = neighbours.world();
    if world.payments_away {
        return away();
    }
    world.asked = Some((body.clone(), caller.user_id));
    match &world.refusal {
        Some((status, body)) => refusal(*status, body),
        None => {
            let replayed = world.payment_replayed.then_some([("idempotency-replayed", "true")]);
            let payment = Json(json!({"payment": body, "client_secret": "s"}));
            match replayed {
                Some(headers) => (StatusCode::CREATED, headers, payment).into_response(),
                None => (StatusCode::CREATED, payment).into_response(),
            }
        }
    }
}

async fn payments(State(neighbours): State<Neighbours>, caller: Caller, Path(id): Path<OrderId>) -> Response {
    let mut world = neighbours.world();
    if world.payments_away {
        return away();
    }
    world.asked = Some((json!(id), caller.user_id));
    match &world.refusal {
        Some((status, body)) => refusal(*status, body),
        None => Json(json!([{"order_id": id, "amount": 74.77}])).into_response(),
    }
}

fn away() -> Response {
    problem(503, "SERVICE_UNAVAILABLE")
}

fn problem(status: u16, code: &str) -> Response {
    refusal(
        status,
        &json!({"type": "about:blank", "title": code, "status": status, "detail": code, "error": code, "code": code}),
    )
}

fn refusal(status: u16, body: &Value) -> Response {
    let headers = [("content-type", "application/problem+json"), ("retry-after", "7")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}
