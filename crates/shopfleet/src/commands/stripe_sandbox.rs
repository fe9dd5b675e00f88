//! `shopfleet stripe-sandbox`: the Stripe sandbox of separate services.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use common::config::{EnvReader, Environment};
use common::database::private_files as private;
use common::runtime::Shutdown;

use crate::CliError;
use crate::output::print_line;
use crate::server::{bind, init_telemetry};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 chooses a free one.
    #[arg(long, default_value_t = 3010)]
    port: u16,
    /// Folder of the ledger.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
    /// Receiver of webhooks: the payment service's /api/webhooks/stripe.
    #[arg(long)]
    webhook_url: String,
    /// Address for browsers, for the payment page and the page that asks a customer to confirm; default: the listening
    /// address.
    #[arg(long, visible_alias = "public-url")]
    hosted_url: Option<String>,
    /// Addresses of the shop, separated by commas: the payment page returns to these origins only.
    #[arg(long, value_delimiter = ',')]
    shop_url: Vec<String>,
    /// Payment methods of the account, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "card,paypal")]
    payment_method_types: Vec<String>,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let env = Environment::process();
    let _telemetry = init_telemetry(&env, "stripe-sandbox")?;
    let mut settings = EnvReader::new(&env);
    let secret_key = settings.secret("STRIPE_SECRET_KEY", "sk_test_123");
    let webhook_secret = settings.secret("STRIPE_WEBHOOK_SECRET", "whsec_123");
    let (secret_key, webhook_secret) =
        settings.finish(secret_key.zip(webhook_secret)).map_err(|error| CliError::new(error.to_string()))?;
    let ledger = args.data_dir.join("stripe.db");
    private::data_directory(&args.data_dir)
        .and_then(|()| private::database(&ledger))
        .map_err(|error| CliError::context(format!("cannot write to {}", args.data_dir.display()), &error))?;
    let listener = bind(args.host, args.port, "--port").await?;
    let address = listener.local_addr().map_err(|error| CliError::context("the listener has no address", &error))?;
    print_line(format_args!("stripe-sandbox   http://{address}"));
    let config = stripe_sandbox::Config {
        database: ledger,
        secret_key,
        webhook_secret,
        webhook_url: Some(args.webhook_url),
        payment_method_types: args.payment_method_types,
        hosted_url: args.hosted_url.unwrap_or_else(|| format!("http://{address}")),
        shop_urls: args.shop_url,
    };
    stripe_sandbox::serve(config, listener, Shutdown::on_signals().token())
        .await
        .map_err(|error| CliError::context("the sandbox failed", &error))
}
