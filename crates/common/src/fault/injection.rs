//! Fault injection: operators inject faults into a running service to test alerts, traces and fallbacks. It is disabled
//! unless the process was started with `FAULTS=on`; `/ops/faults` then sets and clears each fault.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! faults {
    ($($name:ident = $text:literal, $of:expr, $delay:literal, $about:literal;)*) => {
        /// Fault that can be injected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $about] $name,)*
        }

        impl Fault {
            /// All faults that can be injected.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the name in paths and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Returns the description.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about),* }
            }

            /// Returns the only service that has the fault; `None` if all have it.
            const fn only_in(self) -> Option<&'static str> {
                match self { $(Self::$name => $of),* }
            }

            /// Returns the default delay in milliseconds.
            const fn delay_ms(self) -> u64 {
                match self { $(Self::$name => $delay),* }
            }
        }
    };
}

faults! {
    HttpErrors = "http-errors", None, 0, "Requests fail with 500.";
    HttpDelay = "http-delay", None, 1000, "Requests are delayed.";
    CacheGone = "cache-gone", None, 0, "The cache is unavailable.";
    PublishErrors = "publish-errors", None, 0, "Publishing fails.";
    ConsumerStop = "consumer-stop", None, 0, "Consumers receive no messages.";
    ConsumerErrors = "consumer-errors", None, 0, "Messages are unreadable and fail.";
    SlowPasswords = "slow-passwords", Some("user-service"), 1000, "Password hashing is delayed.";
    HotRow = "hot-row", Some("product-service"), 250, "Reservations wait for each other, as for one locked row.";
    ProviderErrors = "provider-errors", Some("payment-service"), 0, "Calls to the payment provider fail with 500.";
    ProviderDelay = "provider-delay", Some("payment-service"), 3000, "Calls to the payment provider are delayed.";
}

/// Settings of an active fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FaultSettings {
    /// Probability, from 0 to 1.
    pub rate: f64,
    /// Delay in milliseconds.
    pub delay_ms: u64,
}

/// Errors of setting a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// Fault error: fault injection is disabled.
    Off,
    /// The service has no fault of this name.
    Unknown,
}

/// Injected faults of a service. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    set: RwLock<BTreeMap<Fault, FaultSettings>>,
    /// Lock that reservations wait for while `hot-row` is active.
    row: tokio::sync::Mutex<()>,
}

impl Faults {
    /// Creates faults that cannot be set.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Creates faults of a service, none of them active.
    #[must_use]
    pub fn on(service: &'static str) -> Self {
        tracing::warn!(service, "fault injection enabled: FAULTS=on");
        Self(Some(Arc::new(Inner { service, set: RwLock::default(), row: tokio::sync::Mutex::default() })))
    }

