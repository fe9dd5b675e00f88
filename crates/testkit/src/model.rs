//! Model tests: random commands are given to a real store and to a small model of it, and both have to agree.
//!
//! `CASES` says how many sequences are tried, `SEED` repeats those of a run that failed.

use std::cell::Cell;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// The most that is tried to make a sequence that fails shorter.
const SHRINKS: u32 = 2_000;
/// The longest that this takes, in milliseconds.
const SHRINKING: u32 = 60_000;

/// What is tested, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// What the model is of.
    pub name: &'static str,
    /// The store's name.
    pub store: &'static str,
    /// How many sequences are tried unless `CASES` says otherwise.
    pub cases: u32,
}

impl Subject {
    /// Opens a store and runs random plans against it, each in `run`, which answers how many commands it was and panics
    /// where store and model differ. Nothing is done if the store cannot be had here.
    ///
    /// # Panics
    /// If a plan fails: with the shortest that was found to, and the seed.
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
            max_shrink_iters: SHRINKS,
            max_shrink_time: SHRINKING,
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
        self.tell(cases, commands.get());
    }

    #[expect(clippy::print_stdout, reason = "what was tried is told to whoever runs it with --nocapture")]
    fn tell(self, cases: u32, commands: usize) {
        println!("model of {} on {}: {cases} cases, {commands} commands", self.name, self.store);
    }
}

/// A number that the environment says.
///
/// # Panics
/// If it says something else.
fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}
