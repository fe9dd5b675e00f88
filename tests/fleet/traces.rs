//! Traces in Jaeger: they cover the life of an order from the gateway on, and only sampled ones are sent.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::fleet::{
    ApiClient, ApiResponse, ClientExt as _, DEADLINE, Deployment, EmbeddedOptions, Fleet, ResponseExt as _,
    deploy_with, until,
};
use testkit::fleet_tests;
use testkit::servers::{CLIENT, Jaeger, Spans, available, begin_trace, jaeger};

const GATEWAY: &str = "gateway";
const SANDBOX: &str = "stripe-sandbox";
const USER: &str = "user-service";
const PRODUCT: &str = "product-service";
const ORDER: &str = "order-service";
const PAYMENT: &str = "payment-service";

async fn fleet(deployment: Deployment, jaeger: &Jaeger, extra: &[(&str, &str)]) -> Option<Fleet> {
    let otlp = jaeger.otlp();
    if deployment == Deployment::Embedded {
        return Some(
            Fleet::launch(EmbeddedOptions::default().arguments(&["--otlp", &otlp]).environment(extra)).await.unwrap(),
        );
    }
    deploy_with(deployment, &[&[("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str())], extra].concat()).await
}

/// Places and pays an order in this trace, or with its id where the gateway begins a trace.
async fn order(fleet: &Fleet, person: &ApiClient, traceparent: &str) -> Value {
    let traced = person.traced(traceparent);
    let order = traced.place(&[(1, 1)]).await;
    let payment = traced.pay(&order).await;
    let charging = fleet.charge_request(&payment, "pm_card_visa").unwrap().header("traceparent", traceparent);
    let _ = ApiResponse::of(charging).await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    order
}

/// Span by service and name.
type Named = (&'static str, &'static str);

/// Returns pairs of ancestor and descendant spans: from the gateway through all services to the provider, from its
/// webhook, and across messages.
fn ways(deployment: Deployment) -> Vec<(Named, Named)> {
    let webhook = (PAYMENT, "POST /api/webhooks/stripe");
    let mut ways = vec![
        ((GATEWAY, "POST order-service"), (ORDER, "POST /api/orders")),
        ((ORDER, "POST /api/orders"), (ORDER, "GET user-service")),
        ((ORDER, "GET user-service"), (USER, "GET /api/users/{id}")),
        ((USER, "GET /api/users/{id}"), (USER, "users.find")),
        ((ORDER, "POST /api/orders"), (ORDER, "GET product-service")),
        ((ORDER, "GET product-service"), (PRODUCT, "GET /api/products/batch")),
        ((PRODUCT, "GET /api/products/batch"), (PRODUCT, "catalogue.find_active")),
        ((ORDER, "POST product-service"), (PRODUCT, "POST /api/products/reservations")),
        ((PRODUCT, "POST /api/products/reservations"), (PRODUCT, "stock.reserve")),
        ((PRODUCT, "POST /api/products/reservations"), (PRODUCT, "cache invalidate")),
        ((PRODUCT, "POST /api/products/reservations"), (PRODUCT, "publish product.stock_reserved")),
        ((PRODUCT, "publish product.stock_reserved"), (ORDER, "process order-service.product.events")),
        ((ORDER, "process order-service.product.events"), (ORDER, "orders.append_timeline")),
        ((ORDER, "POST /api/orders"), (ORDER, "orders.insert")),
        ((ORDER, "POST /api/orders"), (ORDER, "publish order.created")),
        ((GATEWAY, "POST payment-service"), (PAYMENT, "POST /api/payments")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "GET order-service")),
        ((PAYMENT, "GET order-service"), (ORDER, "GET /api/orders/{id}")),
        ((ORDER, "GET /api/orders/{id}"), (ORDER, "cache get")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "payments.update")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "stripe create_intent")),
        ((PAYMENT, "stripe create_intent"), (SANDBOX, "POST /v1/payment_intents")),
        ((PAYMENT, "POST /api/payments"), (PAYMENT, "publish payment.created")),
        ((PAYMENT, "publish payment.created"), (ORDER, "process order-service.payment.events")),
        ((SANDBOX, "POST /v1/payment_intents/{id}/confirm"), (SANDBOX, "POST webhook")),
        (webhook, (PAYMENT, "payments.update")),
        (webhook, (PAYMENT, "publish payment.completed")),
        ((PAYMENT, "publish payment.completed"), (ORDER, "process order-service.payment.events")),
        ((ORDER, "process order-service.payment.events"), (ORDER, "orders.update")),
        ((ORDER, "process order-service.payment.events"), (ORDER, "publish order.updated")),
        ((ORDER, "publish order.updated"), (PRODUCT, "process product-service.order.events")),
        ((PRODUCT, "process product-service.order.events"), (PRODUCT, "stock.update")),
        ((PRODUCT, "process product-service.order.events"), (PRODUCT, "publish product.stock_committed")),
        ((PRODUCT, "publish product.stock_committed"), (ORDER, "process order-service.product.events")),
    ];
    if deployment == Deployment::Embedded {
        ways.push(((SANDBOX, "POST webhook"), webhook));
    } else {
        ways.push(((GATEWAY, "POST payment-service"), webhook));
    }
    ways
}

/// Returns the spans of an order: of the client's requests, and of the webhook, for which the gateway begins a trace.
async fn life(jaeger: &Jaeger, id: &str, order: &Value) -> Option<Spans> {
    let webhook = jaeger.tagged(PAYMENT, "order.id", order["id"].as_str().unwrap()).await;
    jaeger.trace(id).await.into_iter().chain(webhook).reduce(Spans::and)
}

async fn traces_cover_the_life_of_an_order(deployment: Deployment) {
    let Some(jaeger) = jaeger().await else { return };
    let Some(fleet) = fleet(deployment, jaeger, &[]).await else { return };
    let person = fleet.customer().await.unwrap();
    let (id, traceparent) = begin_trace();
    let order = order(&fleet, &person, &traceparent).await;
    let ways = ways(deployment);
    let missing = |spans: &Spans| {
        let lost = ways.iter().filter(|(parent, child)| !spans.is_ancestor(*parent, *child));
        lost.map(|(parent, child)| format!("{child:?} is not within {parent:?}\n")).collect::<String>()
    };
    let whole = until("the order's spans", || async {
        life(jaeger, &id, &order).await.filter(|spans| missing(spans).is_empty())
    });
    let Ok(spans) = tokio::time::timeout(DEADLINE / 2, whole).await else {
        let spans = life(jaeger, &id, &order).await.unwrap();
        panic!("{}\n{}", missing(&spans), spans.render());
    };
    let services: BTreeSet<_> = spans.all().iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services, BTreeSet::from([GATEWAY, SANDBOX, USER, PRODUCT, ORDER, PAYMENT]));
    // Root spans begin at the gateway, which does not continue a client's trace; the sandbox was called without it.
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
    check_tags(deployment, &spans);
}

