//! How much of anything one message may hold.

/// Bytes of one message, start line to end of body. Offsets are 16 bits wide because of it.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// Header lines of one message.
pub const HEADERS_MAX: usize = 256;

/// Bytes of one header with its folded lines, or of the start line.
pub const LINE_BYTES_MAX: usize = 8_192;

/// Bytes of a Request-URI; beyond it the answer is 414.
pub const URI_BYTES_MAX: usize = 2_048;

/// Via values of one message: the 70 hops of Max-Forwards and us.
pub const VIAS_MAX: usize = 71;

/// Bytes of a header's name.
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// Bytes of a method.
pub(crate) const METHOD_BYTES_MAX: usize = 64;
