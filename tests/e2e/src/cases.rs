//! All groups of scenarios that are rows of a table, in the order of `docs/scenarios.md`.

mod directory;
mod forged;
mod http;
mod malformed;
mod peer;
mod permitted;
mod provider;
mod registration;
mod services;

use crate::scenario::Group;

pub use self::directory::DIRECTORY;
pub use self::forged::FORGED;
pub use self::http::HTTP;
pub use self::malformed::MALFORMED;
pub use self::peer::PEER;
pub use self::permitted::PERMITTED;
pub use self::provider::PROVIDER;
pub use self::registration::REGISTRATION;
pub use self::services::SERVICES;

/// See the module.
pub const GROUPS: [Group; 9] =
    [MALFORMED, HTTP, PERMITTED, SERVICES, PROVIDER, PEER, FORGED, DIRECTORY, REGISTRATION];
