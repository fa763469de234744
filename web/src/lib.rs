//! Health and metrics over HTTP. What answers here reads; it changes nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub use actix_web::dev::ServerHandle;
use actix_web::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::{App, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

/// Is the platform able to take calls? Asked by `/readyz`.
pub trait Readiness: Send + Sync + 'static {
    /// What it stands on, now.
    fn readiness(&self) -> Ready;
}

/// What `/readyz` tells.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// The ledger could write lately.
    pub database: bool,
    /// All listeners are bound and read.
    pub listeners: bool,
    /// Not about to stop.
    pub accepting: bool,
}

impl Ready {
    fn all(&self) -> bool {
        self.database && self.listeners && self.accepting
    }
}

/// What is served where.
pub struct Listening {
    /// `/healthz` and `/readyz`.
    pub web: Option<SocketAddr>,
    /// `/metrics`.
    pub metrics: Option<SocketAddr>,
}

/// Binds the listeners and serves on actix-web workers of their own; must be called within an actix system. The error names
/// the key and the address that cannot be had. `refresh` updates the gauges before they are read.
pub fn serve(
    listening: &Listening,
    readiness: Arc<dyn Readiness>,
    metrics: PrometheusHandle,
    refresh: impl Fn() + Send + Sync + Clone + 'static,
) -> io::Result<Vec<ServerHandle>> {
    let mut handles = Vec::new();
    if let Some(at) = listening.web {
        let readiness = web::Data::from(readiness);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(readiness.clone())
                .route("/healthz", web::get().to(healthz))
                .route("/readyz", web::get().to(readyz))
                .default_service(web::to(nothing_here))
        });
        let server =
            server.workers(1).disable_signals().bind(at).map_err(|error| name("web.listen", at, &error))?.run();
        handles.push(server.handle());
        actix_web::rt::spawn(server);
    }
    if let Some(at) = listening.metrics {
        let server = HttpServer::new(move || {
            let (metrics, refresh) = (metrics.clone(), refresh.clone());
            let page = move || {
                refresh();
                let text = metrics.render();
                async move { HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(text) }
            };
            App::new().route("/metrics", web::get().to(page)).default_service(web::to(nothing_here))
        });
        let server =
            server.workers(1).disable_signals().bind(at).map_err(|error| name("metrics.listen", at, &error))?.run();
        handles.push(server.handle());
        actix_web::rt::spawn(server);
    }
    Ok(handles)
}

fn name(key: &str, at: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{key}: cannot listen on {at}: {error}"))
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff")).body("ok\n")
}

async fn readyz(readiness: web::Data<dyn Readiness>) -> HttpResponse {
    let ready = readiness.readiness();
    let mut answer = if ready.all() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff")).json(ready)
}

async fn nothing_here() -> HttpResponse {
    HttpResponse::NotFound().body("not found\n")
}
