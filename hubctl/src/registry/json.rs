//! Objects of the registry as programs see them, in one place.

use mesh_core::directory::change::Object;
use serde_json::Value;

use crate::agreement;

/// An object as its source has it.
pub(crate) fn value(object: &Object) -> Value {
    let value = match object {
        Object::Cluster(cluster) => serde_json::to_value(cluster),
        Object::Agency(agency) => serde_json::to_value(agency),
        Object::System(system) => serde_json::to_value(system),
        Object::Service(service) => serde_json::to_value(service),
        Object::Agreement(agreement) => Ok(agreement::value(agreement)),
        Object::LinkKey(key) => serde_json::to_value(key),
        Object::DirectoryKey(key) => serde_json::to_value(key),
    };
    value.unwrap_or_default()
}
