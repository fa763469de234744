//! What can happen to a call, one file each; and where the first look at a request, a response or a deadline sends it.

mod ack;
mod answer;
mod bye;
mod cancel;
mod challenge;
mod credit;
mod dial;
mod end;
mod failure;
mod info;
mod invite;
mod media;
mod options;
mod plan;
mod prack;
mod provisional;
mod redirect;
pub(crate) mod refer;
mod reinvite;
mod relay;
mod replace;
mod request;
mod response;
mod session;
mod timeout;
mod update;
