//! All groups of scenarios that are rows of a table, in the order of `docs/scenarios.md`.

mod directory;
mod forged;
mod http;
mod malformed;
mod peer;
mod permitted;
mod provider;
mod registration;

use crate::scenario::Group;

pub use self::directory::DIRECTORY;
pub use self::forged::FORGED;
pub use self::http::HTTP;
pub use self::malformed::MALFORMED;
pub use self::peer::PEER;
pub use self::permitted::PERMITTED;
pub use self::provider::PROVIDER;
pub use self::registration::REGISTRATION;

/// See the module.
pub const GROUPS: [Group; 8] =
    [MALFORMED, HTTP, PERMITTED, PROVIDER, PEER, FORGED, DIRECTORY, REGISTRATION];
