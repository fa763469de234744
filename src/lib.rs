//! Tollgate: composition of the rooms. What the binary opens, the tests open too.

pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod platform;
pub mod serve;
