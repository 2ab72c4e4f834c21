//! The admin server: ZooKeeper's commands over HTTP, a page to look at, and what probes and
//! Prometheus ask for. Source: `JettyAdminServer`, `Commands`.
//!
//! It runs apart from the threads that serve clients. What it looks up is copied under short
//! locks; how many connections it has, how large their requests may be and how long they may
//! idle is bounded. Without TLS, as here, it should not be reachable for strangers.

mod auth;
mod body;
mod command;
mod dashboard;
mod ensemble;
mod facts;
mod health;
mod http;
mod rate_limit;
mod reply;
mod shed;
mod snapshot;
mod write_timeout;

use crate::client_port;
use crate::config::{Config, Listen, Metrics};
use crate::listener;
use crate::metrics::prometheus;
use crate::shared::Shared;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
pub use command::{COMMANDS, Command};
use rate_limit::RateLimiter;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// What handlers share.
#[derive(Clone)]
struct Admin(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// The path below which commands are.
    commands: String,
    snapshots: RateLimiter,
}

impl Admin {
    fn new(shared: Arc<Shared>) -> Self {
        let server = shared.config.administration.server.as_ref();
        Self(Arc::new(Inner {
            commands: server
                .map_or("/commands", |server| &server.command_url)
                .to_owned(),
            snapshots: RateLimiter::new(server.map_or(Duration::ZERO, |s| s.rate_limit_interval)),
            shared,
        }))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

/// The ports of the admin server and of Prometheus' endpoint, as far as the configuration wants
/// them. A port that cannot be taken is reported and done without.
#[derive(Debug)]
pub struct Endpoints {
    admin: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Endpoints {
    /// Takes the ports.
    pub fn bind(config: &Config) -> Self {
        let administration = &config.administration;
        let server = administration.server.as_ref();
        let admin = server.and_then(|server| {
            let what = "the admin server (commands, page, probes)";
            listen(&server.listen, what, "admin.serverPort")
        });
        let metrics = match &administration.metrics {
            Metrics::Prometheus(endpoint) => {
                let what = "the metrics for Prometheus (/metrics)";
                listen(endpoint, what, "metricsProvider.httpPort")
            }
            Metrics::Default | Metrics::Null => None,
        };
        Self { admin, metrics }
    }

    /// Where the admin server is.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.local_addr().ok()
    }

    /// Where Prometheus' endpoint is.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// Serves until the task is dropped.
    pub async fn serve(self, shared: Arc<Shared>) {
        let admin = Admin::new(shared.clone());
        let server = shared.config.administration.server.as_ref();
        let idle = server.map_or(METRICS_IDLE_TIMEOUT, |server| server.idle_timeout);
        let metrics = Router::new().route("/metrics", get(metrics));
        let metrics = metrics.with_state(admin.clone());
        tokio::join!(
            http::run(self.admin, router(admin), idle),
            http::run(self.metrics, metrics, METRICS_IDLE_TIMEOUT),
        );
    }
}

/// Prometheus asks every minute or more often, mostly through one connection.
const METRICS_IDLE_TIMEOUT: Duration = Duration::from_secs(120);

fn router(admin: Admin) -> Router {
    let mut router = Router::new()
        .route("/", get(dashboard::page))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready));
    if admin.shared().config.administration.metrics != Metrics::Null {
        router = router.route("/metrics", get(metrics));
    }
    router.fallback(command::handle).with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let text = apart(move || prometheus::text(admin.shared())).await;
    ([(CONTENT_TYPE, prometheus::CONTENT_TYPE)], text).into_response()
}

/// Does something that locks, or asks the disk, where it keeps no other task waiting.
async fn apart<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is being dropped gives tasks up, and with it whoever asked.
            Err(_) => std::future::pending().await,
        },
    }
}

fn listen(listen: &Listen, what: &str, key: &str) -> Option<TcpListener> {
    match bind(listen) {
        Ok(listener) => {
            let address = listener.local_addr();
            let address = address.map_or(listen.to_string(), |address| address.to_string());
            info!("{what}: http://{address}");
            Some(listener)
        }
        Err(error) => {
            warn!(
                "going on without {what}: cannot listen on {listen}: {error}; set another port \
                 with {key}"
            );
            None
        }
    }
}

fn bind(listen: &Listen) -> io::Result<TcpListener> {
    match listen.is_every_address() {
        true => listener::everywhere(listen.port, listener::listen_at),
        false => client_port::resolve(listen).and_then(listener::listen_at),
    }
}
