//! Port for the discovery of service instances at run time.

use http::uri::Authority;

/// Discovery of service instances.
pub trait Discover: Send + Sync + 'static {
    /// Returns an instance of the service that the file calls `host`, or `None` if discovery does not cover it.
    fn pick(&self, host: &str) -> Option<Instance>;
    /// Reports that the instance of this service at this address accepted no connection, so that it is ejected for a while.
    fn failed(&self, service: &str, host: &str, port: u16);
}

/// Request that an instance counts as in flight until this value is dropped.
pub trait InFlightRequest: Send + Sync {
    /// Reports the result. An instance is unhealthy that responds with 503, breaks off or times out.
    fn completed(&self, healthy: bool);
}

/// Instance picked for a request.
pub struct Instance {
    /// Address of the instance.
    pub authority: Authority,
    /// Handle that reports the result of the request.
    pub request: Box<dyn InFlightRequest>,
}