    /// Returns whether faults can be set.
    #[must_use]
    pub fn can_be_set(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the faults of this service, with the settings of the active ones.
    ///
    /// # Errors
    /// [`FaultError::Off`]
    pub fn list(&self) -> Result<Vec<(Fault, Option<FaultSettings>)>, FaultError> {
        let inner = self.0.as_ref().ok_or(FaultError::Off)?;
        let set = inner.set.read().unwrap_or_else(PoisonError::into_inner);
        Ok(inner.has().map(|fault| (fault, set.get(&fault).copied())).collect())
    }

    /// Activates a fault, always and with its default delay unless given.
    ///
    /// # Errors
    /// The service has no fault of this name.
    pub fn set(
        &self,
        name: &str,
        rate: Option<f64>,
        delay_ms: Option<u64>,
    ) -> Result<(Fault, FaultSettings), FaultError> {
        let inner = self.0.as_ref().ok_or(FaultError::Off)?;
        let fault = inner.named(name)?;
        let strength = FaultSettings { rate: rate.unwrap_or(1.0), delay_ms: delay_ms.unwrap_or(fault.delay_ms()) };
        inner.set.write().unwrap_or_else(PoisonError::into_inner).insert(fault, strength);
        tracing::warn!(fault = fault.as_str(), rate = strength.rate, delay_ms = strength.delay_ms, "fault activated");
        Ok((fault, strength))
    }

    /// Deactivates a fault.
    ///
    /// # Errors
    /// The service has no fault of this name.
    pub fn clear(&self, name: &str) -> Result<(), FaultError> {
        let inner = self.0.as_ref().ok_or(FaultError::Off)?;
        let fault = inner.named(name)?;
        if inner.set.write().unwrap_or_else(PoisonError::into_inner).remove(&fault).is_some() {
            tracing::warn!(fault = fault.as_str(), "fault deactivated");
        }
        Ok(())
    }

    fn active(&self, fault: Fault) -> Option<FaultSettings> {
        let inner = self.0.as_ref()?;
        let strength = *inner.set.read().unwrap_or_else(PoisonError::into_inner).get(&fault)?;
        (rand::random::<f64>() < strength.rate).then_some(strength)
    }

    /// Returns whether a fault occurs now.
    #[must_use]
    pub fn should_fail(&self, fault: Fault) -> bool {
        self.active(fault).is_some()
    }

    /// Waits for the delay of a fault if it occurs now.
    pub async fn delay(&self, fault: Fault) {
        if let Some(strength) = self.active(fault) {
            tokio::time::sleep(Duration::from_millis(strength.delay_ms)).await;
        }
    }

    /// Waits for other callers one after another while `hot-row` is active.
    pub async fn simulate_row_lock(&self) {
        if let (Some(inner), Some(strength)) = (&self.0, self.active(Fault::HotRow)) {
            let _row = inner.row.lock().await;
            tokio::time::sleep(Duration::from_millis(strength.delay_ms)).await;
        }
    }
}

impl Inner {
    fn has(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(|fault| fault.only_in().is_none_or(|service| service == self.service))
    }

    fn named(&self, name: &str) -> Result<Fault, FaultError> {
        self.has().find(|fault| fault.as_str() == name).ok_or(FaultError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_cannot_be_set_if_disabled() {
        let faults = Faults::off();
        assert_eq!(faults.list(), Err(FaultError::Off));
        assert_eq!(faults.set("http-errors", None, None), Err(FaultError::Off));
        assert_eq!(faults.clear("http-errors"), Err(FaultError::Off));
        assert!(!faults.should_fail(Fault::HttpErrors));
    }

    #[test]
    fn fault_occurs_from_its_activation_to_its_deactivation() {
        let faults = Faults::on("payment-service");
        assert!(!faults.should_fail(Fault::ProviderErrors));
        let strength = FaultSettings { rate: 1.0, delay_ms: 3000 };
        assert_eq!(faults.set("provider-delay", None, None), Ok((Fault::ProviderDelay, strength)));
        assert!(faults.should_fail(Fault::ProviderDelay) && !faults.should_fail(Fault::ProviderErrors));
        let listed = faults.list().unwrap();
        assert!(listed.contains(&(Fault::ProviderDelay, Some(strength))));
        assert!(listed.contains(&(Fault::HttpErrors, None)));
        assert!(faults.set("provider-delay", Some(0.0), None).is_ok());
        assert!(!faults.should_fail(Fault::ProviderDelay), "never is never");
        faults.clear("provider-delay").unwrap();
        faults.clear("provider-delay").unwrap();
        assert!(faults.list().unwrap().iter().all(|(_, strength)| strength.is_none()));
    }

    #[test]
    fn service_has_only_its_own_faults() {
        let faults = Faults::on("order-service");
        assert_eq!(faults.set("hot-row", None, None), Err(FaultError::Unknown));
        assert_eq!(faults.set("earthquake", None, None), Err(FaultError::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn callers_wait_one_after_another_for_a_hot_row() {
        let faults = Faults::on("product-service");
        let begun = tokio::time::Instant::now();
        faults.simulate_row_lock().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        faults.set("hot-row", None, Some(100)).unwrap();
        tokio::join!(faults.simulate_row_lock(), faults.simulate_row_lock(), faults.simulate_row_lock());
        assert!(begun.elapsed() >= Duration::from_millis(300));
    }
}
