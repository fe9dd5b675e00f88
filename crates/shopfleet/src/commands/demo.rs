//! `shopfleet demo`: a customer registers, browses, orders and pays; each step is printed with its duration.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::config::Environment;
use common::telemetry;
use serde_json::{Value, json};

use crate::CliError;
use crate::fleet::{self, Credentials, Options, Ports, RunFile};
use crate::output::print_line;

mod client;

use client::{DemoClient, text};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Data directory of a running fleet; if none runs there, one is started in a temporary directory.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let failed = |error: common::BoxError| CliError::new(common::error_chain(&*error));
    let mut options = telemetry::Options::from_env(&Environment::process(), "shopfleet").map_err(failed)?;
    "warn".clone_into(&mut options.filter);
    let _telemetry = telemetry::init(&options).map_err(failed)?;
    if let Some(run) = running(&args.data_dir).await {
        print_line(format_args!("playing a customer against the fleet at {}\n", run.gateway));
        return play(&run, &Credentials::read(&args.data_dir)?).await;
    }
    print_line("no fleet is running: starting one in a temporary directory");
    let started = Instant::now();
    let directory = tempfile::tempdir().map_err(|error| CliError::context("no temporary directory", &error))?;
    let waiting = |part: &str| print_line(format_args!("waiting for {part} ..."));
    let fleet = fleet::start(&temporary(directory.path()), waiting).await?;
    print_line(format_args!("started in {:.2} s\n", started.elapsed().as_secs_f32()));
    let played = match fleet.credentials() {
        Ok(credentials) => play(&fleet.run, &credentials).await,
        Err(error) => Err(error),
    };
    played.and(fleet.stop().await)
}

fn temporary(directory: &Path) -> Options {
    Options {
        data_dir: directory.to_owned(),
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports: Ports::FREE,
        rate_limit: true,
        sample_data: true,
        settings: Vec::new(),
    }
}

/// Returns the fleet of this directory if it is running.
async fn running(data_dir: &Path) -> Option<RunFile> {
    let run = RunFile::read(data_dir)?;
    let response = reqwest::get(format!("{}/.well-known/jwks.json", run.gateway)).await.ok()?;
    response.status().is_success().then_some(run)
}

async fn play(run: &RunFile, credentials: &Credentials) -> Result<(), CliError> {
    let started = Instant::now();
    let mut client = DemoClient::new(&run.gateway)?;
    let customer = register(&mut client).await?;
    let product = choose_product(&client).await?;
    let order = place_order(&client, &customer, &product).await?;
    pay(&client, &customer, &order, credentials).await?;
    print_line(format_args!("\nthe order is paid, {} ms after the first step", started.elapsed().as_millis()));
    Ok(())
}

/// Registered customer.
struct Customer {
    id: String,
    email: String,
}

async fn register(client: &mut DemoClient) -> Result<Customer, CliError> {
    let email = format!("demo-{:08x}@example.com", rand::random::<u32>());
    let form = json!({
        "email": email, "password": format!("{:016x}", rand::random::<u64>()), "firstName": "Ada", "lastName": "Lovelace",
    });
    let registered = client.step("register", client.post("/api/auth/register", &form), |_| email.clone()).await?;
    client.set_token(text(&registered, "/token")?);
    Ok(Customer { id: text(&registered, "/user/id")?, email })
}

async fn choose_product(client: &DemoClient) -> Result<Value, CliError> {
    let page = client.get("/api/products?inStock=true&size=3");
    let describe = |page: &Value| format!("{} products in stock", page["totalElements"]);
    let page = client.step("browse", page, describe).await?;
    let product = page.pointer("/data/0").ok_or_else(|| CliError::new("the catalogue has no product in stock"))?;
    let describe =
        |product: &Value| format!("{} at {}", product["name"].as_str().unwrap_or_default(), product["price"]);
    client.step("look closer", client.get(&format!("/api/products/{}", product["id"])), describe).await
}

async fn place_order(client: &DemoClient, customer: &Customer, product: &Value) -> Result<Value, CliError> {
    let address = json!({
        "street": "12 St James's Square", "city": "London", "state": "London", "postal_code": "SW1Y 4JH", "country": "GB",
    });
    let form = json!({
        "user_id": customer.id,
        "items": [{"product_id": product["id"], "quantity": 2}],
        "shipping_address": address,
        "customer_info": {"first_name": "Ada", "last_name": "Lovelace", "email": customer.email},
    });
    let describe = |order: &Value| {
        let number = order["order_number"].as_str().unwrap_or_default();
        let (subtotal, tax, shipping) = (&order["subtotal"], &order["tax_amount"], &order["shipping_amount"]);
        format!("{number}: {subtotal} + {tax} tax + {shipping} shipping")
    };
    client.step("place the order", client.post("/api/orders", &form), describe).await
}

async fn pay(
    client: &DemoClient,
    customer: &Customer,
    order: &Value,
    credentials: &Credentials,
) -> Result<(), CliError> {
    let field = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let form = json!({
        "order_id": order["id"], "user_id": customer.id, "amount": order["total_amount"], "method": "card",
        "provider": "stripe",
    });
    let describe = |body: &Value| format!("{} by {}", body["payment"]["amount"], field(&body["payment"], "method"));
    let payment = client.step("begin to pay", client.post("/api/payments", &form), describe).await?;
    let intent = text(&payment, "/payment/provider_transaction_id")?;
    let secret = text(&payment, "/client_secret")?;
    let charge = client.confirm_card(&intent, &secret, &credentials.stripe.publishable_key, "pm_card_visa");
    client.step("enter a test card", charge, |intent| field(intent, "status")).await?;

    let path = format!("/api/orders/{}", text(order, "/id")?);
    let describe = |order: &Value| {
        format!("the order is {}, its payment {}", field(order, "status"), field(order, "payment_status"))
    };
    client.step("wait for the webhook", client.until_paid(&path), describe).await?;
    Ok(())
}
