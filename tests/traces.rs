//! Traces in a real Jaeger: they lead from the gateway through the whole life of an order, and only what is to be sent is sent.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::fleet::{Answer, DEADLINE, Fleet, Person, Way, until};
use testkit::in_one_way;
use testkit::servers::{CLIENT, Jaeger, Spans, begin_trace, jaeger};

const GATEWAY: &str = "gateway";
const SANDBOX: &str = "stripe-sandbox";
const USER: &str = "user-service";
const PRODUCT: &str = "product-service";
const ORDER: &str = "order-service";
const PAYMENT: &str = "payment-service";

async fn fleet(way: Way, jaeger: &Jaeger, extra: &[(&str, &str)]) -> Option<Fleet> {
    let otlp = jaeger.otlp();
    if way == Way::Embedded {
        return Some(Fleet::embedded_with(&["--otlp", &otlp], extra).await);
    }
    Fleet::with(way, &[&[("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str())], extra].concat()).await
}

/// Places an order and pays it, all in this trace, or with its id where the gateway begins one.
async fn order(fleet: &Fleet, person: &Person, traceparent: &str) -> Value {
    let traced = person.traced(traceparent);
    let order = traced.place(&[(1, 1)]).await;
    let payment = traced.pay(&order).await;
    let charging = fleet.charging(&payment, "pm_card_visa").header("traceparent", traceparent);
    let _ = Answer::of(charging).await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    order
}

/// A span by its service and name.
type Named = (&'static str, &'static str);

/// Each span that must be there, and which other it must be within: from the gateway through all services to the provider,
/// from its webhook, and by messages on.
fn ways(way: Way) -> Vec<(Named, Named)> {
    let webhook = (PAYMENT, "POST /api/webhooks/stripe");
    let mut ways = vec![
        ((GATEWAY, "POST order-service"), (ORDER, "POST /api/orders")),
        ((ORDER, "POST /api/orders"), (ORDER, "GET user-service")),
        ((ORDER, "GET user-service"), (USER, "GET /api/users/{id}")),
        ((USER, "GET /api/users/{id}"), (USER, "users.find")),
        ((ORDER, "POST /api/orders"), (ORDER, "GET product-service")),
        ((ORDER, "GET product-service"), (PRODUCT, "GET /api/products/batch")),
        ((PRODUCT, "GET /api/products/batch"), (PRODUCT, "catalogue.batch")),
        ((ORDER, "POST product-service"), (PRODUCT, "POST /api/products/reservations")),
        ((PRODUCT, "POST /api/products/reservations"), (PRODUCT, "stock.reserve")),
        ((PRODUCT, "POST /api/products/reservations"), (PRODUCT, "cache invalidate")),
        ((PRODUCT, "POST /api/products/reservations"), (PRODUCT, "publish product.stock_reserved")),
        ((PRODUCT, "publish product.stock_reserved"), (ORDER, "process order-service.product.events")),
        ((ORDER, "process order-service.product.events"), (ORDER, "orders.record")),
        ((ORDER, "POST /api/orders"), (ORDER, "orders.insert")),
        ((ORDER, "POST /api/orders"), (ORDER, "publish order.created")),
        ((GATEWAY, "POST payment-service"), (PAYMENT, "POST /api/payments")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "GET order-service")),
        ((PAYMENT, "GET order-service"), (ORDER, "GET /api/orders/{id}")),
        ((ORDER, "GET /api/orders/{id}"), (ORDER, "cache get")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "payments.change")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "stripe create_intent")),
        ((PAYMENT, "stripe create_intent"), (SANDBOX, "POST /v1/payment_intents")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "publish payment.created")),
        ((PAYMENT, "publish payment.created"), (ORDER, "process order-service.payment.events")),
        ((SANDBOX, "POST /v1/payment_intents/{id}/confirm"), (SANDBOX, "POST webhook")),
        (webhook, (PAYMENT, "payments.change")),
        (webhook, (PAYMENT, "publish payment.completed")),
        ((PAYMENT, "publish payment.completed"), (ORDER, "process order-service.payment.events")),
        ((ORDER, "process order-service.payment.events"), (ORDER, "orders.change")),
        ((ORDER, "process order-service.payment.events"), (ORDER, "publish order.updated")),
        ((ORDER, "publish order.updated"), (PRODUCT, "process product-service.order.events")),
        ((PRODUCT, "process product-service.order.events"), (PRODUCT, "stock.change")),
        ((PRODUCT, "process product-service.order.events"), (PRODUCT, "publish product.stock_committed")),
        ((PRODUCT, "publish product.stock_committed"), (ORDER, "process order-service.product.events")),
    ];
    if way == Way::Embedded {
        ways.push(((SANDBOX, "POST webhook"), webhook));
    } else {
        ways.push(((GATEWAY, "POST payment-service"), webhook));
    }
    ways
}

