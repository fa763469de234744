//! RTP, RTCP, SDP: who may send where, and what was heard.
