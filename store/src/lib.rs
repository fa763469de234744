//! What the platform remembers: the only room that speaks SQL.
