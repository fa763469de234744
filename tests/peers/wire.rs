//! A wire to PostgreSQL that a case can cut and mend: a server that is gone, without touching anybody else's.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How soon a wire that was cut lets go of everything.
const BEAT: Duration = Duration::from_millis(20);

/// The wire; while it lives it is mended unless cut.
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    is_cut: AtomicBool,
    /// Swallow what is sent instead of ending the connections.
    is_silent: AtomicBool,
    is_over: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Wire {
    /// To the server that `url` names.
    pub fn to(url: &str) -> Wire {
        let server = host_of(url);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        listener.set_nonblocking(true).expect("nonblocking");
        let state = Arc::new(State {
            server: server.parse().expect("an address with a port"),
            is_cut: AtomicBool::new(false),
            is_silent: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let its = state.clone();
        thread::spawn(move || accept(&listener, &its));
        Wire { port, state }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every connection ends and no new one is made.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        for stream in self.state.streams.lock().expect("no case panics with it").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Nothing is heard any more, and nothing says so: a firewall that forgot the connection.
    pub fn go_silent(&self) {
        self.state.is_silent.store(true, Ordering::SeqCst);
    }

    /// As before.
    pub fn mend(&self) {
        // Who spoke into the silence lost words in the middle: that connection is of no use to anybody.
        if self.state.is_silent.load(Ordering::SeqCst) {
            self.cut();
        }
        self.state.is_silent.store(false, Ordering::SeqCst);
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

/// `url` with the wire that listens at `port` in place of the server.
pub fn by_way_of(port: u16, url: &str) -> String {
    url.replace(host_of(url), &format!("127.0.0.1:{port}"))
}

fn host_of(url: &str) -> &str {
    url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a URL with a host")
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.cut();
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    while !state.is_over.load(Ordering::SeqCst) {
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(BEAT);
            continue;
        };
        if state.is_cut.load(Ordering::SeqCst) {
            continue;
        }
        let Ok(far) = TcpStream::connect(state.server) else { continue };
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (Ok(from), Ok(to), Ok(kept)) = (from.try_clone(), to.try_clone(), from.try_clone()) else { continue };
            let _ = (from.set_nonblocking(false), from.set_read_timeout(Some(BEAT)));
            state.streams.lock().expect("no case panics with it").push(kept);
            let its = state.clone();
            thread::spawn(move || carry(from, to, &its));
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut chunk = [0; 65_536];
    loop {
        let silent = state.is_silent.load(Ordering::SeqCst);
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(_) if silent => {}
            Ok(length) if to.write_all(&chunk[..length]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
