//! Files named on the command line belong to whoever types it: they are read and written here, never by the server.

use std::fs;

use serde_json::Value;
use tollgate_actors::ops::outcome::Refused;
use tollgate_actors::ops::{Request, cdr, deck, destination, did, list, user};

/// Larger files are refused rather than sent in one line.
const BYTES_MAX: u64 = 256 << 20;

/// Puts the text of a named file into the request.
pub fn read_into(mut request: Request) -> Result<Request, Refused> {
    let csv = match &mut request {
        Request::Deck(deck::Deck::Import(import)) => Some(&mut import.csv),
        Request::Did(did::Did::Import(csv)) | Request::User(user::User::Import(csv)) => Some(csv),
        Request::Destination(destination::Destination::Irsf(destination::Irsf::Import { csv, .. }))
        | Request::List(list::List::Import(list::Import { csv, .. })) => Some(csv),
        _ => None,
    };
    if let Some(csv) = csv {
        let refuse = |error: &dyn std::fmt::Display| Refused::because(format_args!("{}: {error}", csv.file));
        let size = fs::metadata(&csv.file).map_err(|error| refuse(&error))?.len();
        if size > BYTES_MAX {
            return Err(refuse(&format_args!("{size} bytes are too many, at most {BYTES_MAX} are read")));
        }
        let bytes = fs::read(&csv.file).map_err(|error| refuse(&error))?;
        csv.text = String::from_utf8(bytes).map_err(|error| {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            refuse(&format_args!("line {line}: not UTF-8 text"))
        })?;
    }
    if let Request::Backup(backup) = &mut request {
        // The server may have another working directory than the operator.
        let path = std::path::absolute(&backup.file).map_err(Refused::because)?;
        backup.file = path.to_string_lossy().into_owned();
    }
    Ok(request)
}

/// Writes what was asked for as a file; what remains is for the screen.
pub fn write_out(request: &Request, value: Value) -> Result<Value, Refused> {
    if let (Request::Cdr(cdr::Cdr::Export { file, .. }), Value::String(text)) = (request, &value) {
        fs::write(file, text).map_err(|error| Refused::because(format_args!("{file}: {error}")))?;
        return Ok(Value::Null);
    }
    Ok(value)
}
