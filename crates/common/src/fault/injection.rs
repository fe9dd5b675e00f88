//! Faults on demand: what an operator puts into a running service, to see whether alerts, traces and fallbacks do what
//! they are for. Off unless the process was started with `FAULTS=on`; then each is set and cleared by `/ops/faults`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! faults {
    ($($name:ident = $text:literal, $of:expr, $delay:literal, $about:literal;)*) => {
        /// A fault that can be put in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $about] $name,)*
        }

        impl Fault {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in paths and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What it does.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about),* }
            }

            /// The service that alone has it; `None` if all do.
            const fn only_in(self) -> Option<&'static str> {
                match self { $(Self::$name => $of),* }
            }

            /// How long it holds things up unless it is said, in milliseconds.
            const fn delay_ms(self) -> u64 {
                match self { $(Self::$name => $delay),* }
            }
        }
    };
}

faults! {
    HttpErrors = "http-errors", None, 0, "Requests are answered with 500.";
    HttpDelay = "http-delay", None, 1000, "Requests are held up.";
    CacheGone = "cache-gone", None, 0, "The cache does not answer.";
    PublishErrors = "publish-errors", None, 0, "Events are not taken by the bus.";
    ConsumerStop = "consumer-stop", None, 0, "Messages are not taken from the queues.";
    ConsumerErrors = "consumer-errors", None, 0, "Messages cannot be read, so that they fail.";
    SlowPasswords = "slow-passwords", Some("user-service"), 1000, "Hashing a password takes longer.";
    HotRow = "hot-row", Some("product-service"), 250, "Reservations wait for each other, as for one row that all need.";
    ProviderErrors = "provider-errors", Some("payment-service"), 0, "Calls of the payment provider fail with 500.";
    ProviderDelay = "provider-delay", Some("payment-service"), 3000, "Calls of the payment provider are held up.";
}

/// How strongly a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Strength {
    /// How often, from 0 to 1.
    pub rate: f64,
    /// How long it holds things up, in milliseconds.
    pub delay_ms: u64,
}

/// Why a fault cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The process was started without.
    Off,
    /// This service has none of that name.
    Unknown,
}

/// The faults of a service. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    set: RwLock<BTreeMap<Fault, Strength>>,
    /// What reservations wait for while there is a hot row.
    row: tokio::sync::Mutex<()>,
}

impl Faults {
    /// None, and none can be set.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// None yet, but those of this service can be set.
    #[must_use]
    pub fn on(service: &'static str) -> Self {
        tracing::warn!(service, "faults can be put into this process: FAULTS=on");
        Self(Some(Arc::new(Inner { service, set: RwLock::default(), row: tokio::sync::Mutex::default() })))
    }

    /// Whether any can be set.
    #[must_use]
    pub fn can_be_set(&self) -> bool {
        self.0.is_some()
    }

    /// The faults that this service has, with the strength of those that are set.
    ///
    /// # Errors
    /// [`Refused::Off`]
    pub fn list(&self) -> Result<Vec<(Fault, Option<Strength>)>, Refused> {
        let inner = self.0.as_ref().ok_or(Refused::Off)?;
        let set = inner.set.read().unwrap_or_else(PoisonError::into_inner);
        Ok(inner.has().map(|fault| (fault, set.get(&fault).copied())).collect())
    }

