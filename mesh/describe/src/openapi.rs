//! OpenAPI 3 (and its ancestor, Swagger 2): the methods below `paths`.

use mesh_core::operation::{Method, PathTemplate};
use mesh_core::standards::DescribedCall;
use serde_json::Value;

use crate::{CALLS_MAX, Unreadable, unreadable};

const FORM: &str = "OpenAPI document";

pub(crate) fn from_json(text: &str) -> Result<Value, Unreadable> {
    // The reader bounds how deep values may lie in each other.
    serde_json::from_str(text).map_err(|why| unreadable("JSON", why))
}

/// The calls of `document`. Paths that no template of ours can be, such as `/a/{b}.json`, cannot be
/// declared either, and are passed over.
pub(crate) fn calls(document: &Value) -> Result<Vec<DescribedCall>, Unreadable> {
    let version = |field: &str| document.get(field).and_then(Value::as_str);
    match (version("openapi"), version("swagger")) {
        (Some(found), _) if found.starts_with("3.") => {}
        (None, Some(found)) if found.starts_with('2') => {}
        (Some(found), _) | (None, Some(found)) => {
            let found: String = found.chars().take(20).collect();
            return Err(unreadable(FORM, format!("its version is {found:?}, want 3 or 2.0")));
        }
        (None, None) => return Err(unreadable(FORM, "it has no `openapi` with a version")),
    }
    let paths = document.get("paths").and_then(Value::as_object);
    let paths = paths.ok_or_else(|| unreadable(FORM, "it has no `paths`"))?;
    let mut calls = Vec::new();
    for (path, item) in paths {
        let item = item.as_object().ok_or_else(|| {
            let path: String = path.chars().take(80).collect();
            unreadable(FORM, format!("what stands below the path {path:?} is no object"))
        })?;
        let Ok(template) = path.parse::<PathTemplate>() else { continue };
        // `parameters`, `summary` and the like stand beside the methods.
        let methods = item.keys().filter_map(|key| key.to_ascii_uppercase().parse::<Method>().ok());
        calls.extend(methods.map(|method| DescribedCall::Rest { method, path: template.clone() }));
        if CALLS_MAX < calls.len() {
            return Err(unreadable(FORM, format!("it has more than {CALLS_MAX} operations")));
        }
    }
    Ok(calls)
}
