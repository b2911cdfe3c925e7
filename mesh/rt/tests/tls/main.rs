//! Links over real sockets, with certificates of the local PKI and with forged ones.

mod links;
mod nation;
mod refused_clients;
mod refused_servers;
mod serving;
