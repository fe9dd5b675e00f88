//! Cost of tracing: reads and orders per second with all traces sent, a tenth, and none, printed as ratios of one run.
#![expect(clippy::float_arithmetic, reason = "rates and ratios are no money")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use testkit::fleet::{ApiClient, ClientExt as _, Fleet, ResponseExt as _, until};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Concurrent clients.
const CLIENTS: usize = 8;
/// Rounds per fleet. They alternate, so that other load affects all fleets.
const ROUNDS: usize = 5;

/// Reads per round: few by default, `READS` in `make proof`; a tenth as many orders.
fn reads() -> usize {
    std::env::var("READS").ok().and_then(|reads| reads.parse().ok()).unwrap_or(80)
}

/// Starts a collector that discards everything, and returns its address and the number of received bytes.
async fn collector() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::<AtomicU64>::default();
    let count = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(stream, count.clone()));
        }
    });
    (url, taken)
}

/// Responds to each request of a connection with 200.
async fn take(stream: TcpStream, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        taken.fetch_add(u64::try_from(length).unwrap(), Ordering::SeqCst);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

struct Traced {
    name: &'static str,
    fleet: Fleet,
    people: Vec<ApiClient>,
    taken: Arc<AtomicU64>,
    reads: Vec<f64>,
    orders: Vec<f64>,
}

impl Traced {
    async fn start(name: &'static str, sampler: Option<&'static str>) -> Self {
        let (url, taken) = collector().await;
        let mut variables = vec![("RUST_LOG", "warn"), ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")];
        if let Some(share) = sampler {
            variables.extend([("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_SAMPLER_ARG", share)]);
        }
        let fleet = Fleet::embedded(&variables).await.unwrap();
        let mut people = Vec::new();
        for _ in 0..CLIENTS {
            people.push(fleet.customer().await.unwrap());
        }
        Self { name, fleet, people, taken, reads: Vec::new(), orders: Vec::new() }
    }

    /// Runs `work` concurrently on all clients, `times` in total, and returns the rate per second.
    async fn rate<F>(&self, times: usize, work: impl Fn(ApiClient) -> F) -> f64
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let started = Instant::now();
        let clients = self.people.iter().map(|person| {
            let works: Vec<_> = (0..times.div_ceil(CLIENTS)).map(|_| work(person.clone())).collect();
            tokio::spawn(async move {
                for work in works {
                    work.await;
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        f64::from(u32::try_from(times).unwrap()) / started.elapsed().as_secs_f64()
    }

    async fn round(&mut self) {
        let product = self.fleet.run.services["product-service"].clone();
        let read = move |person: ApiClient| {
            let person = person.at(&product);
            async move { drop(person.get("/api/products/1").await.json(200)) }
        };
        self.reads.push(self.rate(reads(), read).await);
        let order = |person: ApiClient| async move { drop(person.place(&[(2, 1)]).await) };
        self.orders.push(self.rate((reads() / 10).max(CLIENTS), order).await);
    }
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn tracing_cost_is_printed() {
    let _alone = crate::ALONE.lock().await;
    let mut all = [
        Traced::start("off", None).await,
        Traced::start("10%", Some("0.1")).await,
        Traced::start("100%", Some("1")).await,
    ];
    for one in &all {
        // Enough stock for all orders.
        one.fleet.admin().await.unwrap().restock(2, 500_000).await.unwrap();
    }
    for one in &mut all {
        one.round().await;
        one.reads.clear();
        one.orders.clear();
    }
    for _ in 0..ROUNDS {
        for one in &mut all {
            one.round().await;
        }
    }
    let (reads, orders) = (median(&all[0].reads), median(&all[0].orders));
    println!("tracing   reads/s  ratio   orders/s  ratio   sent to the collector");
    for one in &all {
        let (own_reads, own_orders) = (median(&one.reads), median(&one.orders));
        let (of_reads, of_orders) = (own_reads / reads, own_orders / orders);
        let sent = one.taken.load(Ordering::SeqCst) / 1024;
        println!(
            "{:<8} {own_reads:>8.0}  {of_reads:>5.2}   {own_orders:>8.0}  {of_orders:>5.2}   {sent} KiB",
            one.name
        );
    }
    assert_eq!(all[0].taken.load(Ordering::SeqCst), 0, "disabled tracing sends nothing");
    until("the other fleets to send traces", || async {
        all[1..].iter().all(|one| one.taken.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
}