/// The spans of an order's life: of the client's requests, and of the webhook, for which a gateway begins a trace.
async fn life(jaeger: &Jaeger, id: &str, order: &Value) -> Option<Spans> {
    let webhook = jaeger.tagged(PAYMENT, "order.id", order["id"].as_str().unwrap()).await;
    jaeger.trace(id).await.into_iter().chain(webhook).reduce(Spans::and)
}

async fn traces_lead_through_an_orders_life(way: Way) {
    let Some(jaeger) = jaeger().await else { return };
    let Some(fleet) = fleet(way, jaeger, &[]).await else { return };
    let person = fleet.customer().await;
    let (id, traceparent) = begin_trace();
    let order = order(&fleet, &person, &traceparent).await;
    let ways = ways(way);
    let missing = |spans: &Spans| {
        let lost = ways.iter().filter(|(parent, child)| !spans.leads(*parent, *child));
        lost.map(|(parent, child)| format!("{child:?} is not within {parent:?}\n")).collect::<String>()
    };
    let whole = until("the order's spans", || async {
        life(jaeger, &id, &order).await.filter(|spans| missing(spans).is_empty())
    });
    let Ok(spans) = tokio::time::timeout(DEADLINE / 2, whole).await else {
        let spans = life(jaeger, &id, &order).await.unwrap();
        panic!("{}\n{}", missing(&spans), spans.drawn());
    };
    let services: BTreeSet<_> = spans.all().iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services, BTreeSet::from([GATEWAY, SANDBOX, USER, PRODUCT, ORDER, PAYMENT]));
    // What is nobody's child begins at the gateway, which continues no trace of a client; the sandbox was called without it.
    let own = jaeger.trace(&id).await.unwrap();
    let ids: BTreeSet<_> = own.all().iter().map(|span| span.id.as_str()).collect();
    for span in own.all() {
        match span.parent.as_deref() {
            None => assert_eq!(span.service, GATEWAY, "{span:?} is lost"),
            Some(CLIENT) => assert_eq!(span.service, SANDBOX, "{span:?} is the client's"),
            Some(parent) => assert!(ids.contains(parent), "{span:?} is lost"),
        }
    }
    let number = order["id"].as_str().unwrap();
    for kind in
        [(ORDER, "POST /api/orders"), (PAYMENT, "POST /api/payments"), (PRODUCT, "POST /api/products/reservations")]
    {
        assert_eq!(spans.of(kind).next().unwrap().tags["order.id"], number, "{kind:?}");
    }
    check_tags(way, &spans);
}

