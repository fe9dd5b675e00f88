//! Model tests: random commands run against a real store and a small model of it, and both must agree.
//!
//! `CASES` sets the number of sequences, `SEED` repeats those of a failed run.

use std::cell::Cell;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Maximum attempts to shorten a failing sequence.
const MAX_SHRINK_ITERATIONS: u32 = 2_000;
/// Maximum duration of the shortening, in milliseconds.
const MAX_SHRINK_MILLIS: u32 = 60_000;

/// Model test of a store.
#[derive(Clone, Copy, Debug)]
pub struct ModelTest {
    /// Name of the model.
    pub name: &'static str,
    /// Name of the store.
    pub store: &'static str,
    /// Number of sequences unless `CASES` is set.
    pub cases: u32,
}

impl ModelTest {
    /// Opens a store and runs random plans against it. `run` returns the number of commands of a plan and panics where store
    /// and model differ. Skips the test if `open` returns `None`.
    ///
    /// # Panics
    /// If a plan fails: with the shortest failing one, and the seed.
    pub fn check<F, P: Debug>(
        self,
        open: impl AsyncFnOnce() -> Option<F>,
        plans: impl Strategy<Value = P>,
        run: &impl AsyncFn(&F, P) -> usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let Some(fixture) = runtime.block_on(open()) else { return };
        let (cases, seed) = (number("CASES").unwrap_or(self.cases), number("SEED").unwrap_or_else(rand::random));
        let config = Config {
            cases,
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            max_shrink_iters: MAX_SHRINK_ITERATIONS,
            max_shrink_time: MAX_SHRINK_MILLIS,
            ..Config::default()
        };
        let commands = Cell::new(0);
        let outcome = TestRunner::new(config).run(&plans, |plan| {
            commands.set(commands.get() + runtime.block_on(run(&fixture, plan)));
            Ok(())
        });
        let Self { name, store, .. } = self;
        if let Err(failure) = outcome {
            panic!("model of {name} on {store}: SEED={seed} CASES={cases} repeats it: {failure}");
        }
        self.report(cases, commands.get());
    }

    #[expect(clippy::print_stdout, reason = "the counts are shown with --nocapture")]
    fn report(self, cases: u32, commands: usize) {
        println!("model of {} on {}: {cases} cases, {commands} commands", self.name, self.store);
    }
}

/// Reads a number from an environment variable.
///
/// # Panics
/// If the variable is not a number.
fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}
