//! What a node writes about itself: one event per line on stderr, panics among them. Only a filter
//! that leaves out the errors of this module brings a panic's plain lines there instead.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing::{Level, Subscriber, enabled, error};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Events cannot be logged as asked.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter cannot be used")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("something else in this process logs already")]
    Init(#[from] tracing_subscriber::util::TryInitError),
}

/// Logs to stderr from here on, as `log` says, and makes a panic an event too. Once per process.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    subscriber(log, std::io::stderr)?.try_init()?;
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The default hook writes plain lines, which are better than none at all.
        if enabled!(Level::ERROR) { log_panic(panic) } else { default(panic) }
    }));
    Ok(())
}

fn subscriber<W>(log: &Log, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The default timer writes UTC as RFC 3339 has it.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(log.filter.as_str())?)
        .with_writer(writer);
    Ok(match log.format {
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
        LogFormat::Text => Box::new(builder.with_ansi(std::io::stderr().is_terminal()).finish()),
    })
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a value that is no text");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    // Only where RUST_BACKTRACE asks for it.
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(panic = message, location, thread = thread.name(), backtrace, "a thread panicked");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(log: &Log, events: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(log, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_flat_json_line() {
        let line = written(&Log::default(), || {
            debug!("too low for the default filter");
            info!(cluster = "health", links = 2, "link\nup");
        });
        assert_eq!(line.lines().count(), 1, "{line}");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["level"], "INFO");
        assert_eq!(event["target"], "mesh_rt::telemetry::tests");
        assert_eq!(event["message"], "link\nup");
        assert_eq!((&event["cluster"], &event["links"]), (&"health".into(), &2.into()));
        let timestamp = event["timestamp"].as_str().unwrap();
        assert!(timestamp.starts_with("20") && timestamp.ends_with('Z'), "{timestamp}");
    }

    #[test]
    fn text_is_for_eyes() {
        let log = Log { format: LogFormat::Text, filter: "debug".parse().unwrap() };
        let line = written(&log, || debug!(cluster = "health", "link up"));
        assert!(line.contains("DEBUG") && line.contains("link up"), "{line}");
    }

    #[test]
    fn a_panic_is_an_event() {
        let line = written(&Log::default(), || {
            let default = std::panic::take_hook();
            std::panic::set_hook(Box::new(log_panic));
            std::panic::catch_unwind(|| panic!("on purpose")).unwrap_err();
            std::panic::set_hook(default);
        });
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["level"], "ERROR");
        assert_eq!(event["panic"], "on purpose");
        assert!(event["location"].as_str().unwrap().contains("telemetry.rs"), "{line}");
    }
}