    /// Sets a fault: at every occasion unless a rate is said, and with its usual delay unless one is.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn set(&self, name: &str, rate: Option<f64>, delay_ms: Option<u64>) -> Result<(Fault, Strength), Refused> {
        let inner = self.0.as_ref().ok_or(Refused::Off)?;
        let fault = inner.named(name)?;
        let strength = Strength { rate: rate.unwrap_or(1.0), delay_ms: delay_ms.unwrap_or(fault.delay_ms()) };
        inner.set.write().unwrap_or_else(PoisonError::into_inner).insert(fault, strength);
        tracing::warn!(fault = fault.as_str(), rate = strength.rate, delay_ms = strength.delay_ms, "a fault is put in");
        Ok((fault, strength))
    }

    /// Clears a fault; nothing if it was not set.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn clear(&self, name: &str) -> Result<(), Refused> {
        let inner = self.0.as_ref().ok_or(Refused::Off)?;
        let fault = inner.named(name)?;
        if inner.set.write().unwrap_or_else(PoisonError::into_inner).remove(&fault).is_some() {
            tracing::warn!(fault = fault.as_str(), "a fault is taken out");
        }
        Ok(())
    }

    fn struck(&self, fault: Fault) -> Option<Strength> {
        let inner = self.0.as_ref()?;
        let strength = *inner.set.read().unwrap_or_else(PoisonError::into_inner).get(&fault)?;
        (rand::random::<f64>() < strength.rate).then_some(strength)
    }

    /// Whether a fault strikes now.
    #[must_use]
    pub fn strikes(&self, fault: Fault) -> bool {
        self.struck(fault).is_some()
    }

    /// Holds up whoever asks, for as long as the fault says, if it strikes now.
    pub async fn hold_up(&self, fault: Fault) {
        if let Some(strength) = self.struck(fault) {
            tokio::time::sleep(Duration::from_millis(strength.delay_ms)).await;
        }
    }

    /// Holds up one after the other of those who ask while there is a hot row.
    pub async fn wait_for_row(&self) {
        if let (Some(inner), Some(strength)) = (&self.0, self.struck(Fault::HotRow)) {
            let _row = inner.row.lock().await;
            tokio::time::sleep(Duration::from_millis(strength.delay_ms)).await;
        }
    }
}

impl Inner {
    fn has(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(|fault| fault.only_in().is_none_or(|service| service == self.service))
    }

    fn named(&self, name: &str) -> Result<Fault, Refused> {
        self.has().find(|fault| fault.as_str() == name).ok_or(Refused::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_started_without_has_none() {
        let faults = Faults::off();
        assert_eq!(faults.list(), Err(Refused::Off));
        assert_eq!(faults.set("http-errors", None, None), Err(Refused::Off));
        assert_eq!(faults.clear("http-errors"), Err(Refused::Off));
        assert!(!faults.strikes(Fault::HttpErrors));
    }

    #[test]
    fn a_fault_strikes_from_when_it_is_set_until_it_is_cleared() {
        let faults = Faults::on("payment-service");
        assert!(!faults.strikes(Fault::ProviderErrors));
        let strength = Strength { rate: 1.0, delay_ms: 3000 };
        assert_eq!(faults.set("provider-delay", None, None), Ok((Fault::ProviderDelay, strength)));
        assert!(faults.strikes(Fault::ProviderDelay) && !faults.strikes(Fault::ProviderErrors));
        let listed = faults.list().unwrap();
        assert!(listed.contains(&(Fault::ProviderDelay, Some(strength))));
        assert!(listed.contains(&(Fault::HttpErrors, None)));
        assert!(faults.set("provider-delay", Some(0.0), None).is_ok());
        assert!(!faults.strikes(Fault::ProviderDelay), "never is never");
        faults.clear("provider-delay").unwrap();
        faults.clear("provider-delay").unwrap();
        assert!(faults.list().unwrap().iter().all(|(_, strength)| strength.is_none()));
    }

    #[test]
    fn a_service_has_those_that_make_sense_in_it() {
        let faults = Faults::on("order-service");
        assert_eq!(faults.set("hot-row", None, None), Err(Refused::Unknown));
        assert_eq!(faults.set("earthquake", None, None), Err(Refused::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_need_a_hot_row_wait_one_after_the_other() {
        let faults = Faults::on("product-service");
        let begun = tokio::time::Instant::now();
        faults.wait_for_row().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        faults.set("hot-row", None, Some(100)).unwrap();
        tokio::join!(faults.wait_for_row(), faults.wait_for_row(), faults.wait_for_row());
        assert!(begun.elapsed() >= Duration::from_millis(300));
    }
}
