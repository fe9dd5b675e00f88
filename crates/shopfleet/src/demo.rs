//! `shopfleet demo`: a customer registers, browses, orders and pays; each step is shown with its time.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::config::Env;
use common::telemetry;
use serde_json::{Value, json};

use crate::fleet::{self, Credentials, Options, Ports, RunFile};
use crate::{Failure, say};

mod shop;

use shop::{Shop, text};

/// How long the order may take to be paid once the card was charged.
const PAID_DEADLINE: Duration = Duration::from_secs(30);
/// The time between two looks at the order.
const POLL: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The data directory of a running fleet; if none runs there, one is started in a temporary directory.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let failed = |error: common::BoxError| Failure::new(common::chain(&*error));
    let mut options = telemetry::Options::from_env(&Env::process(), "shopfleet").map_err(failed)?;
    "warn".clone_into(&mut options.filter);
    let _telemetry = telemetry::init(&options).map_err(failed)?;
    if let Some(run) = running(&args.data_dir).await {
        say(format_args!("playing a customer against the fleet at {}\n", run.gateway));
        return play(&run, &Credentials::read(&args.data_dir)?).await;
    }
    say("no fleet runs here: starting one in a temporary directory");
    let begun = Instant::now();
    let directory = tempfile::tempdir().map_err(|error| Failure::doing("no temporary directory", &error))?;
    let fleet = fleet::start(&temporary(directory.path()), |what| say(format_args!("waiting for {what} ..."))).await?;
    say(format_args!("it is up in {:.2} s\n", begun.elapsed().as_secs_f32()));
    let played = match fleet.credentials() {
        Ok(credentials) => play(&fleet.run, &credentials).await,
        Err(failure) => Err(failure),
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

/// The fleet of this directory, if it answers.
async fn running(data_dir: &Path) -> Option<RunFile> {
    let run = RunFile::read(data_dir)?;
    let answer = reqwest::get(format!("{}/.well-known/jwks.json", run.gateway)).await.ok()?;
    answer.status().is_success().then_some(run)
}

async fn play(run: &RunFile, credentials: &Credentials) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut shop = Shop::new(&run.gateway)?;

    let email = format!("demo-{:08x}@example.com", rand::random::<u32>());
    let person = json!({
        "email": email, "password": format!("{:016x}", rand::random::<u64>()), "firstName": "Ada", "lastName": "Lovelace",
    });
    let registered = shop.step("register", shop.post("/api/auth/register", &person), |_| email.clone()).await?;
    shop.sign_in(text(&registered, "/token")?);
    let user_id = text(&registered, "/user/id")?;

    let found = shop
        .step("browse", shop.get("/api/products?inStock=true&size=3"), |page| {
            format!("{} products in stock", page["totalElements"])
        })
        .await?;
    let product = found.pointer("/data/0").ok_or_else(|| Failure::new("the catalogue is empty: nothing to order"))?;
    let show = |product: &Value| format!("{} at {}", product["name"].as_str().unwrap_or_default(), product["price"]);
    let path = format!("/api/products/{}", product["id"]);
    let product = shop.step("look closer", shop.get(&path), show).await?;

    let address = json!({
        "street": "12 St James's Square", "city": "London", "state": "London", "postal_code": "SW1Y 4JH", "country": "GB",
    });
    let wanted = json!({
        "user_id": user_id,
        "items": [{"product_id": product["id"], "quantity": 2}],
        "shipping_address": address,
        "customer_info": {"first_name": "Ada", "last_name": "Lovelace", "email": email},
    });
    let order = shop
        .step("place the order", shop.post("/api/orders", &wanted), |order| {
            let number = order["order_number"].as_str().unwrap_or_default();
            format!(
                "{number}: {} + {} tax + {} shipping",
                order["subtotal"], order["tax_amount"], order["shipping_amount"]
            )
        })
        .await?;
    let order_id = text(&order, "/id")?;

    let wanted = json!({
        "order_id": order_id, "user_id": user_id, "amount": order["total_amount"], "method": "card", "provider": "stripe",
    });
    let payment = shop
        .step("begin to pay", shop.post("/api/payments", &wanted), |answer| {
            format!("{} by {}", answer["payment"]["amount"], answer["payment"]["method"].as_str().unwrap_or_default())
        })
        .await?;
    let intent = text(&payment, "/payment/provider_transaction_id")?;
    let secret = text(&payment, "/client_secret")?;
    let key = &credentials.stripe.publishable_key;
    let charge = shop.confirm_card(&intent, &secret, key, "pm_card_visa");
    shop.step("enter a test card", charge, |intent| intent["status"].as_str().unwrap_or_default().to_owned()).await?;

    let path = format!("/api/orders/{order_id}");
    let paid = shop.step("wait for the webhook", shop.until_paid(&path), |order| {
        format!(
            "the order is {}, its payment {}",
            order["status"].as_str().unwrap_or_default(),
            order["payment_status"].as_str().unwrap_or_default()
        )
    });
    paid.await?;
    say(format_args!("\nthe order is paid, {} ms after the first step", begun.elapsed().as_millis()));
    Ok(())
}
