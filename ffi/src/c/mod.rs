//! The library for C: `include/zt.h` is written from this module.
//!
//! Each function has one shape: check what was passed, find what handles stand for, call the facade,
//! translate. What is true of all of them is said in `README.md` and not repeated: who owns what, that
//! outputs are written on success only, that null is an error and not a crash.

#![allow(non_camel_case_types, reason = "the names are C's")]

mod boundary;
mod handles;

pub mod config;
pub mod engine;
pub mod events;
pub mod hints;
pub mod hosting;
pub mod library;
pub mod networks;
pub mod node;
pub mod packets;
pub mod peers;
pub mod result;
pub mod statistics;
pub mod storage;
pub mod structs;
pub mod trust;