/// Checks that attributes follow OpenTelemetry's conventions and store spans contain no values.
fn check_tags(deployment: Deployment, spans: &Spans) {
    let insert = spans.of((ORDER, "orders.insert")).next().unwrap();
    let known = ["db.operation.name", "db.system.name", "internal.span.format", "otel.scope.name", "span.kind"];
    assert_eq!(insert.tags.keys().map(String::as_str).collect::<Vec<_>>(), known, "{insert:?}");
    let system = if deployment == Deployment::Servers { "postgresql" } else { "sqlite" };
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
    let bus = if deployment == Deployment::Servers { "rabbitmq" } else { "sqlite" };
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

async fn passwords_show_their_queue(deployment: Deployment) {
    let Some(jaeger) = jaeger().await else { return };
    let Some(fleet) = fleet(deployment, jaeger, &[]).await else { return };
    let (id, traceparent) = begin_trace();
    let wrong = serde_json::json!({"email": "nobody@example.com", "password": "not the one"});
    let _ =
        fleet.visitor().traced(&traceparent).post("/api/auth/login", &wrong).await.problem(401, "INVALID_CREDENTIALS");
    until("the spans of the password", || async {
        let spans = jaeger.trace(&id).await?;
        let login = (USER, "POST /api/auth/login");
        (spans.is_ancestor(login, (USER, "password queue")) && spans.is_ancestor(login, (USER, "password hash")))
            .then_some(())
    })
    .await;
}

async fn unsampled_traces_are_not_sent(deployment: Deployment) {
    // A server of its own, to which nothing else sends.
    let Some(jaeger) = available(Jaeger::start().await) else { return };
    let none = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")];
    let Some(fleet) = fleet(deployment, &jaeger, &none).await else { return };
    let person = fleet.customer().await.unwrap();
    let (id, traceparent) = begin_trace();
    // Clients cannot request a trace through the gateway.
    person.traced(&traceparent).place(&[(1, 1)]).await;
    let product = person.at(&fleet.run.services[PRODUCT]).traced(&traceparent);
    let _ = product.get("/api/products/1").await.json(200);
    until("the trace requested by a direct caller", || async {
        let spans = jaeger.trace(&id).await?;
        (spans.of((PRODUCT, "GET /api/products/{id}")).count() > 0).then_some(())
    })
    .await;
    for service in [GATEWAY, USER, ORDER, PAYMENT, PRODUCT, SANDBOX] {
        for trace in jaeger.traces(service, 20).await.unwrap() {
            let other = trace["traceID"].as_str().unwrap();
            assert_eq!(other.trim_start_matches('0'), id.trim_start_matches('0'), "unsampled trace {trace:#}");
        }
    }
}

async fn unavailable_collector_loses_spans_only(deployment: Deployment) {
    // Port 1 has no listener.
    let closed = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let Some(fleet) = deploy_with(deployment, &closed).await else { return };
    let person = fleet.customer().await.unwrap();
    let (_, traceparent) = begin_trace();
    order(&fleet, &person, &traceparent).await;
    until("the loss to be counted and logged", || async {
        let metrics = reqwest::get(format!("{}/metrics", fleet.run.services[ORDER])).await.ok()?.text().await.ok()?;
        let dropped = metrics.lines().find_map(|line| line.strip_prefix("telemetry_spans_dropped_total "))?;
        let logged = fleet.log().await.matches("spans dropped").count();
        (dropped != "0" && logged > 0).then_some(())
    })
    .await;
}

fleet_tests!(embedded = Embedded:
    traces_cover_the_life_of_an_order,
    passwords_show_their_queue,
    unsampled_traces_are_not_sent,
    unavailable_collector_loses_spans_only
);
fleet_tests!(files = Files: unavailable_collector_loses_spans_only);
fleet_tests!(on_servers = Servers: traces_cover_the_life_of_an_order, unsampled_traces_are_not_sent);
