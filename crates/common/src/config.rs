//! Configuration from the environment: all problems are reported at once, each with the variable's name and an example.
//!
//! ```
//! use common::config::{EnvReader, Environment};
//!
//! let env = Environment::from_pairs([("PORT", "8080")]);
//! let mut reader = EnvReader::new(&env);
//! let port = reader.or_default("PORT", 3003_u16);
//! let name = reader.required::<String>("SHOP_NAME", "Shopfleet");
//! let error = reader.finish(port.zip(name)).unwrap_err();
//! assert_eq!(error.problems(), ["SHOP_NAME is missing; set it, for example SHOP_NAME=Shopfleet"]);
//! ```

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
pub use env::Environment;
pub use peers::{ServiceName, StaticAddresses};
pub use platform::{ConsulConfig, PlatformConfig};
pub use reader::{ConfigError, EnvReader};
pub use switch::Switch;
pub use trusted_proxy::TrustedProxy;
pub use urls::{DatabaseUrl, missing_feature, sqlite_path};
pub use variable::Variable;
