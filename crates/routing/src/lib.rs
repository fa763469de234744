//! From digits to candidates: dial plan, numbers, trunks, least cost, failover.
