//! Every kind of register as its callers meet it, over real TCP connections.

mod cards;
mod cited;
mod civil;
mod kinds;
mod licences;
mod running;
mod service;
mod together;
