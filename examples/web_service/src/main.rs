//! `web_service FOLDER [ADDRESS]`: serves on 127.0.0.1:3000 unless told otherwise, until SIGINT or SIGTERM.
//!
//! ```text
//! cd examples/web_service && cargo run -- /tmp/web_service
//! curl localhost:3000/login --json '{"user":"bob","password":"builder"}'
//! curl localhost:3000/admin/settings/mfa -X PUT -d on -H 'authorization: Bearer …'
//! curl localhost:3000/
//! ```

use std::error::Error;
use std::path::PathBuf;

use indelible::{AuditLog, FileStore};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use web_service::{Service, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: web_service FOLDER [ADDRESS]")?);
    let address = arguments
        .next()
        .map_or_else(|| "127.0.0.1:3000".into(), |text| text.to_string_lossy().into_owned());

    std::fs::create_dir_all(&folder)?;
    let log = AuditLog::builder("auth.example.com/audit")
        .key_file(folder.join("audit.key"))
        .source(concat!("web-service/", env!("CARGO_PKG_VERSION")))
        // What no handler waits for: a page view that was not recorded, say.
        .on_error(|error| eprintln!("audit log: {error}"))
        .open(FileStore::new(folder.join("audit")))?;

    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(listener, Service::new(log), shutdown).await?;
    Ok(())
}
