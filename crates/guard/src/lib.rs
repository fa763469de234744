//! Verdicts on sources: windows, bans, scanners.
