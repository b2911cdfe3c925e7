//! WSDL: the operations of its port types (1.1) or interfaces (2.0).

use mesh_core::standards::DescribedCall;
use roxmltree::{Document, Node, ParsingOptions};

use crate::{CALLS_MAX, Unreadable, unreadable};

const FORM: &str = "WSDL";
const WSDL_1_1: &str = "http://schemas.xmlsoap.org/wsdl/";
const WSDL_2_0: &str = "http://www.w3.org/ns/wsdl";

/// Nodes of one document.
const NODES_MAX: u32 = 200_000;

pub(crate) fn calls(text: &str) -> Result<Vec<DescribedCall>, Unreadable> {
    // A document type could define entities that grow; no description needs one.
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|why| unreadable("XML", why))?;
    let root = document.root_element();
    let (namespace, holder) = match (root.tag_name().namespace(), root.tag_name().name()) {
        (Some(WSDL_1_1), "definitions") => (WSDL_1_1, "portType"),
        (Some(WSDL_2_0), "description") => (WSDL_2_0, "interface"),
        _ => return Err(unreadable(FORM, "its root is no element of WSDL 1.1 or 2.0")),
    };
    let is = |node: &Node<'_, '_>, name: &str| {
        node.tag_name().namespace() == Some(namespace) && node.tag_name().name() == name
    };
    let holders = root.children().filter(|node| is(node, holder));
    let operations = holders.flat_map(|node| node.children().filter(|node| is(node, "operation")));
    let named = operations.filter_map(|node| node.attribute("name"));
    let calls: Vec<_> =
        named.map(|name| DescribedCall::Soap(name.into())).take(CALLS_MAX + 1).collect();
    if CALLS_MAX < calls.len() {
        return Err(unreadable(FORM, format!("it has more than {CALLS_MAX} operations")));
    }
    Ok(calls)
}
