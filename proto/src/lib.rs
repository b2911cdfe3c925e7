//! The wire: generated messages, the only conversions between them and the values of `mesh-core`,
//! and the form of an error on gRPC.
//!
//! A conversion succeeds whole or refuses whole: it never drops a part that it cannot read.

pub mod catalogue;
pub mod directory;
pub mod frame;
pub mod head;
pub mod header;
pub mod malformed;
pub mod registry;
pub mod status;

/// Generated from `proto/`; each module is the protobuf package of its name.
#[allow(clippy::all, missing_debug_implementations, unreachable_pub, unused_qualifications)]
pub mod wire {
    pub mod exchange {
        pub mod v1 {
            tonic::include_proto!("mesh.exchange.v1");
        }
    }
    pub mod link {
        pub mod v1 {
            tonic::include_proto!("mesh.link.v1");
        }
    }
    pub mod directory {
        pub mod v1 {
            tonic::include_proto!("mesh.directory.v1");
        }
    }
    pub mod admin {
        pub mod v1 {
            tonic::include_proto!("mesh.admin.v1");
        }
    }
    pub mod catalogue {
        pub mod v1 {
            tonic::include_proto!("mesh.catalogue.v1");
        }
    }
    pub mod registry {
        pub mod v1 {
            tonic::include_proto!("mesh.registry.v1");
        }
    }
}

/// The encoded `FileDescriptorSet` of all packages, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The version of the protocol that this code speaks. Version 1 has no stamps, signatures, seals,
/// agreements or signed feeds yet.
pub const PROTOCOL_VERSION: u32 = 1;