/// Attributes have the names of OpenTelemetry's conventions, and a call of a store tells no value.
fn check_tags(way: Way, spans: &Spans) {
    let insert = spans.of((ORDER, "orders.insert")).next().unwrap();
    let known = ["db.operation.name", "db.system.name", "internal.span.format", "otel.scope.name", "span.kind"];
    assert_eq!(insert.tags.keys().map(String::as_str).collect::<Vec<_>>(), known, "{insert:?}");
    let system = if way == Way::Servers { "postgresql" } else { "sqlite" };
    assert_eq!((insert.tags["db.system.name"].as_str(), insert.tags["span.kind"].as_str()), (system, "client"));
    let served = spans.of((ORDER, "POST /api/orders")).next().unwrap();
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/orders"),
        ("http.response.status_code", "201"),
        ("span.kind", "server"),
    ] {
        assert_eq!(served.tags[name], value);
    }
    let published = spans.of((ORDER, "publish order.updated")).next().unwrap();
    let bus = if way == Way::Servers { "rabbitmq" } else { "sqlite" };
    for (name, value) in [
        ("messaging.system", bus),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "order.events"),
        ("span.kind", "producer"),
    ] {
        assert_eq!(published.tags[name], value);
    }
    let processed = spans.of((PRODUCT, "process product-service.order.events")).next().unwrap();
    assert_eq!(processed.tags["messaging.message.id"], published.tags["messaging.message.id"]);
    assert_eq!(processed.tags["span.kind"], "consumer");
}

async fn passwords_show_their_queue(way: Way) {
    let Some(jaeger) = jaeger().await else { return };
    let Some(fleet) = fleet(way, jaeger, &[]).await else { return };
    let (id, traceparent) = begin_trace();
    let wrong = serde_json::json!({"email": "nobody@example.com", "password": "not the one"});
    let _ =
        fleet.visitor().traced(&traceparent).post("/api/auth/login", &wrong).await.refused(401, "INVALID_CREDENTIALS");
    until("the spans of the password", || async {
        let spans = jaeger.trace(&id).await?;
        let login = (USER, "POST /api/auth/login");
        (spans.leads(login, (USER, "password queue")) && spans.leads(login, (USER, "password hash"))).then_some(())
    })
    .await;
}

async fn only_what_is_sampled_is_sent(way: Way) {
    // One of its own: nothing else may have sent anything to it.
    let Some(jaeger) = Jaeger::start().await else { return };
    let none = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")];
    let Some(fleet) = fleet(way, &jaeger, &none).await else { return };
    let person = fleet.customer().await;
    let (id, traceparent) = begin_trace();
    // Through the gateway nobody can ask for a trace.
    person.traced(&traceparent).place(&[(1, 1)]).await;
    let product = person.at(&fleet.run.services[PRODUCT]).traced(&traceparent);
    let _ = product.get("/api/products/1").await.expect(200);
    until("the trace that whoever calls the service wants", || async {
        let spans = jaeger.trace(&id).await?;
        (spans.of((PRODUCT, "GET /api/products/{id}")).count() > 0).then_some(())
    })
    .await;
    for service in [GATEWAY, USER, ORDER, PAYMENT, PRODUCT, SANDBOX] {
        for trace in jaeger.traces(service, 20).await {
            let other = trace["traceID"].as_str().unwrap();
            assert_eq!(other.trim_start_matches('0'), id.trim_start_matches('0'), "nobody wants {trace:#}");
        }
    }
}

async fn a_collector_that_is_away_costs_spans_alone(way: Way) {
    // Nobody listens at port 1.
    let nobody = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let Some(fleet) = Fleet::with(way, &nobody).await else { return };
    let person = fleet.customer().await;
    let (_, traceparent) = begin_trace();
    order(&fleet, &person, &traceparent).await;
    until("the loss is counted and told", || async {
        let metrics = reqwest::get(format!("{}/metrics", fleet.run.services[ORDER])).await.ok()?.text().await.ok()?;
        let dropped = metrics.lines().find_map(|line| line.strip_prefix("telemetry_spans_dropped_total "))?;
        let told = fleet.logged().await.matches("spans could not be sent").count();
        (dropped != "0" && told > 0).then_some(())
    })
    .await;
}

in_one_way!(
    embedded,
    Embedded,
    traces_lead_through_an_orders_life,
    passwords_show_their_queue,
    only_what_is_sampled_is_sent,
    a_collector_that_is_away_costs_spans_alone
);
in_one_way!(files, Files, a_collector_that_is_away_costs_spans_alone);
in_one_way!(on_servers, Servers, traces_lead_through_an_orders_life, only_what_is_sampled_is_sent);
