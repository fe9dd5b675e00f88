//! Configuration from the environment: every problem is reported at once, each with the variable's name and an example.

mod backend;
mod env;
mod peers;
mod platform;
mod reader;
mod switch;
mod telemetry;
mod trusted_proxy;
pub mod urls;
mod variable;
pub mod variables;

pub use backend::BackendConfig;
pub use env::Env;
pub use peers::{Peers, ServiceName};
pub use platform::{ConsulConfig, PlatformConfig};
pub use reader::{ConfigError, Settings};
pub use trusted_proxy::TrustedProxy;
pub use urls::{DatabaseUrl, sqlite_path};
pub use variable::Variable;
