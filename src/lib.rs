//! Tollgate: composition of the rooms.
