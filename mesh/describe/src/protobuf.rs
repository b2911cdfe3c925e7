//! Protobuf: the methods of the services in a `google.protobuf.FileDescriptorSet`, as `protoc
//! --descriptor_set_out` writes it.

use mesh_core::standards::DescribedCall;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::{CALLS_MAX, Unreadable, unreadable};

const FORM: &str = "protobuf descriptor set";

pub(crate) fn calls(content: &[u8]) -> Result<Vec<DescribedCall>, Unreadable> {
    let set = FileDescriptorSet::decode(content).map_err(|why| unreadable(FORM, why))?;
    let mut calls = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let name = format!("{}/{}", service.name(), method.name());
                let name = match file.package() {
                    "" => name,
                    package => format!("{package}.{name}"),
                };
                let name = name.parse().map_err(|why| unreadable(FORM, why))?;
                calls.push(DescribedCall::Grpc(name));
            }
        }
        if CALLS_MAX < calls.len() {
            return Err(unreadable(FORM, format!("it has more than {CALLS_MAX} methods")));
        }
    }
    Ok(calls)
}
